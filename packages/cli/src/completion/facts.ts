/** What the scripts of all shells need to know of a command: its options, which of them take values, words to choose from. */
import { readFileSync } from 'node:fs';
import type { CommandEntry, OptionEntry, Value, ValueKind } from '../reference/tree.js';

/** The path of a command as one word of a script: `sealane put`. */
export function pathOf(entry: CommandEntry): string {
  return entry.path.join(' ');
}

/** All options that a command takes, its own first. One that the program has too is the command's. */
export function optionsOf({ options, globals }: CommandEntry): OptionEntry[] {
  const own = new Set(options.flatMap(({ names }) => names));
  return [...options, ...globals.filter(({ names }) => !names.some((name) => own.has(name)))];
}

/** The options that take a value, by each of their names. */
export function valuesOf(entry: CommandEntry): [name: string, value: Value][] {
  return optionsOf(entry).flatMap(({ names, value }) =>
    value === undefined ? [] : names.map((name): [string, Value] => [name, value]),
  );
}

/** Text between single quotes of a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A help as one short line: what comes before its first semicolon or parenthesis. */
export function brief(help: string): string {
  return (help.split(/ \(|; /)[0] ?? help).replace(/\.$/, '');
}

/** The part of a script that is the same whatever the commands are. */
export function machinery(shell: 'bash' | 'zsh' | 'fish'): string {
  return readFileSync(new URL(`../../shell/complete.${shell}`, import.meta.url), 'utf8');
}

/** Whether the command itself lists the values of a kind, under a hidden name such as `__objects`. */
export function isListed(kind: ValueKind): kind is 'object' | 'service' | 'node' {
  return kind === 'object' || kind === 'service' || kind === 'node';
}
