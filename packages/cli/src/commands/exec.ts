/**
 * `sealane exec`: becomes another program, which inherits a descriptor of an object. Looks first at how the process was, because loading the
 * library can make Node.js open standard error; then hands over. Prints nothing before, and leaves signals to their default: one that a
 * listener had taken would be lost to the program.
 */
import { constants } from 'node:os';
import { parseTarget } from '../arguments.js';
import { usageError } from '../failure.js';
import { readOrigin } from '../origin.js';
import type { Terminal } from '../terminal/terminal.js';
import type { ExecOptions } from './handover.js';

const USAGE = 'write `sealane exec TARGET -- COMMAND [ARGUMENT...]`';

/** Never returns: throws, or is another program. */
export async function runExec(
  argument: string,
  command: string[],
  options: ExecOptions,
  _terminal: Terminal,
): Promise<void> {
  const origin = readOrigin();
  keepIgnoring(origin.start.ignoredSignals);
  const target = parseTarget(argument, options);
  checkSeparator(command);
  const { handOver } = await import('./handover.js');
  await handOver(target, command, options, origin);
}

/** What was started with nohup(1), or in the background of a script, is not to be ended by these while it gets the object either. */
function keepIgnoring(ignored: bigint): void {
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const) {
    const bit = BigInt(constants.signals[signal] - 1);
    if (((ignored >> bit) & 1n) === 1n) process.on(signal, () => undefined);
  }
}

/** What follows `--` is the command, all of it: without it the options of the command would be taken for ours. */
function checkSeparator(command: readonly string[]): void {
  const separator = process.argv.indexOf('--');
  const after = separator === -1 ? 0 : process.argv.length - separator - 1;
  if (after === 0) throw usageError('no command to run', USAGE);
  if (after !== command.length)
    throw usageError('the target stands before --, and only the command after it', USAGE);
}
