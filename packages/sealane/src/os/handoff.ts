/**
 * Hands descriptors from one thread of this process to another, by a key that can be posted as a message. The table is
 * process-wide and native; it owns a duplicate of each offer until it is taken, withdrawn, or its thread ends.
 */
import { SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { systemError } from './system-error.js';

/** Most offers that wait at a time, in the whole process: each holds a descriptor, so forgotten ones must not pile up. */
export const MAX_OFFERS = 4_096;

/**
 * Offers a duplicate of a borrowed descriptor. Returns the key, 32 hexadecimal digits that can't be guessed. Throws
 * ERR_SEALANE_LIMIT_EXCEEDED when 4096 offers wait, ERR_SEALANE_EXHAUSTED when no descriptor is left.
 */
export function offerDescriptor(fd: number): string {
  let key: string | undefined;
  try {
    key = addon().handoffOffer(fd);
  } catch (error) {
    throw systemError(error, `offering descriptor ${fd} to another thread`);
  }
  if (key !== undefined) return key;
  const message = `${MAX_OFFERS} descriptors wait to be taken by other threads: take or withdraw some`;
  throw new SealaneError('ERR_SEALANE_LIMIT_EXCEEDED', message);
}

/**
 * The descriptor of an offer, which the caller owns from now on; until closeDescriptor or releaseDescriptor it is also closed
 * when this thread ends. Undefined: unknown, taken, withdrawn, or its thread ended.
 */
export function takeDescriptor(key: string): number | undefined {
  const fd = addon().handoffTake(key);
  return fd === -1 ? undefined : fd;
}

/** Withdraws an offer and closes its duplicate. False when it was not there any more. */
export function withdrawDescriptor(key: string): boolean {
  return addon().handoffWithdraw(key);
}
