/**
 * The memory of one publisher's samples, cut into slots: where in a slot what lies, and its header. spec/services.md draws it. Owns nothing:
 * the publisher has it mapped for writing, each subscriber for reading.
 */
import {
  CELL_SEGMENTS,
  CELL_SLOT_BITS,
  SLOT_BYTES_AT,
  SLOT_HEADER_BYTES,
  SLOT_SEQUENCE_AT,
  SLOT_SOURCE_TIMESTAMP_AT,
  SLOT_TIMESTAMP_AT,
} from '../../shm/layout.js';

/** Where things lie. Agreed upon when a pair connects; the same for all slots of a segment. */
export interface SlotShape {
  /** Slots in the memory. */
  readonly slots: number;
  /** Bytes from the begin of one slot to that of the next, a multiple of 8. */
  readonly strideBytes: number;
  /** Bytes from a slot's begin to its payload. */
  readonly payloadOffset: number;
  /** Room for a payload, in bytes. */
  readonly maxBytes: number;
  /** Length of the user header, in bytes. */
  readonly userHeaderBytes: number;
}

/** A cell of the rings is the number of a segment above that of a slot. */
export const SLOT_BITS = CELL_SLOT_BITS;
export const SLOT_MASK = (1 << CELL_SLOT_BITS) - 1;
/** Above every cell that can be. */
export const MAX_CELLS = CELL_SEGMENTS * 2 ** CELL_SLOT_BITS;

const TWO_TO_32 = 0x1_0000_0000;
const WORD_BYTES = 4;

export const SEQUENCE = SLOT_SEQUENCE_AT / WORD_BYTES;
export const BYTES = SLOT_BYTES_AT / WORD_BYTES;
export const TIMESTAMP = SLOT_TIMESTAMP_AT / WORD_BYTES;
export const SOURCE_TIMESTAMP = SLOT_SOURCE_TIMESTAMP_AT / WORD_BYTES;

/** Memory of a publisher with the views that everyone needs of it. */
export class SlotMemory {
  readonly shape: SlotShape;
  /** All of it as int32 words. */
  readonly words: Int32Array;
  /** Least bytes of a payload. */
  readonly minBytes: number;
  readonly #buffer: ArrayBuffer;

  /** The buffer must have room for all slots of the shape. */
  constructor(buffer: ArrayBuffer, shape: SlotShape, minBytes = 0) {
    this.#buffer = buffer;
    this.shape = shape;
    this.minBytes = minBytes;
    this.words = new Int32Array(buffer, 0, (shape.slots * shape.strideBytes) / WORD_BYTES);
  }

  /** Index of the first word of a slot. */
  firstWord(slot: number): number {
    return (slot * this.shape.strideBytes) / WORD_BYTES;
  }

  /** The payload of a slot, of that length. */
  payload(slot: number, bytes: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#buffer, slot * this.shape.strideBytes + this.shape.payloadOffset, bytes);
  }

  /** The user header of a slot. */
  userHeader(slot: number): Uint8Array<ArrayBuffer> {
    const at = slot * this.shape.strideBytes + SLOT_HEADER_BYTES;
    return new Uint8Array(this.#buffer, at, this.shape.userHeaderBytes);
  }
}

/** Bytes of the whole memory. */
export function memoryBytes(shape: SlotShape): number {
  return shape.slots * shape.strideBytes;
}

/** The number in two words. Exact up to 2^53; what is beyond is no length and no sequence number. */
export function readNumber(words: Int32Array, at: number): number {
  const low = (words[at] as number) >>> 0;
  const high = words[at + 1] as number;
  return high === 0 ? low : (high >>> 0) * TWO_TO_32 + low;
}

/** Writes a number from 0 to 2^53 - 1 into two words. */
export function writeNumber(words: Int32Array, at: number, value: number): void {
  words[at] = value | 0;
  words[at + 1] = value < TWO_TO_32 ? 0 : value / TWO_TO_32;
}

/** The u64 in two words. Makes a BigInt: not for every sample. */
export function readBigInt(words: Int32Array, at: number): bigint {
  return bigIntOf(words[at] as number, words[at + 1] as number);
}

/** The u64 of two words. */
export function bigIntOf(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** Writes a u64 into two words. */
export function writeBigInt(words: Int32Array, at: number, value: bigint): void {
  words[at] = Number(value & 0xffff_ffffn);
  words[at + 1] = Number(value >> 32n);
}
