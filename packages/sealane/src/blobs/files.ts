/** Opening files that callers name. Turns what Node.js reports into errors of our own; the caller owns the handle. */
import { type FileHandle, open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { SealaneError } from '../base/errors.js';

/** Something with an open descriptor: a FileHandle, a Memfd, or `{ fd }`. It is borrowed, never closed. */
export interface HasDescriptor {
  readonly fd: number;
}

/** Whether a value has a descriptor; its number is still to be checked. */
export function hasDescriptor(value: unknown): value is HasDescriptor {
  return typeof value === 'object' && value !== null && 'fd' in value;
}

/** Opens a file by path or `file:` URL. Throws ERR_SEALANE_SYSTEM with the path, `errno` and `errnoName`. */
export async function openFile(path: string | URL, flags: 'r' | 'w'): Promise<FileHandle> {
  const name = path instanceof URL ? fileURLToPath(path) : path;
  try {
    return await open(name, flags);
  } catch (cause) {
    throw fileError(`can't open ${JSON.stringify(name)}`, cause);
  }
}

/** A SealaneError for a failure that Node.js reports. */
export function fileError(what: string, cause: unknown): SealaneError {
  const { message, code, errno, syscall } = cause as NodeJS.ErrnoException;
  return new SealaneError('ERR_SEALANE_SYSTEM', `${what}: ${message}`, {
    cause,
    ...(errno === undefined ? {} : { errno: Math.abs(errno) }),
    ...(code === undefined ? {} : { errnoName: code }),
    ...(syscall === undefined ? {} : { syscall }),
  });
}
