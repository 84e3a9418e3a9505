/** Files and descriptors that callers name. Turns what Node.js reports into errors of our own; the caller owns what is opened. */
import { close, createReadStream, open, read } from 'node:fs';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SealaneError } from '../base/errors.js';
import { inspect, OwnedDescriptor } from '../os/descriptor.js';

/** Bytes that a stream over a descriptor reads at a time. */
const STREAM_CHUNK_BYTES = 1_048_576;

/** Something with an open descriptor: a FileHandle, a Memfd, or `{ fd }`. It is borrowed, never closed. */
export interface HasDescriptor {
  readonly fd: number;
}

/** Whether a value has a descriptor; its number is still to be checked. */
export function hasDescriptor(value: unknown): value is HasDescriptor {
  return typeof value === 'object' && value !== null && 'fd' in value;
}

/** Opens a file by path or `file:` URL. Throws ERR_SEALANE_SYSTEM with the path, `errno` and `errnoName`. */
export async function openFile(path: string | URL, flags: 'r' | 'w'): Promise<OpenFile> {
  const name = path instanceof URL ? fileURLToPath(path) : path;
  try {
    return new OpenFile(await openPath(name, flags));
  } catch (cause) {
    throw fileError(`can't open ${JSON.stringify(name)}`, cause);
  }
}

const openPath = promisify(open);

/**
 * An open file. Not a FileHandle: those are left open when their thread is terminated, while Node.js closes what open() with a
 * callback returned.
 */
export class OpenFile {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Closes it on another thread: a file system may take its time. To be called once. */
  async close(): Promise<void> {
    await promisify(close)(this.fd);
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

/**
 * A stream of copies of what a borrowed descriptor has. The stream owns a duplicate, which is closed when it ends, is destroyed, or
 * its thread ends. A regular file is read by position: the offset of a shared descriptor belongs to everyone who holds it.
 */
export function streamDescriptor(fd: number): Readable {
  const start = inspect(fd).regular ? { start: 0 } : {};
  const owned = OwnedDescriptor.duplicate(fd);
  const close = (_fd: number, done: (error?: Error) => void): void => {
    owned.close();
    done();
  };
  const options = { fd: owned.fd, autoClose: true, highWaterMark: STREAM_CHUNK_BYTES, ...start };
  return createReadStream('', { ...options, fs: { open: refuseToOpen, read, close } });
}

/** A stream over a descriptor has nothing to open. */
function refuseToOpen(): never {
  throw new SealaneError('ERR_SEALANE_INTERNAL', 'a stream over a descriptor was asked to open a file');
}
