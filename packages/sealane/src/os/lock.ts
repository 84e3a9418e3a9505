/**
 * An exclusive lock on a file, flock(2): the kernel gives it up when its holder dies. Owns the descriptor. The file stays:
 * removing it would let two processes hold "the" lock.
 */
import { addon } from '../native/addon.js';
import { closeDescriptor } from './descriptor.js';
import { systemError } from './system-error.js';

/** A lock that is held. */
export class FileLock implements Disposable {
  #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Locks the file at `path`, which is made with mode 0600 if it is missing. Undefined: another process or another
   * FileLock holds it. Throws ERR_SEALANE_SYSTEM (ELOOP: the path is a symbolic link; EACCES, ENOENT, ...).
   */
  static tryAcquire(path: string): FileLock | undefined {
    try {
      const fd = addon().lockAcquire(path);
      return fd === -1 ? undefined : new FileLock(fd);
    } catch (error) {
      throw systemError(error, `locking ${path}`);
    }
  }

  /** Whether the lock was given up. */
  get closed(): boolean {
    return this.#fd === -1;
  }

  /** Gives the lock up. Idempotent. */
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
