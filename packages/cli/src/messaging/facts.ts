/** How nodes, services and ports are shown in lines of `key TAB value`, and aligned on a terminal. Pure but for the printing. */
import { escapeText, field } from '../terminal/escape.js';
import type { Style } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import { pad } from '../terminal/width.js';

/** A key and its value, which is escaped; tabs in it separate fields. */
export type Fact = readonly [key: string, value: string];

/** Prints facts: aligned on a terminal, else one `key TAB value` line each. */
export function printFacts(facts: readonly Fact[], { out }: Terminal): void {
  const width = Math.max(...facts.map(([key]) => key.length));
  for (const [key, value] of facts) {
    if (out.terminal) out.line(`${out.style.dim(pad(key, width, 'left'))}  ${value.replaceAll('\t', '  ')}`);
    else out.line(`${key}\t${value}`);
  }
}

/** Attributes as facts. */
export function attributeFacts(attributes: Readonly<Record<string, string>>): Fact[] {
  return Object.entries(attributes).map(([key, value]) => [`attribute.${escapeText(key)}`, field(value)]);
}

/** Options of a port or attributes of a node as one field: `key=value`, separated by spaces. */
export function optionText(options: Readonly<Record<string, number | boolean | string>>): string {
  return Object.entries(options)
    .map(([key, value]) => `${escapeText(key)}=${escapeText(String(value))}`)
    .join(' ');
}

/** A state in its colour. */
export function coloured(state: string, style: Style): string {
  if (state === 'alive') return style.green(state);
  return state === 'dead' ? style.red(state) : style.yellow(state);
}
