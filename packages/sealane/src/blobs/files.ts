/** Files and descriptors that callers name. Trusts no path and no number before it is checked; the caller owns what is opened. */
import { createReadStream, read } from 'node:fs';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { checkPath } from '../base/check.js';
import { invalidArgument, isSealaneError, reworded, SealaneError } from '../base/errors.js';
import { OwnedDescriptor } from '../os/descriptor.js';
import { OpenFile } from '../os/open-file.js';

/** Bytes that a stream over a descriptor reads at a time. */
const STREAM_CHUNK_BYTES = 1_048_576;

/** Longest path, in bytes: PATH_MAX of the kernel without its final zero. */
const MAX_PATH_BYTES = 4_095;

/** Something with an open descriptor: a FileHandle, a Memfd, or `{ fd }`. It is borrowed, never closed. */
export interface HasDescriptor {
  readonly fd: number;
}

/** Whether a value has a descriptor; its number is still to be checked. */
export function hasDescriptor(value: unknown): value is HasDescriptor {
  return typeof value === 'object' && value !== null && 'fd' in value;
}

/** The path that a caller gave as the argument `name`. Throws ERR_SEALANE_INVALID_ARGUMENT for what can be none. */
export function toPath(name: string, given: string | URL): string {
  const path = given instanceof URL ? fromUrl(name, given) : given;
  checkPath(name, path, MAX_PATH_BYTES);
  return path;
}

function fromUrl(name: string, url: URL): string {
  try {
    return fileURLToPath(url);
  } catch {
    throw invalidArgument(name, 'be a path, or a file: URL of this machine', url.href);
  }
}

/**
 * Opens a file to be read, or to be made or truncated and written. Throws ERR_SEALANE_SYSTEM and ERR_SEALANE_EXHAUSTED with the
 * path, and ERR_SEALANE_WRONG_DESCRIPTOR for a pipe or a device that can't be written at an offset.
 */
export async function openFile(path: string, access: 'r' | 'w'): Promise<OpenFile> {
  try {
    return await OpenFile.open(path, access);
  } catch (error) {
    const unread = access === 'w' && isSealaneError(error) && error.errnoName === 'ENXIO';
    throw unread ? notRegular(JSON.stringify(path)) : error;
  }
}

/** The error for a target that has no offsets. */
export function notRegular(what: string): SealaneError {
  const message = `${what} is no regular file; pipe blob.stream() into it`;
  return new SealaneError('ERR_SEALANE_WRONG_DESCRIPTOR', message);
}

/** An error about a file that was given by path, with that path: descriptors are numbers to those who never saw them. */
export function withPath(error: unknown, path: string): unknown {
  if (!(error instanceof SealaneError) || error.code === 'ERR_SEALANE_ABORTED') return error;
  if (error.message.includes(JSON.stringify(path))) return error;
  return reworded(error, `${JSON.stringify(path)}: ${error.message}`);
}

/**
 * A stream of copies of what a borrowed descriptor of a regular file has. The stream owns a duplicate, which is closed when it
 * ends, is destroyed, or its thread ends. It reads by position: the offset of a shared descriptor belongs to everyone who holds it.
 */
export function streamDescriptor(fd: number): Readable {
  const owned = OwnedDescriptor.duplicate(fd);
  const close = (_fd: number, done: (error?: Error) => void): void => {
    owned.close();
    done();
  };
  const options = { fd: owned.fd, autoClose: true, highWaterMark: STREAM_CHUNK_BYTES, start: 0 };
  return createReadStream('', { ...options, fs: { open: refuseToOpen, read, close } });
}

/** A stream over a descriptor has nothing to open. */
function refuseToOpen(): never {
  throw new SealaneError('ERR_SEALANE_INTERNAL', 'a stream over a descriptor was asked to open a file');
}
