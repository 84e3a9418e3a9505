/**
 * The checked tier: a fresh object for each sample, which refuses any use after its end, also when the slot's own object serves
 * another sample by then; and which the garbage collector releases and reports when it is forgotten. Owns nothing else.
 */
import { type HotLoan, type Loan, notOnLoan } from './loan.js';
import { type HotSample, released, type Sample, type SampleHeader } from './received.js';

/** A sample's own object and which of its lives is meant. */
interface Held<T extends { readonly generation: number }> {
  readonly object: T;
  readonly generation: number;
}

/** What is watched for being forgotten. */
interface Watchable {
  readonly live: boolean;
  /** Registers it with the garbage collector. */
  watch(): void;
}

/** Samples that were forgotten, by all ports of this thread. */
const forgotten = { count: 0 };

const loans = new FinalizationRegistry<Held<HotLoan>>((held) => reclaim(held, 'send() or release()'));
const samples = new FinalizationRegistry<Held<HotSample>>((held) => reclaim(held, 'release()'));

function reclaim({ object, generation }: Held<HotLoan | HotSample>, method: string): void {
  if (object.generation !== generation) return;
  object.forget();
  noteForgotten(method);
}

/** One has come back through the garbage collector. A warning for the first one: whoever forgets samples forgets many. */
export function noteForgotten(method: string): void {
  forgotten.count += 1;
  if (forgotten.count > 1) return;
  process.emitWarning(
    `a sample was forgotten and has come back through the garbage collector: call ${method}, or declare it with using`,
    { type: 'SealaneWarning', code: 'SEALANE_SAMPLE_FORGOTTEN' },
  );
}

/**
 * Registers samples with the garbage collector that are still held when the next one comes: registering takes ten times as long as all
 * the rest, and most samples are gone by then. Keeps the newest one alive until that.
 */
export class ForgottenWatch {
  #newest: Watchable | undefined;

  /** A new sample. */
  add(newest: Watchable): void {
    this.settle();
    this.#newest = newest;
  }

  /** The same, where the one before was settled. */
  keep(newest: Watchable): void {
    this.#newest = newest;
  }

  /** Nothing new may come for a while. */
  settle(): void {
    if (this.#newest?.live === true) this.#newest.watch();
    this.#newest = undefined;
  }
}

/** A loan that can't be mistaken for a later one of the same slot. */
export class CheckedLoan implements Loan {
  readonly #loan: HotLoan;
  readonly #generation: number;

  constructor(loan: HotLoan) {
    this.#loan = loan;
    this.#generation = loan.generation;
  }

  get live(): boolean {
    return this.#loan.generation === this.#generation;
  }

  watch(): void {
    loans.register(this, { object: this.#loan, generation: this.#generation });
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#live().bytes;
  }

  get userHeader(): Uint8Array<ArrayBuffer> {
    return this.#live().userHeader;
  }

  setSourceTimestamp(ns: bigint): void {
    this.#live().setSourceTimestamp(ns);
  }

  send(): number {
    return this.#live().send();
  }

  async sendAsync(options?: { readonly signal?: AbortSignal }): Promise<number> {
    return this.#live().sendAsync(options);
  }

  release(): void {
    if (this.live) this.#loan.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #live(): HotLoan {
    if (this.#loan.generation !== this.#generation) throw notOnLoan();
    return this.#loan;
  }
}

/** A received sample that can't be mistaken for a later one of the same slot. */
export class CheckedSample implements Sample {
  readonly missed: number;
  readonly #sample: HotSample;
  readonly #generation: number;

  constructor(sample: HotSample) {
    this.#sample = sample;
    this.#generation = sample.generation;
    this.missed = sample.missed;
  }

  get live(): boolean {
    return this.#sample.generation === this.#generation;
  }

  watch(): void {
    samples.register(this, { object: this.#sample, generation: this.#generation });
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#live().bytes;
  }

  get userHeader(): Uint8Array<ArrayBuffer> {
    return this.#live().userHeader;
  }

  get header(): SampleHeader {
    return this.#live().header;
  }

  release(): void {
    if (this.live) this.#sample.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #live(): HotSample {
    if (this.#sample.generation !== this.#generation) throw released();
    return this.#sample;
  }
}
