/**
 * Frames as a subscriber receives them: metadata, and the descriptors that belong to it. One that came with its own descriptors owns them;
 * one in a buffer of a pool borrows the buffer.
 */
import { closedError, SealaneError } from '../base/errors.js';
import { type Mappable, releaseDescriptor } from '../os/index.js';
import type { PortAddress } from '../services/pairs/address.js';
import { bigIntOf, TIMESTAMP } from '../services/pairs/slots.js';
import { noteForgotten } from '../services/samples/checked.js';
import type { HotSample, Sample, SampleHeader } from '../services/samples/received.js';
import type { MetadataDecoder } from './codec.js';
import { duplicateAll } from './descriptor-store.js';
import { DescriptorViews, type FrameBytes } from './frame-bytes.js';
import { FrameObject, sizesOf } from './frame-memory.js';
import type { Arrival } from './receivers.js';

/** Tokens of frames that did not arrive: from `first` to `last`, both included. */
export interface TokenRange {
  readonly first: number;
  readonly last: number;
}

/** A frame that was received. Release it, or declare it with `using`. */
export interface BufferFrame<Meta> extends Disposable {
  /** The publisher's number for it: 1 for its first frame, then counting up. 64 bits, of which at most 53 are ever used. */
  readonly token: number;
  /** Who sent it. */
  readonly publisher: PortAddress;
  /** When: CLOCK_MONOTONIC, in nanoseconds; 0: not stated. */
  readonly timestampNs: bigint;
  /** What the sender says of it. Throws ERR_SEALANE_PROTOCOL for what the codec can't read, ERR_SEALANE_CLOSED once released. */
  readonly meta: Meta;
  /**
   * Its descriptors, 1 to 4, borrowed from it: they are closed with it, those of a pool with the connection. Throws ERR_SEALANE_CLOSED once
   * released, and once its own were taken.
   */
  readonly descriptors: readonly number[];
  /**
   * Bytes behind each of its descriptors, as the kernel says: of a DMA-BUF, and of memory that can't shrink; 0 for all else, as for a fence.
   * Asked when it is first looked at, for a frame of a pool once for all frames in its buffer. Throws as `descriptors`, and ERR_SEALANE_SYSTEM.
   */
  readonly sizes: readonly number[];
  /** Which buffer of its publisher's pool it is in; undefined: it came with its own descriptors. */
  readonly buffer: number | undefined;
  /** Frames of the same publisher right before this one that did not arrive; undefined: none. */
  readonly lost: TokenRange | undefined;
  /**
   * A look at the bytes of one of its descriptors, by its index (0 unless told otherwise): mapped when it is first looked at, for a frame of
   * a pool once for all frames in its buffer. Ends with its own end, or that of the frame. Throws ERR_SEALANE_CLOSED (released),
   * ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_WRONG_DESCRIPTOR (neither a memfd nor a DMA-BUF), ERR_SEALANE_NOT_SEALED (memory that can shrink),
   * ERR_SEALANE_SYSTEM (the processor can't map what a device has, or may not read it), ERR_SEALANE_EXHAUSTED.
   */
  read(index?: number): FrameBytes;
  /**
   * One of its descriptors, by its index (0 unless told otherwise), for whoever takes objects that can be mapped: {@link Window.map},
   * {@link DmaBuf.fromMemory}. The descriptor is borrowed: asking for it throws as `descriptors` does. What is mapped outlives the frame, and
   * shows what is put into the same buffer next. Throws as `descriptors`, and ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_WRONG_DESCRIPTOR (neither a
   * memfd nor a DMA-BUF), ERR_SEALANE_NOT_SEALED (memory that can shrink), ERR_SEALANE_SYSTEM.
   */
  object(index?: number): Mappable;
  /**
   * The descriptors, which are the caller's to close from now on: the frame's own, once, after which only `meta` and what names the frame are
   * left of it; or duplicates of its pool's, as often as it is called. Throws as `descriptors`, and ERR_SEALANE_EXHAUSTED.
   */
  take(): number[];
  /** Closes what is the frame's; its buffer may be filled again, if nobody else has it. Idempotent. */
  release(): void;
}

/** The tokens before a frame that did not arrive. */
function lostBefore(token: number, missed: number): TokenRange | undefined {
  return missed === 0 ? undefined : { first: token - missed, last: token - 1 };
}

function addressIn({ node, publisher: port, pid }: SampleHeader): PortAddress {
  return { node, port, pid };
}

/** What a codec says of bytes. Throws ERR_SEALANE_PROTOCOL. */
function decoded<Meta>(codec: MetadataDecoder<Meta>, bytes: Uint8Array, token: number, used?: Meta): Meta {
  try {
    return codec.decode(bytes, used);
  } catch (cause) {
    const message = `the metadata of frame ${token} can't be read: ${cause instanceof Error ? cause.message : cause}`;
    throw new SealaneError('ERR_SEALANE_PROTOCOL', message, { cause, sequence: token });
  }
}

/** The error for a frame whose descriptors can't be used. */
export function unusable(problem: SealaneError, token: number): SealaneError {
  const { code, message } = problem;
  return new SealaneError(code, `frame ${token} was dropped: ${message}`, {
    cause: problem,
    sequence: token,
  });
}

/** What a frame leaves behind if it is forgotten. */
interface Left {
  readonly arrival: Arrival;
  descriptors: readonly number[];
  views: DescriptorViews | undefined;
}

const frames = new FinalizationRegistry<Left>(({ arrival, descriptors, views }) => {
  views?.forget();
  if (descriptors.length === 0) return;
  arrival.dispose(descriptors);
  noteForgotten('release()');
});
/** In the place of descriptors that were taken. */
const TAKEN: readonly number[] = [];

