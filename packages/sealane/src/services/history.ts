/** The last samples of a publisher, for subscribers that come late. Owns a reference to each of their slots. */
import type { SlotPool } from '../shm/slot-pool.js';

/** A fixed number of slots, the oldest first. */
export class History {
  readonly #pool: SlotPool;
  readonly #slots: Int32Array;
  #oldest = 0;
  #length = 0;

  constructor(pool: SlotPool, capacity: number) {
    this.#pool = pool;
    this.#slots = new Int32Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Keeps a slot; the oldest is let go when there are too many. */
  add(slot: number): void {
    const capacity = this.#slots.length;
    if (capacity === 0) return;
    this.#pool.retain(slot);
    if (this.#length < capacity) {
      this.#slots[(this.#oldest + this.#length) % capacity] = slot;
      this.#length += 1;
      return;
    }
    this.#pool.release(this.#slots[this.#oldest] as number);
    this.#slots[this.#oldest] = slot;
    this.#oldest = (this.#oldest + 1) % capacity;
  }

  /** The last `count` slots, or as many as there are, the oldest first. */
  last(count: number): number[] {
    const first = Math.max(0, this.#length - count);
    return Array.from(
      { length: this.#length - first },
      (_, index) => this.#slots[(this.#oldest + first + index) % this.#slots.length] as number,
    );
  }

  /** Lets all go. */
  clear(): void {
    for (const slot of this.last(this.#length)) this.#pool.release(slot);
    this.#length = 0;
  }
}
