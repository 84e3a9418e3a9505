/**
 * Tells when a descriptor can be read or written, on the event loop (uv_poll). Owns the poll, not the descriptor: close
 * the watcher first. An open watcher that wants something keeps the event loop alive unless it is unref'd.
 */
import { closedError } from '../base/errors.js';
import { addon, type NativeHandle } from '../native/addon.js';
import { systemError } from './system-error.js';

/** Watches one borrowed descriptor; a thread can have one watcher a descriptor. */
export class Watcher implements Disposable {
  #poll: NativeHandle | undefined;

  /**
   * Wants nothing at first. `onReady` runs on the event loop as long as what is wanted holds (level-triggered); an error
   * or the end of the connection counts as both. What it throws becomes an uncaught exception. The descriptor becomes
   * non-blocking. Throws ERR_SEALANE_SYSTEM (EPERM: a file that can't be polled; EEXIST: watched already).
   */
  constructor(fd: number, onReady: (readable: boolean, writable: boolean) => void) {
    try {
      this.#poll = addon().pollOpen(fd, onReady);
    } catch (error) {
      throw systemError(error, `watching descriptor ${fd}`);
    }
  }

  /** Says what to wait for from now on; (false, false) waits for nothing. Throws ERR_SEALANE_CLOSED. */
  want(readable: boolean, writable: boolean): void {
    try {
      addon().pollWant(this.#open(), readable, writable);
    } catch (error) {
      throw systemError(error, 'waiting for a descriptor');
    }
  }

  /** Keeps the event loop alive while something is wanted: the default. Throws ERR_SEALANE_CLOSED. */
  ref(): void {
    addon().pollRef(this.#open(), true);
  }

  /** Lets the event loop end in spite of it. Throws ERR_SEALANE_CLOSED. */
  unref(): void {
    addon().pollRef(this.#open(), false);
  }

  /** Stops; no callback comes after it. The descriptor may be closed right after. Idempotent. */
  close(): void {
    const poll = this.#poll;
    this.#poll = undefined;
    if (poll !== undefined) addon().pollClose(poll);
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }

  #open(): NativeHandle {
    if (this.#poll === undefined) throw closedError('the watcher');
    return this.#poll;
  }
}
