/**
 * The ring that carries slots from a publisher to one subscriber, in which the oldest may give way. One side each: a writer in the
 * publisher, a reader in the subscriber. Neither owns the memory. The writer trusts nothing in it: what is in the ring stands in its
 * own record. The reader believes a slot's number once it is in range.
 *
 * Positions count up and wrap at 2^32. A position belongs to whoever moves the head past it by compare-exchange: the subscriber, which
 * takes the sample, or the publisher, which takes it back. That a head could move once around all positions between a load and the
 * compare-exchange behind it would take four thousand million samples meanwhile.
 *
 * JavaScript's Atomics are sequentially consistent, on arm64 too. Plain accesses are ordered by the Atomics around them: a store behind
 * what is written before it, a load ahead of what is read after it. spec/models has the proof that spin checks.
 */
import { CHANNEL_HEAD_AT, CHANNEL_TAIL_AT } from './layout.js';
import { CORRUPT, FULL, NONE } from './outcome.js';

const HEAD = CHANNEL_HEAD_AT / 4;
const TAIL = CHANNEL_TAIL_AT / 4;
const CELLS = TAIL + 1;

/** An honest publisher moves on after it took samples back: it does not do that a million times while a reader tries to take one. */
const MAX_TRIES = 1_000_000;

/** Beside the outcomes that others know. */
const TAKEN_BACK = -4;

/** The publisher's half. */
export class SubmissionWriter {
  /** How many samples may be in the ring, at most its cells. */
  readonly limit: number;
  readonly #words: Int32Array;
  readonly #mask: number;
  /** What is at which position: this, and not the ring, decides which slot comes back. */
  readonly #sent: Int32Array;
  #tail: number;
  /** The head as it was last seen: it only moves on, so that there is at least as much room as this says. */
  #head: number;

  /** `start`: where both positions are in the ring, which tests put close to the wrap. */
  constructor(words: Int32Array, cells: number, limit: number, start = 0) {
    this.#words = words;
    this.#mask = cells - 1;
    this.limit = limit;
    this.#sent = new Int32Array(cells);
    this.#tail = start;
    this.#head = start;
  }

  /** Samples in the ring, by the head that was last seen. */
  get length(): number {
    return (this.#tail - this.#head) | 0;
  }

  /** Samples in the ring now, as the subscriber's word says: for people, and within the limit whatever it says. */
  get waiting(): number {
    const length = (this.#tail - Atomics.load(this.#words, HEAD)) | 0;
    return Math.max(0, Math.min(length, this.limit));
  }

  /** NONE: there is room. FULL, or CORRUPT. */
  checkRoom(): number {
    if (((this.#tail - this.#head) | 0) < this.limit) return NONE;
    return this.look();
  }

  /** Looks at the head anew, then answers as {@link checkRoom}. */
  look(): number {
    // Pairs with the compare-exchange in SubmissionReader.take: what the subscriber did before it took the sample is seen now.
    const head = Atomics.load(this.#words, HEAD);
    const length = (this.#tail - head) | 0;
    if (length < 0 || length > this.limit || ((head - this.#head) | 0) < 0) return CORRUPT;
    this.#head = head;
    return length < this.limit ? NONE : FULL;
  }

  /** Takes the oldest sample back: its slot, or NONE when the subscriber was faster, or there is none. */
  takeBack(): number {
    const head = this.#head;
    if (head === this.#tail) return NONE;
    // Pairs with the compare-exchange in SubmissionReader.take: only one of both gets the position.
    if (Atomics.compareExchange(this.#words, HEAD, head, (head + 1) | 0) !== head) return NONE;
    this.#head = (head + 1) | 0;
    return this.#sent[head & this.#mask] as number;
  }

  /** Puts a slot in. There must be room. */
  publish(slot: number): void {
    const tail = this.#tail;
    const cell = tail & this.#mask;
    this.#sent[cell] = slot;
    // A store that is ordered behind the load or compare-exchange that saw this cell free: a reader that still looks at the cell for an
    // older position reads either slot, and its compare-exchange fails.
    Atomics.store(this.#words, CELLS + cell, slot);
    this.#tail = (tail + 1) | 0;
    // Releases the slot's content and the cell to the load of the tail in SubmissionReader.take.
    Atomics.store(this.#words, TAIL, this.#tail);
  }
}

/** The subscriber's half. */
export class SubmissionReader {
  readonly #words: Int32Array;
  readonly #cells: number;
  readonly #mask: number;
  readonly #slots: number;
  /** The head as it was last seen or left, and the tail as it was seen then: good as long as the head still stands there. */
  #head = 0;
  #tail = 0;
  /** Samples that were left in the ring behind the one that was taken last, as far as was known: perhaps more. */
  left = 0;

  constructor(words: Int32Array, cells: number, slots: number) {
    this.#words = words;
    this.#cells = cells;
    this.#mask = cells - 1;
    this.#slots = slots;
  }

  /** Whether something can be taken now. Also true of a ring that makes no sense: take says so. */
  get ready(): boolean {
    const words = this.#words;
    return Atomics.load(words, HEAD) !== Atomics.load(words, TAIL);
  }

  /** Samples in the ring now, as the publisher's word says: for people, and no more than there are cells. */
  get waiting(): number {
    const words = this.#words;
    const length = (Atomics.load(words, TAIL) - Atomics.load(words, HEAD)) | 0;
    return Math.max(0, Math.min(length, this.#cells));
  }

  /** Takes the oldest sample: its slot, NONE, or CORRUPT. */
  take(): number {
    const slot = this.#try();
    return slot === TAKEN_BACK ? this.#tryAgain() : slot;
  }

  /** As {@link take}, or TAKEN_BACK: the publisher was faster. */
  #try(): number {
    const words = this.#words;
    const head = Atomics.load(words, HEAD);
    let tail = this.#tail;
    if (head !== this.#head || head === tail) {
      // Acquires what SubmissionWriter.publish released: the cells and the slots' content up to here.
      tail = Atomics.load(words, TAIL);
      this.#tail = tail;
      this.#head = head;
      if (head === tail) return NONE;
    }
    // Before the compare-exchange: behind it the publisher may fill the cell anew.
    const slot = Atomics.load(words, CELLS + (head & this.#mask));
    const next = (head + 1) | 0;
    // Takes the position, unless the publisher took it back: pairs with SubmissionWriter.takeBack and look.
    if (Atomics.compareExchange(words, HEAD, head, next) !== head) return TAKEN_BACK;
    this.#head = next;
    // Only now, since both may have moved on between the two loads: what was taken was there.
    const left = (tail - next) | 0;
    this.left = left;
    // Without signs what is below 0 is too much as well.
    return left >>> 0 < this.#cells && slot >>> 0 < this.#slots ? slot : CORRUPT;
  }

  #tryAgain(): number {
    for (let tries = 1; tries < MAX_TRIES; tries++) {
      const slot = this.#try();
      if (slot !== TAKEN_BACK) return slot;
    }
    return CORRUPT;
  }
}
