/**
 * SIGINT and SIGTERM: the first asks the command to end and clean up, the second ends the process at once.
 */
import { setMaxListeners } from 'node:events';
import { Interruption } from './failure.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Listens from its creation until it is disposed. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #onSignal = (signal: NodeJS.Signals) => this.#handle(signal);

  constructor() {
    // Every process that is waited for listens: their number is no sign of a leak.
    setMaxListeners(0, this.signal);
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Aborted by the first signal; its reason is an {@link Interruption}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves with the first signal. */
  wait(): Promise<Interruption> {
    return new Promise((resolve) => {
      const done = () => resolve(this.signal.reason as Interruption);
      if (this.signal.aborted) done();
      else this.signal.addEventListener('abort', done, { once: true });
    });
  }

  #handle(signal: NodeJS.Signals): void {
    if (this.signal.aborted) {
      this.release();
      // The default action, not process.exit: that would wait for threads that may be blocked in a read.
      process.kill(process.pid, signal);
    } else {
      this.#controller.abort(new Interruption(signal));
    }
  }

  /**
   * Gives the signals their default action back: they end the process at once. For writing to a pipe whose
   * reader may stall: such a write blocks the event loop, and no listener would run.
   */
  release(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
