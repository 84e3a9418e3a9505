/** The last samples of a publisher, for subscribers that come late. Owns a reference to each of their slots. */

/** Who keeps count of those that need a slot. */
export interface SlotHolder {
  retain(cell: number): void;
  release(cell: number): void;
}

/** A fixed number of slots, by the cells that name them, the oldest first. */
export class History {
  readonly #holder: SlotHolder;
  readonly #cells: Int32Array;
  #oldest = 0;
  #length = 0;

  constructor(holder: SlotHolder, capacity: number) {
    this.#holder = holder;
    this.#cells = new Int32Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Keeps a slot; the oldest is let go when there are too many. */
  add(cell: number): void {
    const capacity = this.#cells.length;
    if (capacity === 0) return;
    this.#holder.retain(cell);
    if (this.#length < capacity) {
      this.#cells[(this.#oldest + this.#length) % capacity] = cell;
      this.#length += 1;
      return;
    }
    this.#holder.release(this.#cells[this.#oldest] as number);
    this.#cells[this.#oldest] = cell;
    this.#oldest = (this.#oldest + 1) % capacity;
  }

  /** The cells of the last `count` slots, or as many as there are, the oldest first. */
  last(count: number): number[] {
    const first = Math.max(0, this.#length - count);
    return Array.from(
      { length: this.#length - first },
      (_, index) => this.#cells[(this.#oldest + first + index) % this.#cells.length] as number,
    );
  }

  /** Lets all go. */
  clear(): void {
    for (const cell of this.last(this.#length)) this.#holder.release(cell);
    this.#length = 0;
  }
}
