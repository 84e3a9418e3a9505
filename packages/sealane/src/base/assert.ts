/** Assertions for our own invariants. What a peer or a caller sends is validated elsewhere, with an error for them. */
import { SealaneError } from './errors.js';

/** Throws ERR_SEALANE_INTERNAL unless the condition holds: whatever fails here is a bug of ours. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition)
    throw new SealaneError('ERR_SEALANE_INTERNAL', `assertion failed: ${message} (please report this)`);
}
