/**
 * How the memory of a publisher grows: the payload for which the next segment has room. Pure.
 */

/**
 * How large the next segment is when a sample is larger than the slots of the newest: `bestFit`: as the sample asks for, so that every
 * larger one makes another segment; `powerOfTwo`: the next power of two, so that there are few; `static`: there is no next segment.
 */
export type GrowthStrategy = 'static' | 'bestFit' | 'powerOfTwo';

/** All strategies. */
export const STRATEGIES: readonly GrowthStrategy[] = ['static', 'bestFit', 'powerOfTwo'];

/** Slots are rounded up to cache lines, whatever their payload: to use that room costs nothing. */
const LINE_BYTES = 64;

/** Room for one payload, in bytes, in a segment that is made for a sample of `bytes`: at least that, at most `maxBytes`. */
export function roomFor(strategy: GrowthStrategy, bytes: number, maxBytes: number): number {
  if (strategy === 'static') return bytes;
  const room = strategy === 'bestFit' ? Math.ceil(bytes / LINE_BYTES) * LINE_BYTES : powerAtLeast(bytes);
  return Math.min(maxBytes, room);
}

function powerAtLeast(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, bytes)));
}
