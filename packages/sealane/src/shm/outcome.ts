/** What the structures in shared memory answer instead of a slot. Numbers, because the data path allocates nothing. */

/** Nothing is there, or nobody gave way. */
export const NONE = -1;
/** The ring holds as many as it may. */
export const FULL = -2;
/** The other side wrote what can't be: whoever reads this ends the connection. */
export const CORRUPT = -3;

/** Most slots in one pool: an index is a small integer, and a byte a slot and connection stays affordable. */
export const MAX_SLOTS = 1_048_576;

/** The least power of two that is not below `count`, which is from 1 to 2^30. */
export function powerOfTwo(count: number): number {
  return 1 << (32 - Math.clz32(count - 1));
}
