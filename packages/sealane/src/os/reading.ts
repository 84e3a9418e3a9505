/**
 * Reading a descriptor of any kind to its end. Owns a duplicate, and what waits for it. Whoever is at the other end of a pipe or
 * a socket may never write: the wait is one of the event loop, so that it can be given up and does not hold up a thread, which
 * would keep a worker from ending.
 */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { orAborted } from '../base/abort.js';
import { abortedError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { closeDescriptor, inspect, OwnedDescriptor } from './descriptor.js';
import { nodeError, systemError } from './system-error.js';
import { Watcher } from './watcher.js';

/** Bytes that are read at a time: a pipe holds less, and files that tell no size are small. */
const CHUNK_BYTES = 262_144;

const readInto = promisify(read);

/**
 * What a borrowed descriptor has, until it ends, in chunks. A regular file is read from its beginning, by position: the offset
 * of a shared descriptor belongs to everyone who holds it. A chunk is valid until the next is asked for.
 * Throws ERR_SEALANE_ABORTED, ERR_SEALANE_SYSTEM (EISDIR, EBADF, EIO ...), ERR_SEALANE_EXHAUSTED.
 */
export async function* readToEnd(fd: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
  using source = OwnedDescriptor.duplicate(fd);
  using readiness = Readiness.of(source.fd);
  const { regular } = inspect(source.fd);
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let offset = 0; ; ) {
    await readiness?.wait(signal);
    const count = await readSome(source.fd, buffer, regular ? offset : null);
    if (count === 0) return;
    if (count === undefined) continue;
    offset += count;
    yield buffer.subarray(0, count);
  }
}

/** How many bytes there were; 0 at the end; undefined when somebody else who reads took them first. */
async function readSome(fd: number, into: Uint8Array, position: number | null): Promise<number | undefined> {
  try {
    return (await readInto(fd, into, 0, into.length, position)).bytesRead;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw nodeError(cause, "the source can't be read");
  }
}

/** Tells when a borrowed descriptor has something to read, and leaves its flags, which others share, as they are. */
class Readiness implements Disposable {
  readonly #epoll: number;
  readonly #watcher: Watcher;
  #wake: () => void = () => undefined;

  private constructor(epoll: number) {
    this.#epoll = epoll;
    this.#watcher = new Watcher(epoll, () => this.#wake());
  }

  /** Undefined for a file that is always ready. */
  static of(fd: number): Readiness | undefined {
    let epoll: number;
    try {
      epoll = addon().epollOpen(fd);
    } catch (error) {
      throw systemError(error, `watching descriptor ${fd}`);
    }
    if (epoll === -1) return undefined;
    try {
      return new Readiness(epoll);
    } catch (error) {
      closeDescriptor(epoll);
      throw error;
    }
  }

  async wait(signal: AbortSignal | undefined): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#watcher.want(true, false);
    await orAborted(ready, signal, (fired) => abortedError('reading the source', fired));
    this.#watcher.want(false, false);
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
    closeDescriptor(this.#epoll);
  }
}
