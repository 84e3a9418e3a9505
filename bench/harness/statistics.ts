// Summaries of measured samples: percentiles by nearest rank and medians. Pure; what a sample means
// (microseconds, bytes) is the caller's business.

export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

function ascending(samples: readonly number[]): number[] {
  return [...samples].sort((a, b) => a - b);
}

function atRank(sorted: readonly number[], fraction: number): number {
  const rank = Math.max(1, Math.ceil(fraction * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The middle value, or the mean of the two middle ones; NaN for no samples. */
export function median(samples: readonly number[]): number {
  const sorted = ascending(samples);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  if (sorted.length % 2 === 1) return upper;
  return ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Nearest-rank percentiles: with few samples the high ones are simply the largest sample. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = ascending(samples);
  return {
    count: sorted.length,
    p50: median(sorted),
    p99: atRank(sorted, 0.99),
    p999: atRank(sorted, 0.999),
  };
}
