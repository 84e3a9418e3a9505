// Compares several sides in one run: A B C, A B C, ... so that a machine that warms up, throttles or gets a
// noisy neighbour does it to all sides alike. The ratio is taken within each round, then its median over rounds.
import { type Histogram, histogramOf } from './histogram.js';
import { median, type Summary, summarize } from './statistics.js';

/** One thing to measure. `run` does one batch and answers one sample per operation, all sides in one unit. */
export interface Side {
  readonly name: string;
  run(): Promise<readonly number[]>;
}

export interface InterleaveOptions {
  readonly rounds: number;
  /** Rounds that are run first and thrown away: code gets compiled, memory gets faulted in. */
  readonly warmup: number;
  /** Called before each round, with its number and the number of all rounds. */
  readonly onRound?: (round: number, rounds: number) => void;
}

export class Interleaved {
  readonly #rounds: ReadonlyMap<string, readonly (readonly number[])[]>;

  constructor(rounds: ReadonlyMap<string, readonly (readonly number[])[]>) {
    this.#rounds = rounds;
  }

  #roundsOf(name: string): readonly (readonly number[])[] {
    const rounds = this.#rounds.get(name);
    if (rounds === undefined) throw new Error(`there is no side called ${name} in this measurement`);
    return rounds;
  }

  has(name: string): boolean {
    return this.#rounds.has(name);
  }

  /** Percentiles over every sample of one side. */
  summary(name: string): Summary {
    return summarize(this.#roundsOf(name).flat());
  }

  /** Over every sample of one side. */
  histogram(name: string): Histogram {
    return histogramOf(this.#roundsOf(name).flat());
  }

  /** The median over rounds of (median of `numerator` / median of `denominator`) within the round. */
  ratio(numerator: string, denominator: string): number {
    const below = this.#roundsOf(denominator);
    const ratios = this.#roundsOf(numerator).map(
      (above, round) => median(above) / median(below[round] ?? []),
    );
    return median(ratios);
  }
}

export async function interleave(sides: readonly Side[], options: InterleaveOptions): Promise<Interleaved> {
  const collected = new Map<string, (readonly number[])[]>(sides.map((side) => [side.name, []]));
  const total = options.warmup + options.rounds;
  for (let round = 0; round < total; round++) {
    options.onRound?.(round + 1, total);
    for (const side of sides) {
      const samples = await side.run();
      if (round >= options.warmup) collected.get(side.name)?.push(samples);
    }
  }
  return new Interleaved(collected);
}
