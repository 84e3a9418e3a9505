// How often samples of each size came: buckets whose bounds grow by a constant factor, so that a latency's tail has
// room beside its bulk. Pure; the unit is the samples' own.

/** Buckets from one size to its double: bounds 9 % apart. */
const BUCKETS_PER_DOUBLING = 8;

/** One bucket: its lower bound (the upper one is 2^(1/8) times that), and how many samples fell in. */
export type Bucket = readonly [low: number, count: number];

/** Buckets in ascending order; empty ones between are left out. */
export type Histogram = readonly Bucket[];

function lowerBound(index: number): number {
  return Number((2 ** (index / BUCKETS_PER_DOUBLING)).toPrecision(6));
}

/** The bound above a bucket's samples. */
export function upperBound([low]: Bucket): number {
  return low * 2 ** (1 / BUCKETS_PER_DOUBLING);
}

/** Samples at or below zero, which a clock too coarse for them yields, are left out: they have no logarithm. */
export function histogramOf(samples: readonly number[]): Histogram {
  const counts = new Map<number, number>();
  for (const sample of samples) {
    if (sample <= 0) continue;
    const index = Math.floor(Math.log2(sample) * BUCKETS_PER_DOUBLING);
    counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a - b).map(([index, count]) => [lowerBound(index), count] as const);
}
