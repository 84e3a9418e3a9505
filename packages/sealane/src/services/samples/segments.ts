/**
 * All memory of one publisher: the segment from which it loans, and older ones of smaller slots of which somebody still needs a sample.
 * Owns them. Makes larger ones within the limits, and gives back what nobody needs.
 */
import { constants } from 'node:buffer';
import { SealaneError } from '../../base/errors.js';
import type { PageOptions } from '../../os/index.js';
import { CELL_SEGMENTS } from '../../shm/layout.js';
import { memoryBytes, SLOT_BITS, SLOT_MASK, type SlotShape } from '../pairs/slots.js';
import { type GrowthStrategy, roomFor } from './growth.js';
import { Segment } from './segment.js';

/** How a publisher's memory begins, and how far it grows. Everything was checked. */
export interface SegmentsOptions {
  /** The slots of a segment with room for payloads of that many bytes. */
  readonly shape: (roomBytes: number) => SlotShape;
  /** Room in the first segment. */
  readonly initialBytes: number;
  /** Most room that is ever made. */
  readonly maxBytes: number;
  readonly strategy: GrowthStrategy;
  /** Segments at a time. */
  readonly maxSegments: number;
  /** Slots of a segment that are used before anybody is asked what came back. */
  readonly warmSlots: number;
  readonly pages: PageOptions;
}

export class Segments implements Disposable {
  readonly #options: SegmentsOptions;
  /** By their numbers. */
  readonly #byId: (Segment | undefined)[] = [];
  /** The newest last. */
  #live: readonly Segment[] = [];
  #newest: Segment;
  #nextId = 0;

  /** Makes the first. Throws as {@link grow}. */
  constructor(options: SegmentsOptions) {
    this.#options = options;
    const { initialBytes, maxBytes, strategy, maxSegments } = options;
    const only = strategy !== 'static' && maxSegments === 1;
    this.#newest = this.#add(only ? [maxBytes, initialBytes] : [initialBytes]);
  }

  /** All new loans are of this one. */
  get newest(): Segment {
    return this.#newest;
  }

  /** Those that exist, the oldest first. */
  get live(): readonly Segment[] {
    return this.#live;
  }

  /** Whether there are others than the newest. */
  get hasOld(): boolean {
    return this.#live.length > 1;
  }

  /** How many there may be at a time. */
  get maxSegments(): number {
    return this.#options.maxSegments;
  }

  /** Slots that somebody needs. */
  get used(): number {
    return this.#live.reduce((sum, { pool }) => sum + pool.used, 0);
  }

  /** Bytes of all. */
  get bytes(): number {
    return this.#live.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The segment of a cell whose slot somebody needs. */
  of(cell: number): Segment {
    return this.#byId[cell >>> SLOT_BITS] as Segment;
  }

  /** One more needs the slot of the cell, which somebody needs already. */
  retain(cell: number): void {
    this.of(cell).pool.retain(cell & SLOT_MASK);
  }

  /** One that needed it does no more. */
  release(cell: number): void {
    this.of(cell).pool.release(cell & SLOT_MASK);
  }

  /**
   * Makes a segment with room for `bytes`, the newest from now on. Throws ERR_SEALANE_LIMIT_EXCEEDED (there are as many as may be, or
   * one ArrayBuffer does not hold it), ERR_SEALANE_EXHAUSTED; nothing has changed then.
   */
  grow(bytes: number): Segment {
    if (this.#live.length >= this.#options.maxSegments) throw this.#tooMany(bytes);
    this.#newest = this.#add(this.#roomsFor(bytes));
    return this.#newest;
  }

  /** Takes those out, and gives their memory back, of which nobody needs a slot; all but the newest. */
  takeUnneeded(): Segment[] {
    const unneeded = this.#live.filter((one) => one !== this.#newest && one.pool.used === 0);
    if (unneeded.length === 0) return unneeded;
    this.#live = this.#live.filter((one) => !unneeded.includes(one));
    for (const segment of unneeded) {
      this.#byId[segment.id] = undefined;
      segment.close();
    }
    return unneeded;
  }

  /** Gives all memory back. The objects stay, for whoever still counts with them. */
  close(): void {
    for (const segment of this.#live) segment.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #add(rooms: readonly number[]): Segment {
    const { pages, warmSlots } = this.#options;
    const segment = new Segment(this.#freeId(), this.#shapeFor(rooms), pages, warmSlots);
    while (this.#byId.length <= segment.id) this.#byId.push(undefined);
    this.#byId[segment.id] = segment;
    this.#live = [...this.#live, segment];
    this.#nextId = (segment.id + 1) % CELL_SEGMENTS;
    return segment;
  }

  #freeId(): number {
    let id = this.#nextId;
    while (this.#byId[id] !== undefined) id = (id + 1) % CELL_SEGMENTS;
    return id;
  }

  /**
   * The room that the next segment had best have, for a sample of so many bytes. The last one that may be has room for everything, if that
   * can be: then no sample is ever refused for want of a segment.
   */
  #roomsFor(bytes: number): number[] {
    const { strategy, maxBytes, maxSegments } = this.#options;
    const last = this.#live.length + 1 === maxSegments;
    return [...(last ? [maxBytes] : []), roomFor(strategy, bytes, maxBytes), bytes];
  }

  /** The first that one ArrayBuffer holds. */
  #shapeFor(rooms: readonly number[]): SlotShape {
    const shapes = rooms.map(this.#options.shape);
    const fitting = shapes.find((one) => memoryBytes(one) <= constants.MAX_LENGTH);
    if (fitting === undefined) throw tooLarge(shapes[shapes.length - 1] as SlotShape);
    return fitting;
  }

  #tooMany(bytes: number): SealaneError {
    const { maxSegments } = this.#options;
    return new SealaneError(
      'ERR_SEALANE_LIMIT_EXCEEDED',
      `${bytes} bytes have no room in the newest segment (${this.#newest.maxBytes}), and samples of ${maxSegments} segments are in use, ` +
        'which is maxSegments: have subscribers release samples, or raise maxSegments or initialBytes',
    );
  }
}

function tooLarge(shape: SlotShape): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_LIMIT_EXCEEDED',
    `a segment of ${shape.slots} slots of ${shape.strideBytes} bytes has ${memoryBytes(shape)} bytes, and Node.js ${process.versions.node} holds ` +
      `at most ${constants.MAX_LENGTH} in one ArrayBuffer: send less at once, or lower maxSubscribers, bufferSize, maxBorrowed or history`,
  );
}
