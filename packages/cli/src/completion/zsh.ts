/** The completion script for zsh: a function for each command, and shell/complete.zsh, which they call. */
import { type CommandEntry, flatten, type OptionEntry, type Value } from '../reference/tree.js';
import { brief, isListed, machinery, optionsOf, quoted } from './facts.js';

/** The script for zsh. */
export function zshScript(program: CommandEntry): string {
  return [
    '#compdef sealane',
    '# Completion of sealane for zsh, made by `sealane completion zsh`.',
    '',
    ...flatten(program).map(commandFunction),
    machinery('zsh'),
  ].join('\n');
}

/** `_sealane-put`; no function of the machinery has a hyphen. */
function functionName({ path }: CommandEntry): string {
  return `_sealane-${path.slice(1).join('-')}`;
}

function commandFunction(entry: CommandEntry): string {
  const options = optionsOf(entry).flatMap(optionSpecs);
  const specs = entry.children.length > 0 ? parentSpecs() : argumentSpecs(entry);
  const call = [argumentsCall(entry), ...[...options, ...specs].map(quoted)].join(' \\\n    ');
  return [
    `${functionName(entry)}() {`,
    '  local curcontext=$curcontext state line',
    '  local -A opt_args',
    `  ${call}`,
    ...(entry.children.length > 0 ? dispatch(entry) : []),
    '}',
    '',
  ].join('\n');
}

/** Every option may stand again: some have a meaning then, and the command says so of the others. */
function optionSpecs({ names, value, help }: OptionEntry): string[] {
  const text = `[${escapeSpec(brief(help))}]`;
  if (value === undefined) return names.map((name) => `*${name}${text}`);
  const argument = `:${value.name}:${action(value)}`;
  // The value is the next word, or follows in the same one.
  return names.map((name) => `*${name}${name.startsWith('--') ? '=' : '+'}${text}${argument}`);
}

function parentSpecs(): string[] {
  return ['1:command:->command', '*::argument:->argument'];
}

function argumentSpecs(entry: CommandEntry): string[] {
  return entry.arguments.flatMap((argument, index) => {
    const { name, required, variadic, kind } = argument;
    if (kind === 'program') return programSpecs(name, index + 1);
    const first = `${index + 1}:${required ? '' : ':'}${name}:${action(argument)}`;
    return variadic ? [first, `*:${name}:${action(argument)}`] : [first];
  });
}

/** A program stands after --, and its own arguments are files, most likely. */
function programSpecs(name: string, position: number): string[] {
  return [`${position}:separator:(--)`, `${position + 1}:${name}:_command_names -e`, `*:${name}:_files`];
}

/** With -S no options are offered after --; but one that stands behind an argument could not be counted as one itself then. */
function argumentsCall({ arguments: list }: CommandEntry): string {
  return list.some(({ kind }) => kind === 'program') ? '_arguments -C -s :' : '_arguments -C -s -S :';
}

function dispatch(entry: CommandEntry): string[] {
  const described = entry.children.map(
    ({ path, summary }) => `${path.at(-1)}:${escapeSpec(firstSentence(summary))}`,
  );
  const cases = entry.children.map((child) => `        ${child.path.at(-1)}) ${functionName(child)} ;;`);
  return [
    '  case $state in',
    '    command)',
    '      local -a commands=(',
    ...described.map((line) => `        ${quoted(line)}`),
    '      )',
    "      _describe -t commands 'command' commands",
    '      ;;',
    '    argument)',
    '      case $line[1] in',
    ...cases,
    '      esac',
    '      ;;',
    '  esac',
  ];
}

function action({ kind, choices }: Value): string {
  if (kind === 'choice') return `(${choices.join(' ')})`;
  if (kind === 'file') return '_files';
  return isListed(kind) ? `_sealane_names ${kind}` : ' ';
}

function firstSentence(summary: string): string {
  return summary.split('. ')[0]?.replace(/\.$/, '') ?? '';
}

/** In a specification, brackets and colons have a meaning. */
function escapeSpec(text: string): string {
  return text.replace(/[\\[\]:]/g, '\\$&');
}
