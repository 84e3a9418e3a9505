/**
 * What an operator is told when the audit is not written: once when that begins, once when it is over, never more often than
 * every few seconds. Owns the episode and its timers, which keep no process alive.
 */

/** How long the broker may wait before that is told, in milliseconds: shorter stalls are what the buffer is for. */
const PATIENCE_MS = 1_000;

/** How long all must be well before that is told, in milliseconds: troubles that come one after the other are one. */
const CALM_MS = 5_000;

/** Says what is wrong, in one line. */
export type Say = (message: string) => void;

/** To the process's own channel of warnings. */
export function warnProcess(message: string): void {
  process.emitWarning(message, { type: 'SealaneWarning', code: 'SEALANE_AUDIT' });
}

export class Trouble {
  #began = false;
  #dropped = 0;
  #patience: NodeJS.Timeout | undefined;
  #calm: NodeJS.Timeout | undefined;

  constructor(
    private readonly say: Say,
    private readonly waits: boolean,
  ) {}

  /** A write failed. */
  failed(error: Error): void {
    this.#begin(`the audit can't be written: ${error.message}`);
  }

  /** The buffer is full. */
  full(): void {
    this.#unsettle();
    if (!this.waits || this.#patience !== undefined) return;
    this.#patience = setTimeout(() => this.#begin('nobody takes what the audit writes'), PATIENCE_MS);
    this.#patience.unref();
  }

  /** The buffer has room. */
  room(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  /** A line was dropped. */
  dropped(): void {
    this.#dropped++;
    this.#begin('the audit is not taken as fast as it is written');
  }

  /** Nothing waits to be written any more. */
  drained(): void {
    this.room();
    if (!this.#began || this.#calm !== undefined) return;
    this.#calm = setTimeout(() => this.#end(), CALM_MS);
    this.#calm.unref();
  }

  /** The broker ends; so many lines could not be written. */
  end(lost: number): void {
    this.room();
    this.#unsettle();
    if (lost > 0)
      this.say(`the broker ended, and ${lost} lines of the audit could not be written: they are lost`);
  }

  #begin(what: string): void {
    this.room();
    this.#unsettle();
    if (this.#began) return;
    this.#began = true;
    const consequence = this.waits
      ? 'the broker serves nobody once its buffer is full'
      : 'lines are dropped once the buffer is full';
    this.say(`${what}; ${consequence}`);
  }

  #end(): void {
    this.#unsettle();
    this.#began = false;
    this.say(`the audit is written again; ${this.#dropped} lines were dropped`);
    this.#dropped = 0;
  }

  #unsettle(): void {
    clearTimeout(this.#calm);
    this.#calm = undefined;
  }
}
