/**
 * An object of the kernel that is nothing but its descriptor. Owns the descriptor, which is on the addon's record: it is closed at the
 * latest when the thread's environment ends.
 */
import { closedError } from '../base/errors.js';
import { closeDescriptor } from './descriptor.js';

/** What such classes share. */
export abstract class KernelObject implements Disposable {
  #fd: number;
  readonly #what: string;

  /** Takes a descriptor that is on record. `what` names the object in errors. */
  protected constructor(fd: number, what: string) {
    this.#fd = fd;
    this.#what = what;
  }

  /** The descriptor, which stays this object's. Throws ERR_SEALANE_CLOSED. */
  get fd(): number {
    if (this.#fd === -1) throw closedError(this.#what);
    return this.#fd;
  }

  /** Whether close() was called. */
  get closed(): boolean {
    return this.#fd === -1;
  }

  /** Closes the descriptor. A Watcher of it is closed first. Idempotent. */
  close(): void {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#fd = -1;
    closeDescriptor(fd);
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }
}
