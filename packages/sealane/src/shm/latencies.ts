/**
 * How long samples were under way: a histogram with steps of an eighth, and who fills it. Owns nothing; the cells lie in the memory of a port's figures.
 * Which samples are measured says nothing of how long they took: those that ended a sleep, and now and then one of the others.
 */
import { monotonicNs } from '../os/index.js';
import { LATENCY_BUCKETS, LATENCY_STEPS } from './layout.js';

const TWO_TO_32 = 0x1_0000_0000;
/** log2 of the steps. */
const STEP_BITS = 31 - Math.clz32(LATENCY_STEPS);

/** The bucket of a time in nanoseconds, 0 or more. */
export function latencyBucket(ns: number): number {
  if (ns < LATENCY_STEPS) return Math.floor(ns);
  const exponent =
    ns < TWO_TO_32 ? 31 - Math.clz32(ns) : 63 - Math.clz32(Math.min(ns / TWO_TO_32, TWO_TO_32 - 1));
  const step = Math.floor(ns / 2 ** (exponent - STEP_BITS)) - LATENCY_STEPS;
  return Math.min((exponent - STEP_BITS + 1) * LATENCY_STEPS + step, LATENCY_BUCKETS - 1);
}

/** Where a bucket begins, in nanoseconds. The end of one is the begin of the next. */
export function latencyBegin(bucket: number): number {
  if (bucket < LATENCY_STEPS) return bucket;
  const exponent = Math.floor(bucket / LATENCY_STEPS) + STEP_BITS - 1;
  return (LATENCY_STEPS + (bucket % LATENCY_STEPS)) * 2 ** (exponent - STEP_BITS);
}

/** The time below which that share of what was counted lies, in nanoseconds: the middle of its bucket. Undefined: nothing was counted. */
export function latencyQuantile(cells: ArrayLike<number>, share: number): number | undefined {
  let total = 0;
  for (let bucket = 0; bucket < cells.length; bucket++) total += cells[bucket] as number;
  if (!(total > 0)) return undefined;
  let left = total * share;
  let last = 0;
  for (let bucket = 0; bucket < cells.length; bucket++) {
    const count = cells[bucket] as number;
    if (count === 0) continue;
    last = bucket;
    left -= count;
    if (left <= 0) break;
  }
  return (latencyBegin(last) + latencyBegin(last + 1)) / 2;
}

/** Measures samples of one subscriber while somebody looks. */
export class LatencyMeter {
  readonly #cells: Float64Array;

  constructor(cells: Float64Array) {
    this.#cells = cells;
  }

  /**
   * A sample was taken; the time at which it was sent is in two words from `at`. A publisher that states no time, or one to come, is not
   * measured.
   */
  count(words: Int32Array, at: number): void {
    const sentNs = ((words[at + 1] as number) >>> 0) * TWO_TO_32 + ((words[at] as number) >>> 0);
    if (sentNs === 0) return;
    const ns = monotonicNs() - sentNs;
    if (!(ns >= 0)) return;
    const bucket = latencyBucket(ns);
    this.#cells[bucket] = (this.#cells[bucket] as number) + 1;
  }
}
