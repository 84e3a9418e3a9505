/** The completion script for bash: tables of the commands, and shell/complete.bash, which looks things up in them. */
import { type CommandEntry, flatten, type Value } from '../reference/tree.js';
import { machinery, optionsOf, pathOf, quoted, valuesOf } from './facts.js';

/** The script for bash. */
export function bashScript(program: CommandEntry): string {
  const entries = flatten(program);
  const commands = entries.slice(1).map((entry) => quoted(pathOf(entry)));
  return [
    '# Completion of sealane for bash, made by `sealane completion bash`.',
    '',
    '# Whether the words name a command.',
    '_sealane_is_command() {',
    '  case $1 in',
    `    ${commands.join(' | ')}) return 0 ;;`,
    '  esac',
    '  return 1',
    '}',
    '',
    '# The kind of the value of an option; none if it takes none.',
    '_sealane_value() {',
    '  kind= choices=',
    '  case $1 in',
    ...entries.flatMap((entry) => valuesOf(entry).map(([name, value]) => valueCase(entry, name, value))),
    '  esac',
    '}',
    '',
    '# What may follow a command: options, commands, arguments by their position, and what may be repeated after them.',
    '_sealane_command() {',
    '  case $1 in',
    ...entries.map(commandCase),
    '  esac',
    '}',
    '',
    machinery('bash'),
  ].join('\n');
}

function valueCase(entry: CommandEntry, name: string, { kind, choices }: Value): string {
  const list = choices.length === 0 ? '' : ` choices=${quoted(choices.join(' '))}`;
  return `    ${quoted(`${pathOf(entry)} ${name}`)}) kind=${kind}${list} ;;`;
}

function commandCase(entry: CommandEntry): string {
  const options = optionsOf(entry).flatMap(({ names }) => names);
  const commands = entry.children.map(({ path }) => path.at(-1));
  const kinds = entry.arguments.map(kindWord);
  const lines = [`options=${quoted(options.join(' '))}`];
  if (commands.length > 0) lines.push(`commands=${quoted(commands.join(' '))}`);
  if (kinds.length > 0) lines.push(`kinds=(${kinds.map(quoted).join(' ')})`);
  const last = entry.arguments.at(-1);
  // What follows a program are its own arguments: files, most likely.
  if (last?.variadic) lines.push(`rest=${last.kind === 'program' ? 'file' : quoted(kindWord(last))}`);
  return [`    ${quoted(pathOf(entry))})`, ...lines.map((line) => `      ${line}`), '      ;;'].join('\n');
}

/** A kind; a choice with its words. */
function kindWord({ kind, choices }: Value): string {
  return kind === 'choice' ? `choice:${choices.join(' ')}` : kind;
}
