/**
 * The command line as plain data: what manual pages and completions are made from. Owns the rules what a placeholder stands for.
 * Pure; what commander shows in no help is not in it.
 */
import type { Argument, Command, Option } from 'commander';

/**
 * What a value is, as far as a shell can help with it: a path, the name of an object, service or node, a program, one of a few words, or something
 * that only its user knows.
 */
export type ValueKind = 'file' | 'object' | 'service' | 'node' | 'program' | 'choice' | 'text';

/** A value that an option takes, or an argument. */
export interface Value {
  /** As the help calls it, without brackets. */
  readonly name: string;
  readonly kind: ValueKind;
  /** The words of a choice; else none. */
  readonly choices: readonly string[];
  /** Whether any number of them may follow. */
  readonly variadic: boolean;
}

export interface ArgumentEntry extends Value {
  readonly required: boolean;
  readonly help: string;
}

export interface OptionEntry {
  /** `-o`, `--output`: each of them can be typed. */
  readonly names: readonly string[];
  /** Undefined: it takes none. */
  readonly value: Value | undefined;
  readonly help: string;
  /** The title under which the help shows it; undefined for the usual one. */
  readonly group: string | undefined;
}

export interface CommandEntry {
  /** `sealane`, and the words that lead to it. */
  readonly path: readonly string[];
  readonly summary: string;
  /** What follows the path, as the help writes it. */
  readonly usage: string;
  readonly arguments: readonly ArgumentEntry[];
  readonly options: readonly OptionEntry[];
  /** Options of the whole program that the command takes too. */
  readonly globals: readonly OptionEntry[];
  readonly children: readonly CommandEntry[];
}

/** What placeholders stand for. Others are text. */
const KINDS: Readonly<Record<string, ValueKind>> = {
  path: 'file',
  file: 'file',
  files: 'file',
  output: 'file',
  target: 'object',
  pattern: 'object',
  service: 'service',
  node: 'node',
  command: 'program',
};

/** Describes a program and all its commands. */
export function describeProgram(program: Command): CommandEntry {
  const globals = program.createHelp().visibleOptions(program).filter(isGlobal).map(describeOption);
  return describeCommand(program, [program.name()], globals);
}

/** The version is the program's alone, and every command has a help of its own. */
function isGlobal({ long }: Option): boolean {
  return long !== '--version' && long !== '--help';
}

/** All commands of a tree: the program first, then each command before its subcommands. */
export function flatten(entry: CommandEntry): CommandEntry[] {
  return [entry, ...entry.children.flatMap(flatten)];
}

function describeCommand(
  command: Command,
  path: readonly string[],
  globals: readonly OptionEntry[],
  siblings: readonly string[] = [],
): CommandEntry {
  const help = command.createHelp();
  const children = help.visibleCommands(command);
  const names = children.map((child) => child.name());
  // What follows `help` is one of the commands beside it.
  const choices = command.name() === 'help' ? siblings : undefined;
  return {
    path,
    summary: command.description(),
    usage: command.usage(),
    arguments: command.registeredArguments.map((argument) => describeArgument(argument, choices)),
    options: help.visibleOptions(command).map(describeOption),
    globals: path.length === 1 ? [] : globals,
    children: children.map((child) => describeCommand(child, [...path, child.name()], globals, names)),
  };
}

function describeArgument(argument: Argument, choices: readonly string[] | undefined): ArgumentEntry {
  const value = describeValue(argument.name(), argument.variadic, choices ?? argument.argChoices);
  return { ...value, required: argument.required, help: argument.description };
}

function describeOption(option: Option): OptionEntry {
  const [, name] = /[<[]([^>\].]+)/.exec(option.flags) ?? [];
  return {
    names: [option.short, option.long].filter((flag) => flag !== undefined),
    value: name === undefined ? undefined : describeValue(name, option.variadic, option.argChoices),
    help: option.description,
    group: option.helpGroupHeading?.replace(/:$/, ''),
  };
}

function describeValue(name: string, variadic: boolean, choices: readonly string[] = []): Value {
  return { name, kind: choices.length > 0 ? 'choice' : (KINDS[name] ?? 'text'), choices, variadic };
}
