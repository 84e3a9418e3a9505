/** The completion script for fish: shell/complete.fish, which knows where the cursor is, and a line for each thing that may come. */
import {
  type ArgumentEntry,
  type CommandEntry,
  flatten,
  type OptionEntry,
  type Value,
} from '../reference/tree.js';
import { brief, isListed, machinery, optionsOf, pathOf, valuesOf } from './facts.js';

/** The script for fish. */
export function fishScript(program: CommandEntry): string {
  const entries = flatten(program);
  const takers = entries.flatMap((entry) => valuesOf(entry).map(([name]) => `${pathOf(entry)} ${name}`));
  return [
    '# Completion of sealane for fish, made by `sealane completion fish`.',
    '',
    '# Whether the words name a command.',
    membership('__sealane_is_command', entries.slice(1).map(pathOf)),
    '',
    '# Whether the option of the command takes a value.',
    membership('__sealane_takes_value', takers),
    '',
    machinery('fish'),
    'complete -c sealane -f',
    ...entries.flatMap(commandLines),
    '',
  ].join('\n');
}

/** A function that says whether its argument is one of these words. */
function membership(name: string, words: readonly string[]): string {
  return [
    `function ${name}`,
    `    contains -- "$argv[1]" \\`,
    `        ${words.map(quoted).join(' ')}`,
    'end',
  ].join('\n');
}

function commandLines(entry: CommandEntry): string[] {
  const here = [pathOf(entry)];
  const children = entry.children.map(
    ({ path, summary }) =>
      `${complete([...here, '0'])} -a ${path.at(-1)} -d ${quoted(summary.split('. ')[0] ?? '')}`,
  );
  const options = optionsOf(entry).map((option) => `${complete(here)} ${optionWords(option)}`);
  return [
    ...children,
    ...entry.arguments.flatMap((argument, index) => argumentLines(entry, argument, index)),
    ...options,
  ];
}

function argumentLines(entry: CommandEntry, argument: ArgumentEntry, index: number): string[] {
  const here = (...more: string[]) => complete([pathOf(entry), ...more]);
  const line = (words: string) => `${here(String(index), ...(argument.variadic ? ['on'] : []))} ${words}`;
  if (argument.kind !== 'program') return sourceWords(argument).map(line);
  // What follows a program are its own arguments: files, most likely.
  return [`${here(String(index))} -a '(__fish_complete_command)'`, `${here(String(index + 1), 'on')} -F`];
}

/** `complete` under the condition that the cursor is there. */
function complete(place: readonly string[]): string {
  return `complete -c sealane -n ${quoted(`__sealane_at ${place.map(quoted).join(' ')}`)}`;
}

function optionWords({ names, value, help }: OptionEntry): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const takes = value === undefined ? [] : ['-r', ...sourceWords(value)];
  const closed = value === undefined || value.kind === 'file' ? [] : ['-f'];
  return [...flags, ...takes, ...closed, '-d', quoted(brief(help))].join(' ');
}

/** Where candidates come from: none for what only its user knows. */
function sourceWords({ kind, choices }: Value): string[] {
  if (kind === 'choice') return [`-a ${quoted(choices.join(' '))}`];
  if (kind === 'file') return ['-F'];
  return isListed(kind) ? [`-k -a '(__sealane_names __${kind}s)'`] : [];
}

/** Text between single quotes of fish, in which a backslash escapes. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
