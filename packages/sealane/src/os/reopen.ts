/**
 * A second opening of a descriptor's file. A duplicate shares the file offset with its original, so that two programs that read(2)
 * would disturb each other; a reopened descriptor has an offset of its own. Owns nothing: the caller owns what is returned. Whoever
 * made the file may have a lease on it, for which nobody here waits.
 */
import { addon } from '../native/addon.js';
import { duplicate } from './descriptor.js';
import { isNativeError, systemError } from './system-error.js';

/**
 * Opens the file of a borrowed descriptor once more, close-on-exec: for reading and writing (which seals may forbid all the same),
 * or for reading where the file's mode or a lease allows no more. The caller owns the result. Throws ERR_SEALANE_EXHAUSTED when no
 * descriptor is left, ERR_SEALANE_SYSTEM (EACCES: whoever made the file took the permission away; EAGAIN: they hold a lease on it).
 */
export function reopen(fd: number): number {
  const native = addon();
  try {
    return native.reopen(fd, true);
  } catch (error) {
    if (!isNativeError(error, 'EACCES') && !isNativeError(error, 'EAGAIN')) throw toSystemError(error, fd);
  }
  try {
    return native.reopen(fd, false);
  } catch (error) {
    throw toSystemError(error, fd);
  }
}

/**
 * Opens it for reading only, as {@link reopen}; where that can't be, because /proc is missing or the file's mode or a lease forbids it,
 * a duplicate, which does share the offset. Throws as {@link duplicate}.
 */
export function reopenToRead(fd: number): number {
  const native = addon();
  try {
    return native.reopen(fd, false);
  } catch {
    const copy = duplicate(fd);
    native.own(copy);
    return copy;
  }
}

function toSystemError(error: unknown, fd: number): unknown {
  return systemError(error, `reopening descriptor ${fd}`);
}
