/**
 * One segment of a publisher, seen from a subscriber: its memory, and the objects of the samples in it. Owns the mapping. Trusts the
 * publisher not to change a sample that it sent; not its numbers.
 */
import type { Mapping } from '../../os/index.js';
import { SLOT_BITS, type SlotMemory } from '../pairs/slots.js';
import { type Borrower, HotSample } from './received.js';

export class InletSegment {
  readonly id: number;
  /** The cell of its first slot. */
  readonly base: number;
  readonly memory: SlotMemory;
  /** Objects that were made, by their slots. */
  readonly samples: (HotSample | undefined)[] = [];
  readonly #borrower: Borrower;
  readonly #mapping: Mapping;

  /** Takes the mapping. */
  constructor(borrower: Borrower, id: number, mapping: Mapping, memory: SlotMemory) {
    this.#borrower = borrower;
    this.id = id;
    this.base = id << SLOT_BITS;
    this.#mapping = mapping;
    this.memory = memory;
  }

  /** Whether a sample of it is borrowed. */
  get inUse(): boolean {
    return this.samples.some((sample) => sample?.borrowed);
  }

  /** Shows the publisher's memory again wherever this process wrote into it. The sequence numbers of those samples; 0: of none. */
  restore(): number[] {
    return this.#mapping.restore().map((slot) => this.samples[slot]?.sequence ?? 0);
  }

  /** Gives the memory back: what is borrowed counts as released, and views of it are empty from now on. */
  close(): void {
    for (const sample of this.samples) if (sample?.borrowed) sample.end();
    this.#mapping.close();
  }

  /** The object for samples in a slot that has none yet. */
  makeSample(slot: number): HotSample {
    const sample = new HotSample(this.#borrower, this.memory, slot, this.base + slot);
    while (this.samples.length < slot) this.samples.push(undefined);
    this.samples[slot] = sample;
    return sample;
  }
}
