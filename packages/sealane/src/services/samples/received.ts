/**
 * A sample that a subscriber has borrowed: the reused object of the hot tier. Owns nothing but its state. A subscriber has one for each
 * slot of each publisher, made when the slot first arrives.
 */
import { inspect } from 'node:util';
import { SealaneError } from '../../base/errors.js';
import type { PortAddress } from '../pairs/address.js';
import {
  BYTES,
  readBigInt,
  readNumber,
  SEQUENCE,
  type SlotMemory,
  SOURCE_TIMESTAMP,
  TIMESTAMP,
} from '../pairs/slots.js';

/** What a sample says of itself. In JSON, the times are decimal texts. */
export interface SampleHeader {
  /** Node of the publisher: 16 hexadecimal digits. */
  readonly node: string;
  /** Port of the publisher within its node. */
  readonly publisher: number;
  /** Process of the publisher, as the kernel says. */
  readonly pid: number;
  /** 1 for the first sample of the publisher, then counting up without gaps. */
  readonly sequence: number;
  /** When it was sent: CLOCK_MONOTONIC, in nanoseconds. The clock of `process.hrtime.bigint()`, the same for all processes. 0: not stated. */
  readonly timestampNs: bigint;
  /** When its data was made, in nanoseconds of a clock that the sender chose; 0: not stated. */
  readonly sourceTimestampNs: bigint;
}

/** A sample that was received. It stays readable, and its slot taken, until it is released. */
export interface Sample extends Disposable {
  /**
   * The payload, in the publisher's memory: no copy. Not for writing: nobody else sees a write, and the subscriber's next receive throws
   * ERR_SEALANE_SAMPLE_MODIFIED. Hand `bytes.slice()` to postMessage and structuredClone: they copy all of `bytes.buffer`, which is the
   * publisher's whole memory. Throws ERR_SEALANE_CLOSED once released; a view that was kept may show a later sample then, or be empty.
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The user header, as the payload. */
  readonly userHeader: Uint8Array<ArrayBuffer>;
  /** What the sample says of itself. Throws ERR_SEALANE_CLOSED once released. */
  readonly header: SampleHeader;
  /** Samples of the same publisher that were sent since the connection began, after the one that was received last, and did not arrive. */
  readonly missed: number;
  /** Gives the slot back to the publisher. Idempotent. */
  release(): void;
}

/** What a sample needs of where it came from. */
export interface Borrower {
  readonly peer: PortAddress;
  release(sample: HotSample): void;
  /** The garbage collector found a sample that nobody released. */
  forgotten(): void;
}

/** The samples of one slot, one after another. `generation` is odd while one is borrowed. */
export class HotSample implements Sample {
  readonly slot: number;
  /** By which the rings name the slot. */
  readonly cell: number;
  readonly firstWord: number;
  /** The memory of the slot. */
  readonly memory: SlotMemory;
  generation = 0;
  /** See {@link Sample.missed}. */
  missed = 0;
  /** Its number, as it was when it was received: this process may write over the one in its header. */
  sequence = 0;
  /** What came with it, or with all of its slot: its companion's. */
  luggage: object | undefined;
  readonly #borrower: Borrower;
  readonly #header: SlotHeader;
  /** Of the memory, for every sample. */
  readonly #words: Int32Array;
  readonly #minBytes: number;
  readonly #maxBytes: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #size = 0;
  #userHeader: Uint8Array<ArrayBuffer> | undefined;

  constructor(borrower: Borrower, memory: SlotMemory, slot: number, cell: number) {
    this.slot = slot;
    this.cell = cell;
    this.memory = memory;
    this.firstWord = memory.firstWord(slot);
    this.#borrower = borrower;
    this.#words = memory.words;
    this.#minBytes = memory.minBytes;
    this.#maxBytes = memory.shape.maxBytes;
    this.#header = new SlotHeader(borrower.peer, memory, this.firstWord);
    this.#bytes = memory.payload(slot, 0);
  }

  /**
   * Begins a loan; `last`: the number of the publisher's sample before. What the publisher says is read once. False: the slot is on loan, or the
   * length can't be.
   */
  begin(last: number): boolean {
    const words = this.#words;
    const at = this.firstWord;
    const size = readNumber(words, at + BYTES);
    if (size > this.#maxBytes || size < this.#minBytes || this.borrowed) return false;
    this.#size = size;
    this.generation += 1;
    const sequence = readNumber(words, at + SEQUENCE);
    this.sequence = sequence;
    this.missed = sequence <= last ? 0 : sequence - last - 1;
    return true;
  }

  get borrowed(): boolean {
    return (this.generation & 1) === 1;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    this.#check();
    if (this.#bytes.length !== this.#size) this.#bytes = this.memory.payload(this.slot, this.#size);
    return this.#bytes;
  }

  get userHeader(): Uint8Array<ArrayBuffer> {
    this.#check();
    this.#userHeader ??= this.memory.userHeader(this.slot);
    return this.#userHeader;
  }

  get header(): SampleHeader {
    this.#check();
    return this.#header;
  }

  release(): void {
    if ((this.generation & 1) === 0) return;
    this.end();
    this.#borrower.release(this);
  }

  /** The garbage collector found that nobody released it. */
  forget(): void {
    this.#borrower.forgotten();
    this.release();
  }

  /** Ends the loan without giving the slot back: its memory is about to go. */
  end(): void {
    this.generation += 1;
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #check(): void {
    if ((this.generation & 1) === 0) throw released();
  }
}

/** The header of whatever is in a slot now. Reads the publisher's memory when asked. */
class SlotHeader implements SampleHeader {
  readonly #peer: PortAddress;
  readonly #memory: SlotMemory;
  readonly #at: number;

  constructor(peer: PortAddress, memory: SlotMemory, firstWord: number) {
    this.#peer = peer;
    this.#memory = memory;
    this.#at = firstWord;
  }

  get node(): string {
    return this.#peer.node;
  }

  get publisher(): number {
    return this.#peer.port;
  }

  get pid(): number {
    return this.#peer.pid;
  }

  get sequence(): number {
    return readNumber(this.#memory.words, this.#at + SEQUENCE);
  }

  get timestampNs(): bigint {
    return readBigInt(this.#memory.words, this.#at + TIMESTAMP);
  }

  get sourceTimestampNs(): bigint {
    return readBigInt(this.#memory.words, this.#at + SOURCE_TIMESTAMP);
  }

  /** What console.log shows: getters are hidden from it. */
  [inspect.custom](): SampleHeader {
    return this.#plain();
  }

  /** What JSON.stringify writes: JSON has no BigInt, and its numbers are exact to 2^53 only. */
  toJSON(): object {
    const { timestampNs, sourceTimestampNs, ...rest } = this.#plain();
    return { ...rest, timestampNs: `${timestampNs}`, sourceTimestampNs: `${sourceTimestampNs}` };
  }

  #plain(): SampleHeader {
    const { node, publisher, pid, sequence, timestampNs, sourceTimestampNs } = this;
    return { node, publisher, pid, sequence, timestampNs, sourceTimestampNs };
  }
}

/** The error for a sample that was released, or whose connection was closed by this side. */
export function released(): SealaneError {
  const message =
    'the sample was released, or ended with its subscriber or a publisher that lied: copy what is needed longer';
  return new SealaneError('ERR_SEALANE_CLOSED', message);
}