/** A frame with descriptors of its own; its sample is released already. */
export class OwnFrame<Meta> implements BufferFrame<Meta> {
  readonly token: number;
  readonly buffer = undefined;
  /** Of its slot: what it says of the publisher stays. */
  readonly #header: SampleHeader;
  readonly #missed: number;
  /** The two words of its time: a BigInt is made for who asks. */
  readonly #timeLow: number;
  readonly #timeHigh: number;
  readonly #meta: Meta;
  readonly #arrival: Arrival;
  #descriptors: readonly number[] | undefined;
  /** Made for who looks. */
  #views: DescriptorViews | undefined;
  /** Made once the garbage collector watches it. */
  #left: Left | undefined;

  /** Takes what arrived, also when this throws; the sample stays the caller's. */
  constructor(sample: HotSample, arrival: Arrival, codec: MetadataDecoder<Meta>) {
    const { words } = sample.memory;
    const at = sample.firstWord + TIMESTAMP;
    this.token = sample.sequence;
    this.#header = sample.header;
    this.#missed = sample.missed;
    this.#timeLow = words[at] as number;
    this.#timeHigh = words[at + 1] as number;
    this.#arrival = arrival;
    this.#descriptors = arrival.descriptors;
    try {
      this.#meta = decoded(codec, sample.bytes, this.token);
    } catch (error) {
      arrival.close();
      throw error;
    }
  }

  get publisher(): PortAddress {
    return addressIn(this.#header);
  }

  get timestampNs(): bigint {
    return bigIntOf(this.#timeLow, this.#timeHigh);
  }

  get lost(): TokenRange | undefined {
    return lostBefore(this.token, this.#missed);
  }

  get meta(): Meta {
    if (this.#descriptors === undefined) throw closedError('the frame');
    return this.#meta;
  }

  get descriptors(): readonly number[] {
    return this.#check();
  }

  get sizes(): readonly number[] {
    const descriptors = this.#check();
    this.#arrival.sizes ??= sizesOf(descriptors);
    return this.#arrival.sizes;
  }

  read(index = 0): FrameBytes {
    const descriptors = this.#check();
    this.#views ??= new DescriptorViews(false);
    if (this.#left !== undefined) this.#left.views = this.#views;
    return this.#views.look(descriptors, index);
  }

  /** Whether it has descriptors to close. */
  get live(): boolean {
    return this.#descriptors !== undefined && this.#descriptors.length > 0;
  }

  /** Has the garbage collector close them if it is forgotten. */
  watch(): void {
    this.#left = { arrival: this.#arrival, descriptors: this.#descriptors ?? [], views: this.#views };
    frames.register(this, this.#left);
  }

  object(index = 0): Mappable {
    return new FrameObject(this, index);
  }

  take(): number[] {
    const descriptors = [...this.#check()];
    this.#leave(TAKEN);
    for (const fd of descriptors) releaseDescriptor(fd);
    return descriptors;
  }

  release(): void {
    const descriptors = this.#descriptors ?? [];
    this.#leave(undefined);
    this.#views?.close();
    this.#arrival.dispose(descriptors);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #leave(descriptors: readonly number[] | undefined): void {
    this.#descriptors = descriptors;
    if (this.#left !== undefined) this.#left.descriptors = [];
  }

  #check(): readonly number[] {
    if (this.#descriptors === undefined) throw closedError('the frame');
    if (this.#descriptors === TAKEN)
      throw new SealaneError('ERR_SEALANE_CLOSED', "the frame's descriptors were taken");
    return this.#descriptors;
  }
}

/** A frame in a buffer of a pool. */
export class PoolFrame<Meta> implements BufferFrame<Meta> {
  readonly buffer: number;
  token = 0;
  readonly #sample: Sample;
  readonly #arrival: Arrival;
  readonly #codec: MetadataDecoder<Meta>;
  #meta: Meta | undefined;
  #decoded = false;
  /** Somebody looked at its bytes. */
  #looked = false;

  /** Takes the sample; borrows what arrived. */
  constructor(sample: Sample, buffer: number, arrival: Arrival, codec: MetadataDecoder<Meta>) {
    this.#sample = sample;
    this.buffer = buffer;
    this.#arrival = arrival;
    this.#codec = codec;
  }

  /** Another frame in the same slot. What was said of the one before is the codec's to use again. */
  begin(token: number): void {
    this.token = token;
    this.#decoded = false;
  }

  get publisher(): PortAddress {
    return addressIn(this.#sample.header);
  }

  get timestampNs(): bigint {
    return this.#sample.header.timestampNs;
  }

  get lost(): TokenRange | undefined {
    return lostBefore(this.token, this.#sample.missed);
  }

  get meta(): Meta {
    const { bytes } = this.#sample;
    if (!this.#decoded) {
      this.#meta = decoded(this.#codec, bytes, this.token, this.#meta);
      this.#decoded = true;
    }
    return this.#meta as Meta;
  }

  get descriptors(): readonly number[] {
    // Throws once it was released.
    this.#sample.header;
    return this.#arrival.descriptors;
  }

  get sizes(): readonly number[] {
    const { descriptors } = this;
    this.#arrival.sizes ??= sizesOf(descriptors);
    return this.#arrival.sizes;
  }

  read(index = 0): FrameBytes {
    const { descriptors } = this;
    this.#arrival.views ??= new DescriptorViews(true);
    this.#looked = true;
    return this.#arrival.views.look(descriptors, index);
  }

  object(index = 0): Mappable {
    return new FrameObject(this, index);
  }

  take(): number[] {
    return duplicateAll(this.descriptors);
  }

  release(): void {
    if (this.#looked) this.#endLooks();
    this.#sample.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #endLooks(): void {
    this.#looked = false;
    this.#arrival.views?.endLooks();
  }
}
