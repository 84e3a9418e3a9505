/**
 * A slot on loan from its publisher, to be filled and sent: the reused object of the hot tier. Owns nothing but its state. The
 * publisher has one for each slot, made when the slot is first loaned.
 */
import { checkInteger, checkOptions, checkSignal } from '../../base/check.js';
import { invalidArgument, SealaneError } from '../../base/errors.js';
import type { SlotPool } from '../../shm/slot-pool.js';
import { BYTES, type SlotMemory, SOURCE_TIMESTAMP, writeBigInt } from '../pairs/slots.js';
import type { Segment } from './segment.js';

/** A sample that is being made. */
export interface Loan extends Disposable {
  /**
   * The payload, in shared memory, of the length that was asked for. It holds whatever was there before: fill all of it. Write to it
   * only until the sample is sent. Throws ERR_SEALANE_CLOSED afterwards.
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The user header of the service, of `userHeaderBytes` bytes. Holds whatever was there before. Throws as `bytes`. */
  readonly userHeader: Uint8Array<ArrayBuffer>;
  /** When the data was made, in nanoseconds (0 to 2^64-1) of a clock of the sender's choice; 0: not stated. */
  setSourceTimestamp(ns: bigint): void;
  /**
   * Gives it to all subscribers; returns how many got it. What happens when one is full is the publisher's `whenFull`. Throws
   * ERR_SEALANE_CLOSED (sent or released before, publisher closed), ERR_SEALANE_BUSY (an earlier sample still waits for room),
   * ERR_SEALANE_SUBSCRIBER_FULL: nobody got it, and it is still on loan; unless a handler decided so: those before the full one got it then.
   */
  send(): number;
  /**
   * As {@link send}; where that would block the thread until a subscriber has room, this waits on the event loop. Rejects
   * with ERR_SEALANE_ABORTED when the signal fires: subscribers that had room have got the sample, the others have lost it.
   */
  sendAsync(options?: { readonly signal?: AbortSignal }): Promise<number>;
  /** Gives the slot back unsent. Does nothing once sent. */
  release(): void;
}

/** What a loan needs of its publisher. */
export interface Lender {
  send(loan: HotLoan): number;
  sendAsync(loan: HotLoan, signal: AbortSignal | undefined): Promise<number>;
  takeBack(loan: HotLoan): void;
  /** The garbage collector found a loan that nobody sent or released. */
  forgotten(): void;
}

/** The loan of one slot, again and again. `generation` is odd while the slot is on loan. */
export class HotLoan implements Loan {
  readonly segment: Segment;
  readonly pool: SlotPool;
  /** The segment's memory. */
  readonly words: Int32Array;
  readonly slot: number;
  /** By which the rings name the slot. */
  readonly cell: number;
  /** Index of the slot's first word. */
  readonly firstWord: number;
  generation = 0;
  readonly #lender: Lender;
  readonly #memory: SlotMemory;
  #bytes: Uint8Array<ArrayBuffer>;
  #size = 0;
  #userHeader: Uint8Array<ArrayBuffer> | undefined;

  constructor(lender: Lender, segment: Segment, slot: number) {
    const { memory, pool } = segment;
    this.segment = segment;
    this.pool = pool;
    this.words = memory.words;
    this.slot = slot;
    this.cell = segment.base + slot;
    this.firstWord = memory.firstWord(slot);
    this.#lender = lender;
    this.#memory = memory;
    this.#bytes = memory.payload(slot, 0);
  }

  /** Begins a loan of that many bytes, which fit. */
  begin(bytes: number): void {
    this.generation += 1;
    const { words } = this;
    const at = this.firstWord;
    words[at + SOURCE_TIMESTAMP] = 0;
    words[at + SOURCE_TIMESTAMP + 1] = 0;
    if (bytes !== this.#size) this.resize(bytes);
  }

  /** Sets the length of the payload, which fits. */
  resize(bytes: number): void {
    const { words } = this;
    const at = this.firstWord;
    words[at + BYTES] = bytes | 0;
    words[at + BYTES + 1] = bytes < 0x1_0000_0000 ? 0 : bytes / 0x1_0000_0000;
    this.#size = bytes;
  }

  /** Ends the loan: the slot is sent, or given back. */
  end(): void {
    this.generation += 1;
  }

  get onLoan(): boolean {
    return (this.generation & 1) === 1;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    this.#check();
    // A view costs tens of nanoseconds, and most samples of a publisher have the same length.
    if (this.#bytes.length !== this.#size) this.#bytes = this.#memory.payload(this.slot, this.#size);
    return this.#bytes;
  }

  get userHeader(): Uint8Array<ArrayBuffer> {
    this.#check();
    this.#userHeader ??= this.#memory.userHeader(this.slot);
    return this.#userHeader;
  }

  setSourceTimestamp(ns: bigint): void {
    this.#check();
    if (typeof ns !== 'bigint' || BigInt.asUintN(64, ns) !== ns)
      throw invalidArgument('ns', 'be a bigint from 0 to 2^64-1', ns);
    writeBigInt(this.words, this.firstWord + SOURCE_TIMESTAMP, ns);
  }

  send(): number {
    this.#check();
    return this.#lender.send(this);
  }

  async sendAsync(options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    checkOptions('options', options, ['signal']);
    const { signal } = options;
    checkSignal('options.signal', signal);
    this.#check();
    return this.#lender.sendAsync(this, signal);
  }

  release(): void {
    if (this.onLoan) this.#lender.takeBack(this);
  }

  /** The garbage collector found that nobody sent or released it. */
  forget(): void {
    this.#lender.forgotten();
    this.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #check(): void {
    if ((this.generation & 1) === 0) throw notOnLoan();
  }
}

/** The error for a sample that was sent or released. */
export function notOnLoan(): SealaneError {
  return new SealaneError('ERR_SEALANE_CLOSED', 'the sample was sent or released: loan another one');
}

/** The error for a loan more than a publisher may have. */
export function tooManyLoans(maxLoaned: number): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_LIMIT_EXCEEDED',
    `${maxLoaned} samples are on loan, which is maxLoaned: send or release one, or raise the setting`,
  );
}

/**
 * Throws ERR_SEALANE_INVALID_ARGUMENT unless a sample may have so many bytes. `name`: the setting from which `max` is; where `min` is the
 * same, all samples have that size.
 */
export function checkPayload(
  bytes: number | undefined,
  min: number,
  max: number,
  name: string,
): asserts bytes is number {
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) checkInteger('bytes', bytes, min, max);
  const size = bytes as number;
  if (size >= min && size <= max) return;
  const text =
    min === max
      ? `a sample of ${size} bytes was asked for, and all samples of the service have ${max}, which is ${name}`
      : `a sample of ${size} bytes was asked for, and ${name} allows 0 to ${max}: send less, or raise ${name}${where(name)}`;
  throw new SealaneError('ERR_SEALANE_INVALID_ARGUMENT', text);
}

function where(name: string): string {
  return name === 'maxBytes' ? ' (of the service, and of the publisher if it states its own)' : '';
}
