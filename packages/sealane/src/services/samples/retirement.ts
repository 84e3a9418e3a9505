/**
 * When a publisher that has grown looks which of its old segments are still needed: while control is served, and by a timer while nothing
 * is sent, less and less often. Owns the timer, which keeps no event loop alive.
 */
import type { ControlLoop } from '../pairs/control.js';

/** The first look after a growth, in milliseconds; each next one takes twice as long, up to the longest. */
const FIRST_LOOK_MS = 50;
const MAX_LOOK_MS = 1_600;

export class Retirement implements Disposable {
  readonly #collect: () => boolean;
  readonly #endServe: () => void;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = FIRST_LOOK_MS;

  /** `collect` gives back what is not needed, and says whether old segments are left. It must not throw. */
  constructor(loop: ControlLoop, collect: () => boolean) {
    this.#collect = collect;
    this.#endServe = loop.onServe(() => this.#look());
  }

  /** There is an old segment. */
  begin(): void {
    this.#waitMs = FIRST_LOOK_MS;
    clearTimeout(this.#timer);
    this.#schedule();
  }

  close(): void {
    this.#endServe();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#onTimer(), this.#waitMs).unref();
  }

  #onTimer(): void {
    this.#waitMs = Math.min(this.#waitMs * 2, MAX_LOOK_MS);
    this.#timer = undefined;
    if (this.#collect()) this.#schedule();
  }

  /** Only while there are old ones: the timer runs for as long. */
  #look(): void {
    if (this.#timer === undefined || this.#collect()) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
