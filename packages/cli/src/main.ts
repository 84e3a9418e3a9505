#!/usr/bin/env node
/**
 * The `sealane` command: runs one command and turns its end into an exit code. Loads commander and the option
 * tables only; each command loads its own module, and with it the library, when it runs.
 */
import { type Command, CommanderError } from 'commander';
import { EXIT } from './exit-codes.js';
import {
  type CommandError,
  describeFailure,
  type FailureContext,
  findInterruption,
  reportFailure,
  usageError,
} from './failure.js';
import { createProgram } from './program.js';
import { Terminal } from './terminal/terminal.js';

/** What a failure's next step depends on. */
interface CommandContext extends FailureContext {
  command: string | undefined;
}

/** Runs the command line and returns the exit code. */
async function run(words: readonly string[]): Promise<number> {
  const flags = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  const colour = !flags.includes('--no-color');
  const terminal = new Terminal({ json: flags.includes('--json'), colour, onOutputError });
  const program = createProgram(terminal);
  try {
    await program.parseAsync(words, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : EXIT.ok;
  } catch (error) {
    const command = commandIn(program, flags);
    return fail(terminal, error, { command, socket: program.opts<{ socket?: string }>().socket });
  } finally {
    await terminal.flush();
  }
}

/** The command that the words name, with what leads to it: `service list`. Undefined: none. */
function commandIn(program: Command, words: readonly string[]): string | undefined {
  const path: string[] = [];
  let current = program;
  for (const word of words) {
    const child = current.commands.find((known) => known.name() === word);
    if (child === undefined) continue;
    path.push(word);
    current = child;
  }
  return path.length === 0 ? undefined : path.join(' ');
}

function fail(terminal: Terminal, error: unknown, context: CommandContext): number {
  const interruption = findInterruption(error);
  if (interruption !== undefined) {
    // The terminal has shown ^C: what follows begins on a line of its own.
    if (terminal.err.terminal) terminal.err.line('');
    return interruption.exitCode;
  }
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  // The help that commander shows when no command is given has been printed already.
  if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
  const cause = error instanceof CommanderError ? fromCommander(error, context.command) : error;
  const failure = describeFailure(cause, context);
  reportFailure(terminal, failure);
  if (process.env.NODE_DEBUG?.includes('sealane')) console.error(error);
  return failure.exitCode;
}

function fromCommander(error: CommanderError, command: string | undefined): CommandError {
  const message = error.message
    .replace(/^error: /, '')
    .replace(/\.$/, '')
    .replaceAll('\n', ' ');
  if (command === 'exec' && error.code === 'commander.unknownOption')
    return usageError(
      message,
      'options of the program stand behind --: `sealane exec TARGET -- COMMAND [ARGUMENT...]`',
    );
  return usageError(message, `see \`sealane ${command === undefined ? '' : `${command} `}--help\``);
}

/** A reader that went away, as `head` does, is no error: there is nobody left to tell. Anything else is. */
function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  process.stderr.write(`sealane: can't write to standard output: ${error.message}; send it elsewhere\n`);
  process.exit(EXIT.failure);
}

// An explicit end: standard input that nobody reads to its end must not keep the process.
process.exit(await run(process.argv.slice(2)));
