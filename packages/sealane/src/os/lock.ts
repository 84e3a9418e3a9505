/**
 * An exclusive lock on a file, flock(2): the kernel gives it up when its holder dies. Owns the descriptor. The file stays:
 * removing it would let two processes hold "the" lock.
 */
import { addon } from '../native/addon.js';
import { KernelObject } from './kernel-object.js';
import { systemError } from './system-error.js';

/** A lock that is held until it is closed. */
export class FileLock extends KernelObject {
  /**
   * Locks the file at `path`, which is made with mode 0600 if it is missing. Undefined: another process or another
   * FileLock holds it. Throws ERR_SEALANE_SYSTEM (ELOOP: the path is a symbolic link; EACCES, ENOENT, ...).
   */
  static tryAcquire(path: string): FileLock | undefined {
    try {
      const fd = addon().lockAcquire(path);
      return fd === -1 ? undefined : new FileLock(fd, 'the lock');
    } catch (error) {
      throw systemError(error, `locking ${path}`);
    }
  }
}
