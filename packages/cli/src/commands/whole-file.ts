/**
 * Writes a file so that it appears complete or not at all: into a new file beside it, then renamed over it.
 * Owns that new file until the rename. Devices and pipes are written directly.
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream, type Stats } from 'node:fs';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Blob } from 'sealane';
import { EXIT } from '../exit-codes.js';
import { CommandError } from '../failure.js';
import type { Interrupt } from '../interrupt.js';

type OnProgress = (bytes: number, total: number) => void;

const DEFAULT_MODE = 0o666;

/**
 * Writes all bytes of the blob to `path`. An existing file keeps its mode; a symbolic link keeps pointing. Where there is nothing to
 * clean up, signals end the process at once: opening a pipe and writing to it wait for a reader, and can't be called off.
 */
export async function writeFileWhole(
  path: string,
  blob: Blob,
  interrupt: Interrupt,
  onProgress: OnProgress,
): Promise<void> {
  const { signal } = interrupt;
  try {
    const existing = await statIfAny(path);
    if (existing?.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' });
    if (existing !== undefined && !existing.isFile()) {
      interrupt.release();
      await writeDirectly(path, blob);
    } else
      await replace(existing === undefined ? path : await realpath(path), existing, blob, signal, onProgress);
  } catch (error) {
    throw explain(path, error as NodeJS.ErrnoException);
  }
}

async function replace(
  path: string,
  existing: Stats | undefined,
  blob: Blob,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<void> {
  const aside = join(
    dirname(path),
    `.${basename(path).slice(0, 100)}.${randomBytes(6).toString('hex')}.part`,
  );
  try {
    // Created exclusively: nobody can have laid a link in its way.
    await using file = await open(aside, 'wx', existing === undefined ? DEFAULT_MODE : 0o600);
    await blob.copyTo(file, { signal, onProgress });
    if (existing !== undefined) await file.chmod(existing.mode & 0o7777);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}

async function writeDirectly(path: string, blob: Blob): Promise<void> {
  await pipeline(blob.stream(), createWriteStream(path, { flags: 'w' }));
}

async function statIfAny(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Failures of the file system name the file that the user gave; the library's own pass as they are. */
function explain(path: string, error: NodeJS.ErrnoException): Error {
  if (error.syscall === undefined && error.code !== 'EISDIR') return error;
  const { errnoName } = error as { errnoName?: string };
  const code = errnoName ?? error.code ?? 'ERR_SEALANE_SYSTEM';
  const reason = code === 'ENOENT' ? 'no such directory' : error.message.replace(/^E\w+: /, '');
  const hint = code === 'ENOSPC' ? 'free some space, or write elsewhere' : 'write elsewhere with -o FILE';
  return new CommandError(code, EXIT.failure, `can't write ${path}: ${reason}`, hint);
}
