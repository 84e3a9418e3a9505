/**
 * A second opening of a descriptor's file. A duplicate shares the file offset with its original, so that two programs that read(2)
 * would disturb each other; a reopened descriptor has an offset of its own. Owns nothing: the caller owns what is returned.
 */
import { constants, openSync } from 'node:fs';
import { addon } from '../native/addon.js';
import { systemError } from './system-error.js';

/**
 * Opens the file of a borrowed descriptor once more, close-on-exec: for reading and writing (which seals may forbid all the same),
 * or for reading where the file's mode allows no more. The caller owns the result. Throws ERR_SEALANE_EXHAUSTED when no
 * descriptor is left, ERR_SEALANE_SYSTEM (EACCES: whoever made the file took the permission away).
 */
export function reopen(fd: number): number {
  const opened = open(fd);
  addon().own(opened);
  return opened;
}

function open(fd: number): number {
  try {
    return openWith(fd, constants.O_RDWR);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw toSystemError(error, fd);
  }
  try {
    return openWith(fd, constants.O_RDONLY);
  } catch (error) {
    throw toSystemError(error, fd);
  }
}

/** Node.js adds O_CLOEXEC. */
function openWith(fd: number, flags: number): number {
  return openSync(`/proc/self/fd/${fd}`, flags);
}

/** Node.js numbers errors negatively. */
function toSystemError(error: unknown, fd: number): unknown {
  const { errno = 0 } = error as NodeJS.ErrnoException;
  return systemError(Object.assign(error as Error, { errno: Math.abs(errno) }), `reopening descriptor ${fd}`);
}
