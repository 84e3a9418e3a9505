/** `sealane get`: the bytes of an object, to standard output or into a file. */
import { pipeline } from 'node:stream/promises';
import type { Blob, Bus, Target } from 'sealane';
import { parseTarget, type TargetOptions } from '../arguments.js';
import { EXIT } from '../exit-codes.js';
import { CommandError, usageError } from '../failure.js';
import type { Interrupt } from '../interrupt.js';
import { jsonText } from '../terminal/escape.js';
import { Progress } from '../terminal/progress.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatBytes, formatDuration } from '../terminal/units.js';
import { type BusOptions, endedBy, toJson, withBus } from './bus.js';
import { writeFileWhole } from './whole-file.js';

export interface GetOptions extends BusOptions, TargetOptions {
  output?: string;
  wait?: boolean;
  /** Milliseconds. */
  timeout?: number;
}

const STANDARD_OUTPUT = '-';
/** Text longer than this is not for a terminal either. */
const MAX_TERMINAL_BYTES = 1_048_576;

/**
 * Writes the bytes. With `--json` the description goes to standard output, or to standard error when the
 * bytes go there.
 */
export async function runGet(
  argument: string,
  output: string | undefined,
  options: GetOptions,
  terminal: Terminal,
): Promise<void> {
  if (options.timeout !== undefined && !options.wait)
    throw usageError('--timeout needs --wait', 'add --wait');
  const target = parseTarget(argument, options);
  const path = outputOf(output, options);
  await withBus(options, async (bus, interrupt) => {
    const { signal } = interrupt;
    using blob = options.wait
      ? await waitFor(bus, target, options.timeout, signal)
      : await bus.get(target, { signal });
    const toFile = path !== undefined && path !== STANDARD_OUTPUT;
    if (toFile) await writeToFile(blob, path, interrupt, terminal);
    else {
      if (path !== STANDARD_OUTPUT && terminal.out.terminal) refuseBinary(blob, argument);
      interrupt.release();
      await writeToOutput(blob, terminal);
    }
    if (terminal.json) (toFile ? terminal.out : terminal.err).line(jsonText(toJson(blob.info)));
  });
}

/** Where to: an option, or a second argument as memfdbus has it. Undefined: standard output, unless it would garble a terminal. */
function outputOf(argument: string | undefined, { output }: GetOptions): string | undefined {
  if (argument !== undefined && output !== undefined)
    throw usageError('the output is given twice', `give ${argument}, or -o ${output}`);
  const path = argument ?? output;
  if (path === '') throw usageError('the output is empty', 'give a FILE, or - for standard output');
  return path;
}

async function waitFor(
  bus: Bus,
  target: Target,
  timeoutMs: number | undefined,
  signal: AbortSignal,
): Promise<Blob> {
  if (typeof target !== 'object' || !('name' in target)) {
    throw usageError('--wait waits for a name', 'give a name; add --name if it looks like an id or a digest');
  }
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const either = timeout === undefined ? signal : AbortSignal.any([signal, timeout]);
  try {
    return await bus.wait(target.name, { signal: either });
  } catch (error) {
    if (!endedBy(error, timeout)) throw error;
    const message = `no object named ${target.name} appeared within ${formatDuration(timeoutMs ?? 0)}`;
    throw new CommandError(
      'ERR_SEALANE_TIMEOUT',
      EXIT.timeout,
      message,
      'wait longer with --timeout, or watch with `sealane watch`',
    );
  }
}

async function writeToFile(
  blob: Blob,
  path: string,
  interrupt: Interrupt,
  terminal: Terminal,
): Promise<void> {
  using progress = new Progress(terminal.err, path);
  await writeFileWhole(path, blob, interrupt, (bytes, total) => progress.update(bytes, total));
}

/** Copies, 1 MiB at a time: a view must not be unmapped while a write of it is under way. */
async function writeToOutput(blob: Blob, terminal: Terminal): Promise<void> {
  await pipeline(blob.stream(), terminal.stdout, { end: false });
}

/**
 * Bytes that are no text would garble the terminal; text may hold escape sequences, so all of it is looked
 * at.
 */
function refuseBinary(blob: Blob, argument: string): void {
  const large = blob.size > MAX_TERMINAL_BYTES;
  if (!large && isPlainText(blob.bytes)) return;
  const what = large
    ? `${formatBytes(blob.size)} are too much for a terminal`
    : `${argument} is not plain text`;
  throw new CommandError(
    'ERR_SEALANE_CLI_TERMINAL',
    EXIT.failure,
    what,
    'write it to a file with -o FILE, pipe it, or force it with -o -',
  );
}

/** Whether these bytes are UTF-8 without control characters other than tabs and line ends. */
function isPlainText(bytes: Uint8Array): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return !/[^\P{Cc}\t\r\n]/u.test(text);
  } catch {
    return false;
  }
}
