/**
 * Which slots of a publisher's memory are free, and who still needs the others. Owns that record, in private memory: no peer can change it.
 * A slot is free when nobody needs it: not the loan, not the history, and no subscriber.
 */
import { NONE } from './outcome.js';

/** The slots of one publisher. */
export class SlotPool {
  /** How many there are. */
  readonly slots: number;
  readonly #warm: number;
  /** How many need the slot; 0: it is free. */
  readonly #references: Int32Array;
  /** Free slots that were used before; the one that came back last is on top, since its memory is in the cache. */
  readonly #free: Int32Array;
  #freeCount = 0;
  /** Slots from here on were never used: their memory does not exist yet. */
  #fresh = 0;

  /** `warm`: so many slots are used freely before anybody is asked what came back. Fewer touch less memory, more ask less often. */
  constructor(slots: number, warm: number) {
    this.slots = slots;
    this.#warm = Math.min(slots, warm);
    this.#references = new Int32Array(slots);
    this.#free = new Int32Array(slots);
  }

  /** Slots that somebody needs. */
  get used(): number {
    return this.#fresh - this.#freeCount;
  }

  /** A free slot, with one reference, or NONE: it is time to look for what came back. */
  take(): number {
    const left = this.#freeCount - 1;
    if (left < 0) return this.#fresh < this.#warm ? this.takeAny() : NONE;
    const slot = this.#free[left] as number;
    this.#freeCount = left;
    this.#references[slot] = 1;
    return slot;
  }

  /** A free slot even if its memory is new, with one reference, or NONE: all are needed. */
  takeAny(): number {
    let slot: number;
    if (this.#freeCount > 0) {
      this.#freeCount -= 1;
      slot = this.#free[this.#freeCount] as number;
    } else if (this.#fresh < this.slots) {
      slot = this.#fresh;
      this.#fresh += 1;
    } else return NONE;
    this.#references[slot] = 1;
    return slot;
  }

  /** One more needs the slot, which somebody needs already. */
  retain(slot: number): void {
    this.#references[slot] = (this.#references[slot] as number) + 1;
  }

  /** One that needed it does no more. */
  release(slot: number): void {
    const left = (this.#references[slot] as number) - 1;
    this.#references[slot] = left;
    if (left !== 0) return;
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
  }
}
