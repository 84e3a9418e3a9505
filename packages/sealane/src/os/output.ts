/**
 * A file, pipe, socket or terminal that bytes are written to without ever blocking the event loop. Owns its descriptor.
 * Files are written on a thread; the others without blocking, when they can take something: a thread that waits for a reader
 * that has stopped would keep the process from ending.
 */
import { close, constants, fstat, open, read, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { closedError, invalidArgument } from '../base/errors.js';
import { inspect, OwnedDescriptor } from './descriptor.js';
import { isNativeError, nodeError } from './system-error.js';
import { Watcher } from './watcher.js';

/** `written`: how many of the bytes are out, from the first, also with an error. */
export type OutputWritten = (error: Error | undefined, written: number) => void;

/** Between attempts where the kernel can't say when there is room (it can for everything that is ever full). */
const RETRY_MS = 10;

const NEWLINE = 0x0a;

const openAsync = promisify(open);
const statAsync = promisify(fstat);
const closeAsync = promisify(close);

interface Wait {
  readonly bytes: Uint8Array;
  readonly done: OutputWritten;
}

export class Output {
  readonly #close: () => Promise<void> | void;
  readonly #onThread: boolean;
  #fd: number;
  #watcher: Watcher | undefined;
  #waiting: Wait | undefined;
  #retry: NodeJS.Timeout | undefined;
  #writing = false;
  #onIdle: (() => void) | undefined;

  private constructor(
    fd: number,
    onThread: boolean,
    /** Whether it has content whose last line lacks its newline. */
    readonly torn: boolean,
    /** For messages. */
    readonly label: string,
    closer: () => Promise<void> | void,
  ) {
    this.#fd = fd;
    this.#onThread = onThread;
    this.#close = closer;
  }

  /**
   * Opens the file at `path` for appending; one that is missing is made with mode 0600. A symbolic link is refused (ELOOP), and so is
   * a named pipe that nobody reads (ENXIO). Throws ERR_SEALANE_SYSTEM.
   */
  static async open(path: string): Promise<Output> {
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    try {
      return await Output.#fromOpened(await openAsync(path, flags, 0o600), path);
    } catch (error) {
      throw nodeError(error, `opening ${path} for writing`);
    }
  }

  /**
   * Writes to where a borrowed descriptor leads, which stays open. A file's offset is shared with it. A socket, and a pipe or terminal
   * that may not be opened a second time, becomes non-blocking for all who share it, as Node.js makes its standard streams.
   * Throws ERR_SEALANE_INVALID_ARGUMENT for one that is not open for writing, ERR_SEALANE_SYSTEM, ERR_SEALANE_EXHAUSTED.
   */
  static async borrow(fd: number): Promise<Output> {
    const label = `descriptor ${fd}`;
    const { accessMode, regular } = inspect(fd);
    if (accessMode !== 'w' && accessMode !== 'rw')
      throw invalidArgument('the descriptor', 'be open for writing', fd);
    if (!regular) {
      const opened = await reopenForWriting(fd);
      if (opened !== undefined) return Output.#fromOpened(opened, label);
    }
    const torn = regular && (await isTorn(fd));
    const copy = OwnedDescriptor.duplicate(fd);
    const output = new Output(copy.fd, regular, torn, label, () => copy.close());
    // A watcher makes its descriptor non-blocking.
    if (!regular) output.#watcher = watch(copy.fd, () => output.#onReady());
    return output;
  }

  static async #fromOpened(fd: number, label: string): Promise<Output> {
    const shut = (): Promise<void> => closeAsync(fd).catch(() => undefined);
    try {
      const status = await statAsync(fd);
      const neverFull = !status.isFIFO() && !status.isSocket() && !status.isCharacterDevice();
      const torn = status.isFile() && (await isTorn(fd));
      return new Output(fd, neverFull, torn, label, shut);
    } catch (error) {
      await shut();
      throw error;
    }
  }

  /**
   * Writes bytes, or a part of them; at most one write may be under way. `done` is called later. The bytes must not change until
   * then. With an error some of them may be out all the same.
   */
  write(bytes: Uint8Array, done: OutputWritten): void {
    if (this.#fd === -1) setImmediate(done, closedError(this.label), 0);
    else if (this.#onThread) this.#writeOnThread(bytes, done);
    else this.#attempt({ bytes, done });
  }

  /** Gives up waiting for room: `done` hears that nothing was written. No effect on a write that is not waiting. */
  interrupt(): void {
    const waiting = this.#stopWaiting();
    if (waiting !== undefined) setImmediate(waiting.done, undefined, 0);
  }

  /** Closes; a write on a thread is waited for. What the kernel says of the close is not told: it comes too late. Idempotent. */
  async close(): Promise<void> {
    if (this.#fd === -1) return;
    this.interrupt();
    this.#fd = -1;
    this.#watcher?.close();
    if (this.#writing) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#close();
  }

  #writeOnThread(bytes: Uint8Array, done: OutputWritten): void {
    this.#writing = true;
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
      this.#writing = false;
      this.#onIdle?.();
      done(
        error === null ? undefined : nodeError(error, `writing to ${this.label}`),
        error === null ? written : 0,
      );
    });
  }

  #attempt(wait: Wait): void {
    try {
      setImmediate(wait.done, undefined, writeSync(this.#fd, wait.bytes));
    } catch (error) {
      if (isNativeError(error, 'EAGAIN')) this.#wait(wait);
      else setImmediate(wait.done, nodeError(error, `writing to ${this.label}`), 0);
    }
  }

  #wait(wait: Wait): void {
    this.#waiting = wait;
    this.#watcher ??= watch(this.#fd, () => this.#onReady());
    if (this.#watcher !== undefined) this.#watcher.want(false, true);
    else this.#retry = setTimeout(() => this.#onReady(), RETRY_MS);
  }

  #onReady(): void {
    const waiting = this.#stopWaiting();
    if (waiting !== undefined) this.#attempt(waiting);
  }

  #stopWaiting(): Wait | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    clearTimeout(this.#retry);
    if (waiting !== undefined) this.#watcher?.want(false, false);
    return waiting;
  }
}

/** A second opening, which is non-blocking without making the first one so. Undefined for sockets, and where it is not allowed. */
async function reopenForWriting(fd: number): Promise<number | undefined> {
  try {
    return await openAsync(
      `/proc/self/fd/${fd}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch {
    return undefined;
  }
}

/** Undefined for what is always ready, which can't be watched. */
function watch(fd: number, onReady: () => void): Watcher | undefined {
  try {
    return new Watcher(fd, onReady);
  } catch {
    return undefined;
  }
}

/** Whether a file has content whose last byte is no newline; true where that can't be read. */
async function isTorn(fd: number): Promise<boolean> {
  const { size } = await statAsync(fd);
  if (size === 0) return false;
  try {
    const readable = await openAsync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return (await lastByte(readable, size)) !== NEWLINE;
    } finally {
      await closeAsync(readable);
    }
  } catch {
    return true;
  }
}

function lastByte(fd: number, size: number): Promise<number | undefined> {
  const byte = Buffer.alloc(1);
  return new Promise((resolve, reject) => {
    read(fd, byte, 0, 1, size - 1, (error, bytesRead) => {
      if (error !== null) reject(error);
      else resolve(bytesRead === 1 ? byte[0] : undefined);
    });
  });
}
