/**
 * The ring that carries released slots back from a subscriber to the publisher. One side each; neither owns the memory. The reader, in
 * the publisher, trusts nothing in it, and keeps its own position. Why the accesses suffice: as in submission.ts.
 */
import { type ChannelShape, completionTailAt, WORD_BYTES } from './channel.js';
import { CORRUPT, NONE } from './outcome.js';

/** The subscriber's half. */
export class CompletionWriter {
  readonly #words: Int32Array;
  readonly #tailAt: number;
  readonly #mask: number;
  #tail: number;

  /** `start`: the position in the ring, which tests put close to the wrap. */
  constructor(words: Int32Array, shape: ChannelShape, start = 0) {
    this.#words = words;
    this.#tail = start;
    this.#tailAt = completionTailAt(shape) / WORD_BYTES;
    this.#mask = shape.completionCells - 1;
  }

  /** Gives a slot back. There is room: the ring has more cells than there are slots, and each comes back once. */
  release(slot: number): void {
    // Plain: the publisher reads the cell after it saw the tail, and this side fills it again only after the publisher sent the slot anew.
    this.#words[this.#tailAt + 1 + (this.#tail & this.#mask)] = slot;
    this.#tail = (this.#tail + 1) | 0;
    // Releases the cell, and every read of the sample before it, to the load in CompletionReader.take.
    Atomics.store(this.#words, this.#tailAt, this.#tail);
  }
}

/** The publisher's half. */
export class CompletionReader {
  readonly #words: Int32Array;
  readonly #tailAt: number;
  readonly #cells: number;
  readonly #slots: number;
  #head: number;
  /** The tail as it was last seen. */
  #tail: number;

  /** `start`: as for {@link CompletionWriter}. */
  constructor(words: Int32Array, shape: ChannelShape, slots: number, start = 0) {
    this.#words = words;
    this.#head = start;
    this.#tail = start;
    this.#tailAt = completionTailAt(shape) / WORD_BYTES;
    this.#cells = shape.completionCells;
    this.#slots = slots;
  }

  /** A slot that came back, NONE, or CORRUPT: more than fit, or no slot. */
  take(): number {
    if (this.#head === this.#tail) {
      // Acquires what CompletionWriter.release released: whoever fills the slot next does so after its last reader.
      this.#tail = Atomics.load(this.#words, this.#tailAt);
      const length = (this.#tail - this.#head) | 0;
      if (length === 0) return NONE;
      if (length < 0 || length > this.#cells) return CORRUPT;
    }
    const slot = this.#words[this.#tailAt + 1 + (this.#head & (this.#cells - 1))] as number;
    this.#head = (this.#head + 1) | 0;
    return slot >= 0 && slot < this.#slots ? slot : CORRUPT;
  }
}
