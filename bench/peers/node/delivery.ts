// What the ways of delivering bytes to other processes have in common: what a producer can do, and how it waits for the
// consumers' answers.

/** One way of delivering, with its consumers started and waiting. */
export interface Delivery {
  /** Resolves with the bytes that each consumer says it has looked at, once all have answered. */
  deliver(payload: Uint8Array): Promise<readonly number[]>;
  /** Tidies up after a delivery; not timed. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Collects one number from each of `count` consumers per delivery. */
export class Answers {
  readonly #count: number;
  #seen: number[] = [];
  #resolve: ((seen: readonly number[]) => void) | undefined;

  constructor(count: number) {
    this.#count = count;
  }

  /** Call before anything is sent. */
  next(): Promise<readonly number[]> {
    this.#seen = [];
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  add(bytes: number): void {
    this.#seen.push(bytes);
    if (this.#seen.length === this.#count) this.#resolve?.(this.#seen);
  }
}
