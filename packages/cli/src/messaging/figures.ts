/**
 * What is measured of the samples of a service, for each of its publishers, in one stretch of time after another. Pure: it is told of
 * samples and of the time, and keeps a few numbers.
 */

/** Least, mean, greatest and standard deviation of some numbers. */
export interface Spread {
  readonly min: number;
  readonly mean: number;
  readonly max: number;
  readonly stddev: number;
}

/** What came in one stretch of time. */
export interface Figures {
  /** Samples that were received. */
  readonly samples: number;
  /** Samples that were sent and did not arrive. */
  readonly missed: number;
  /** Payload of the samples that were received. */
  readonly bytes: number;
  /** Microseconds between neighbouring samples of one publisher; undefined where there were none. */
  readonly intervalUs: Spread | undefined;
  /** Bytes of a sample; undefined where there were none. */
  readonly sampleBytes: Spread | undefined;
}

/** The same, of one publisher. */
export interface PublisherFigures extends Figures {
  readonly node: string;
  readonly publisher: number;
  readonly pid: number;
}

/** All publishers in one stretch of time. */
export interface Measurement extends Figures {
  readonly seconds: number;
  readonly publishers: readonly PublisherFigures[];
}

/** What is told of a sample. */
export interface MeasuredSample {
  readonly node: string;
  readonly publisher: number;
  readonly pid: number;
  readonly bytes: number;
  readonly missed: number;
  /** When it was sent; when it came, if that is unknown. */
  readonly timeNs: bigint;
}

/** Collects numbers one by one (Welford's method: no sum of squares that loses its digits). */
class Distribution {
  #count = 0;
  #mean = 0;
  #squares = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  add(value: number): void {
    this.#count += 1;
    const distance = value - this.#mean;
    this.#mean += distance / this.#count;
    this.#squares += distance * (value - this.#mean);
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
  }

  get spread(): Spread | undefined {
    if (this.#count === 0) return undefined;
    const stddev = Math.sqrt(this.#squares / this.#count);
    return { min: this.#min, mean: this.#mean, max: this.#max, stddev };
  }
}

class Tally {
  #samples = 0;
  #missed = 0;
  #bytes = 0;
  readonly #intervals = new Distribution();
  readonly #sizes = new Distribution();

  add({ bytes, missed }: MeasuredSample, intervalUs: number | undefined): void {
    this.#samples += 1;
    this.#missed += missed;
    this.#bytes += bytes;
    this.#sizes.add(bytes);
    if (intervalUs !== undefined) this.#intervals.add(intervalUs);
  }

  get figures(): Figures {
    return {
      ...{ samples: this.#samples, missed: this.#missed, bytes: this.#bytes },
      intervalUs: this.#intervals.spread,
      sampleBytes: this.#sizes.spread,
    };
  }
}

interface Source {
  readonly node: string;
  readonly publisher: number;
  readonly pid: number;
  tally: Tally;
  lastNs: bigint;
}

/** Measures one stretch of time after another. */
export class Meter {
  #total = new Tally();
  readonly #sources = new Map<string, Source>();
  #last: Source | undefined;

  /** One more sample came. */
  add(sample: MeasuredSample): void {
    const source = this.#sourceOf(sample);
    // Between two that are no neighbours lies more than one interval.
    const neighbours = source.lastNs !== 0n && sample.missed === 0;
    const intervalUs = neighbours ? Number(sample.timeNs - source.lastNs) / 1_000 : undefined;
    source.lastNs = sample.timeNs;
    source.tally.add(sample, intervalUs);
    this.#total.add(sample, intervalUs);
  }

  /** What came since the last call. A publisher that was silent for all of it is told once more, and then forgotten. */
  take(seconds: number): Measurement {
    const publishers: PublisherFigures[] = [];
    for (const [key, source] of this.#sources) {
      const { node, publisher, pid, tally } = source;
      publishers.push({ node, publisher, pid, ...tally.figures });
      if (tally.figures.samples === 0) this.#sources.delete(key);
      source.tally = new Tally();
    }
    this.#last = undefined;
    const measurement = { seconds, ...this.#total.figures, publishers };
    this.#total = new Tally();
    return measurement;
  }

  #sourceOf({ node, publisher, pid }: MeasuredSample): Source {
    if (this.#last?.publisher === publisher && this.#last.node === node) return this.#last;
    const key = `${node}:${publisher}`;
    const source = this.#sources.get(key) ?? { node, publisher, pid, tally: new Tally(), lastNs: 0n };
    this.#sources.set(key, source);
    this.#last = source;
    return source;
  }
}
