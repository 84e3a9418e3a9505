/** Steps that come no faster than wanted, and that let everything else run now and then. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Turns } from './participate.js';

export class Pace {
  readonly #signal: AbortSignal;
  readonly #gapMs: number;
  readonly #fromMs = performance.now();
  readonly #turns = new Turns();

  /** `rate`: most steps a second; undefined: as many as there can be. */
  constructor(rate: number | undefined, signal: AbortSignal) {
    this.#signal = signal;
    this.#gapMs = rate === undefined ? 0 : 1_000 / rate;
  }

  /** Undefined when the step of this number, from 0, may come now; else what to await before. Rejects when the signal fires. */
  due(step: number): Promise<void> | undefined {
    const aheadMs = this.#fromMs + step * this.#gapMs - performance.now();
    // Timers count in milliseconds: at higher rates several steps follow each other, and then a pause.
    if (this.#gapMs > 0 && aheadMs >= 1) return sleep(aheadMs, undefined, { signal: this.#signal });
    return this.#turns.due ? this.#turns.give(this.#signal) : undefined;
  }
}
