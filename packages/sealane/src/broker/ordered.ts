/**
 * Objects in the order of their ids. Ids only grow, so what is put is appended, the newest is the last, and a position is
 * found by halving. A dropped object stays as a tombstone until it is last, or until half of all are tombstones: dropping
 * costs constant time on average, wherever the object stands. Owns nothing.
 */
import type { StoredObject } from './object.js';

/** A list up to this length is swept at once: it costs next to nothing, and most names have few versions. */
const SHORT = 16;

export class OrderedObjects {
  #items: StoredObject[] = [];
  #tombstones = 0;

  /** Objects that are not dropped. */
  get size(): number {
    return this.#items.length - this.#tombstones;
  }

  /** The object with the greatest id. */
  get newest(): StoredObject | undefined {
    return this.#items.at(-1);
  }

  /** Puts an object where its id belongs: at the end nearly always (a digest that is computed late comes in between). */
  add(object: StoredObject): void {
    const newest = this.newest;
    if (newest === undefined || newest.id < object.id) this.#items.push(object);
    else this.#items.splice(this.positionAfter(object.id), 0, object);
  }

  /** Forgets an object that was added. It must be marked as dropped already. */
  remove(): void {
    this.#tombstones++;
    while (this.#items.at(-1)?.dropped) {
      this.#items.pop();
      this.#tombstones--;
    }
    if (this.#tombstones === 0) return;
    if (this.#items.length <= SHORT || this.#tombstones * 2 > this.#items.length) this.#sweep();
  }

  /** The first position whose id is greater than `id`. Valid until the next change. */
  positionAfter(id: number): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = this.#items[middle];
      if (item !== undefined && item.id <= id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What stands at a position: undefined behind the end. It may be dropped. */
  at(position: number): StoredObject | undefined {
    return this.#items[position];
  }

  #sweep(): void {
    this.#items = this.#items.filter((item) => !item.dropped);
    this.#tombstones = 0;
  }
}
