/**
 * Which of many descriptors are ready, epoll(7), asked or waited for without the event loop; or with it, where a Watcher watches the
 * one descriptor of all. Owns the epoll descriptor, not what is watched: remove a descriptor before it is closed.
 */
import { addon } from '../native/addon.js';
import { KernelObject } from './kernel-object.js';
import { systemError } from './system-error.js';

/** Longest wait of one {@link Readiness.poll}, in milliseconds: a thread in the kernel can't be terminated. */
export const MAX_POLL_MS = 100;

/** Most keys that one {@link Readiness.poll} answers. */
export const MAX_POLL_KEYS = 64;

const READABLE = 1;
const WRITABLE = 2;

/** What a descriptor is watched for. */
export interface Interest {
  /** Whether there is something to be read or accepted, or the end. */
  readonly readable: boolean;
  /** Whether there is room to write. */
  readonly writable: boolean;
  /**
   * Edge-triggered: told when it is first looked at, and then when something has been added to what is ready, not again and again.
   * {@link Readiness.change} has it looked at anew. Default: false.
   */
  readonly edge?: boolean;
}

/**
 * Watches descriptors, each under a key. Level-triggered, where nothing else is asked for: what is ready is told again until it no longer is. An
 * error, and the end of a connection in both directions, count as readable and writable, and are told whatever is watched for: remove such a descriptor.
 * Its descriptor is readable while anything watched is ready; closing it closes nothing of what was watched. Every method but close()
 * throws ERR_SEALANE_CLOSED once closed.
 */
export class Readiness extends KernelObject {
  /** Key and what it is ready for, by turns; the addon's own numbers last only until its next call. */
  readonly #results = new Int32Array(2 * MAX_POLL_KEYS);
  readonly #native = addon();

  /** Makes one that watches nothing. Throws ERR_SEALANE_EXHAUSTED when no descriptor is left. */
  static open(): Readiness {
    try {
      return new Readiness(addon().readinessOpen(), 'the readiness');
    } catch (error) {
      throw systemError(error, 'making an epoll instance');
    }
  }

  /**
   * Watches a borrowed descriptor, for reading if nothing else is asked for. `key` (0 to 2^31-1) is what {@link Readiness.key} answers
   * for it; several may share one. Throws ERR_SEALANE_SYSTEM (EEXIST: watched already; EPERM: a file that is always ready),
   * ERR_SEALANE_EXHAUSTED (ENOSPC: fs.epoll.max_user_watches).
   */
  add(fd: number, key: number, interest: Partial<Interest> = {}): void {
    const { readable = true, writable = false, edge = false } = interest;
    try {
      this.#native.readinessAdd(this.fd, fd, key, readable, writable, edge);
    } catch (error) {
      throw systemError(error, `watching descriptor ${fd}`);
    }
  }

  /** Watches a descriptor for something else, perhaps under another key. Throws ERR_SEALANE_SYSTEM (ENOENT: it is not watched). */
  change(fd: number, key: number, { readable, writable, edge = false }: Interest): void {
    try {
      this.#native.readinessChange(this.fd, fd, key, readable, writable, edge);
    } catch (error) {
      throw systemError(error, `watching descriptor ${fd} for something else`);
    }
  }

  /**
   * Watches a descriptor no longer. To be called before it is closed: while another process holds the same open file, the kernel goes
   * on telling its key. Throws ERR_SEALANE_SYSTEM (ENOENT: it is not watched; EBADF: it is closed).
   */
  remove(fd: number): void {
    try {
      this.#native.readinessRemove(this.fd, fd);
    } catch (error) {
      throw systemError(error, `no longer watching descriptor ${fd}`);
    }
  }

  /**
   * How many keys are ready, up to 64; the others are answered by the next call. Waits up to `timeoutMs` (an integer up to
   * {@link MAX_POLL_MS}, else a TypeError) for one, with the thread blocked: 0 looks only. 0 also when a signal ended the wait.
   */
  poll(timeoutMs: number): number {
    let count: number;
    try {
      count = this.#native.readinessPoll(this.fd, timeoutMs);
    } catch (error) {
      throw systemError(error, 'waiting for descriptors');
    }
    const { scratch } = this.#native;
    for (let i = 0; i < 2 * count; i++) this.#results[i] = scratch[i] as number;
    return count;
  }

  /** The i-th key of the last poll(), valid until the next. */
  key(index: number): number {
    return this.#results[2 * index] as number;
  }

  /** Whether the i-th of the last poll() can be read. */
  readable(index: number): boolean {
    return ((this.#results[2 * index + 1] as number) & READABLE) !== 0;
  }

  /** Whether the i-th of the last poll() can be written. */
  writable(index: number): boolean {
    return ((this.#results[2 * index + 1] as number) & WRITABLE) !== 0;
  }
}
