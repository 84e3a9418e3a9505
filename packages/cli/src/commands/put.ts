/** `sealane put`: publishes a file or standard input. Owns nothing for longer than the copy takes. */

import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { PutOptions, PutSource } from 'sealane';
import { EXIT } from '../exit-codes.js';
import { CommandError, usageError } from '../failure.js';
import { Progress } from '../terminal/progress.js';
import type { Terminal } from '../terminal/terminal.js';
import { type BusOptions, jobOf, toJson, withBus } from './bus.js';

export interface PutCommandOptions extends BusOptions {
  /** false: `--no-name`. */
  name?: string | false;
  contentAddressed?: boolean;
  digest?: string;
  allowJob?: string[];
  /** Milliseconds. */
  ttl?: number;
  meta?: Record<string, string>;
}

const STANDARD_INPUT = '-';

/** Prints the id of the new object. */
export async function runPut(
  file: string | undefined,
  options: PutCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const owner = ownerOf(options);
  const path = await checkSource(file);
  const label = path ?? 'standard input';
  const info = await withBus(options, async (bus, { signal }) => {
    using progress = new Progress(terminal.err, label);
    const onProgress = (bytes: number, total: number | undefined) => progress.update(bytes, total);
    const source: PutSource = path ?? openStandardInput(signal, file === undefined);
    return await bus.put(source, { ...toPutOptions(path, owner, options), signal, onProgress });
  });
  if (terminal.json) terminal.writeJson(toJson(info));
  else terminal.out.line(String(info.id));
  if (path === undefined && info.size === 0 && !terminal.json)
    terminal.err.line('sealane: nothing came on standard input; the object is empty');
}

/**
 * The job that will own the object, if any. Only an owner can let other jobs in: all see an object without
 * one.
 */
function ownerOf(options: PutCommandOptions): string | undefined {
  const owner = jobOf(options);
  if (options.allowJob === undefined || owner !== undefined) return owner;
  throw usageError(
    '--allow-job needs a job that owns the object',
    'add --job-id JOB, or set $SEALANE_JOB_ID',
  );
}

/** The path of the file; undefined for standard input. Checked before the broker is asked for anything. */
async function checkSource(file: string | undefined): Promise<string | undefined> {
  if (file === undefined && process.stdin.isTTY) {
    throw usageError('nothing to put', 'give a FILE, or - to type it in');
  }
  if (file === undefined || file === STANDARD_INPUT) return undefined;
  if (file === '') throw usageError('the file name is empty', 'give a FILE, or - for standard input');
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(
      error.code ?? 'ERR_SEALANE_SYSTEM',
      EXIT.failure,
      `can't read ${file}: ${reasonOf(error)}`,
      'check the path',
    );
  });
  if (!found.isDirectory()) return file;
  const hint = `pack it first: \`tar -c ${file} | sealane put - --name NAME\``;
  throw new CommandError('EISDIR', EXIT.failure, `${file} is a directory`, hint);
}

function reasonOf(error: NodeJS.ErrnoException): string {
  return error.code === 'ENOENT' ? 'no such file' : (error.code ?? error.message);
}

/**
 * Standard input as a stream that an interruption ends at once, also while nothing arrives. Whoever writes - means it, and may
 * publish nothing; where no FILE was given, nothing is what a forgotten argument looks like.
 */
async function* openStandardInput(signal: AbortSignal, refuseNothing: boolean): AsyncGenerator<Uint8Array> {
  signal.addEventListener('abort', () => process.stdin.destroy(signal.reason as Error), { once: true });
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    yield chunk;
  }
  if (bytes === 0 && refuseNothing)
    throw usageError('nothing came on standard input', 'give a FILE, or - to publish an empty object');
}

/** Undefined: the broker names a content-addressed object by its digest, and others not at all. */
function nameOf(path: string | undefined, { name, contentAddressed }: PutCommandOptions): string | undefined {
  if (name !== undefined) return name === false ? undefined : name;
  return path === undefined || contentAddressed ? undefined : basename(path);
}

function toPutOptions(
  path: string | undefined,
  owner: string | undefined,
  options: PutCommandOptions,
): PutOptions {
  const name = nameOf(path, options);
  return {
    contentAddressed: options.contentAddressed === true,
    allow: options.allowJob ?? [],
    metadata: options.meta ?? {},
    ...(name === undefined ? {} : { name }),
    ...(owner === undefined ? {} : { owner }),
    ...(options.digest === undefined ? {} : { digest: options.digest }),
    ...(options.ttl === undefined ? {} : { ttlMs: options.ttl }),
  };
}
