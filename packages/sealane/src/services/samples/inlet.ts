/**
 * The subscriber's end of one pair: takes slots from the ring, and gives them back. Owns the socket, the mappings of the control memory
 * and of the publisher's slots, and the objects of the samples. Trusts the publisher not to change a sample that it sent; not its
 * numbers: every index and length is read once and checked, and a publisher that lies loses its connection.
 */
import { isSealaneError, type SealaneError } from '../../base/errors.js';
import { disposeDescriptors, type Mapping, type Packet, type UnixSocket } from '../../os/index.js';
import type { ChannelShape } from '../../shm/channel.js';
import { CompletionWriter } from '../../shm/completion.js';
import { FiguresRow } from '../../shm/figures.js';
import type { LatencyMeter } from '../../shm/latencies.js';
import {
  SUBSCRIBER_ROW_BORROWED,
  SUBSCRIBER_ROW_MISSED,
  SUBSCRIBER_ROW_RECEIVED,
  SUBSCRIBER_ROW_WAITING,
} from '../../shm/layout.js';
import { NONE } from '../../shm/outcome.js';
import { SubmissionReader } from '../../shm/submission.js';
import { PUBLISHER_WAITING, SUBSCRIBER_WAITING } from '../../shm/waiting.js';
import { protocolError } from '../../wire/index.js';
import type { PortAddress } from '../pairs/address.js';
import type { ControlLoop } from '../pairs/control.js';
import { type PairEvents, PairSocket } from '../pairs/pair-socket.js';
import type { Inbound } from '../pairs/receiver-port.js';
import { MAX_CELLS, SLOT_BITS, SLOT_MASK, type SlotShape, TIMESTAMP } from '../pairs/slots.js';
import type { InboundCompanion } from './companion.js';
import type { InletSegment } from './inlet-segment.js';
import { InletSegments, type PayloadRules } from './inlet-segments.js';
import type { Borrower, HotSample } from './received.js';

/** Errors for which nobody lied: this process lacks descriptors or memory, or can't map so much. */
const PASSING: ReadonlySet<string> = new Set(['ERR_SEALANE_EXHAUSTED', 'ERR_SEALANE_LIMIT_EXCEEDED']);

/** Packets to take in one turn where they bring something for each sample: far more than ever wait. */
const PACKETS_PER_TURN = 64;

/** Packets in front of that of a segment: far more than an honest publisher has under way. */
const MAX_LOOKS = 128;

/** What the handshake brought. */
export interface InletOptions {
  readonly peer: PortAddress;
  readonly socket: UnixSocket;
  /** Guarded, slot by slot. */
  readonly slots: Mapping;
  readonly control: Mapping;
  readonly slotShape: SlotShape;
  /** Number of the segment that the slots are. */
  readonly segment: number;
  readonly rules: PayloadRules;
  readonly channelShape: ChannelShape;
  /** The sequence number before that of the first sample to come. */
  readonly sequenceBefore: number;
  /** What was asked for. */
  readonly bufferSize: number;
  readonly maxBorrowed: number;
  readonly loop: ControlLoop;
  readonly events: PairEvents;
  /** What comes ahead of samples. */
  readonly companion: InboundCompanion | undefined;
}

/** A sample that this process wrote into. */
export interface ModifiedSample {
  readonly publisher: PortAddress;
  /** 0: a slot in which no sample was received yet. */
  readonly sequence: number;
}

/** One publisher, seen from the subscriber. */
export class Inlet implements Borrower, Inbound {
  readonly peer: PortAddress;
  /** Samples that were received, and those that were missed. */
  received = 0;
  missed = 0;
  /** What observers see of the pair. */
  readonly figures: FiguresRow;
  /** The garbage collector found a sample that nobody released. */
  onForgotten: () => void = () => undefined;
  /** Samples that are borrowed now. */
  borrowed = 0;
  /** What the publisher did that can't be; set once, then the inlet is to be closed. */
  lie: string | undefined;
  /** Why this side can't go on with the publisher for now; set once, then as for `lie`. */
  failure: SealaneError | undefined;
  /** The connection has ended; what is in the ring and what is borrowed is still good. */
  ended = false;
  /** Whether its port has told that the connection is over. */
  reported = false;
  /** Samples that this process wrote into. Its port takes them. */
  readonly modified: ModifiedSample[] = [];
  readonly #socket: PairSocket;
  readonly #companion: InboundCompanion | undefined;
  readonly #growing: boolean;
  readonly #serve = () => this.#socket.serve();
  readonly #events: PairEvents;
  readonly #segments: InletSegments;
  /** That of the last sample, and its number. */
  #segment: InletSegment | undefined;
  #segmentId: number;
  /** What is needed of it for every sample. */
  #samples: readonly (HotSample | undefined)[];
  #base: number;
  readonly #control: Mapping;
  readonly #ring: SubmissionReader;
  readonly #completions: CompletionWriter;
  #lastSequence: number;
  #closed = false;

  constructor(options: InletOptions) {
    const { slotShape, channelShape, control, rules, segment, events, companion } = options;
    const growing = rules.payload === 'growing';
    this.#companion = companion;
    this.#growing = growing;
    const words = new Int32Array(control.buffer);
    this.peer = options.peer;
    this.figures = new FiguresRow(options.peer, options, (cells) => this.#writeFigures(cells));
    this.#lastSequence = options.sequenceBefore;
    this.#events = events;
    this.#segments = new InletSegments(this, rules, slotShape);
    this.#segment = this.#segments.add(segment, options.slots, slotShape);
    this.#segmentId = segment;
    this.#samples = this.#segment.samples;
    this.#base = this.#segment.base;
    this.#control = control;
    this.#ring = new SubmissionReader(
      words,
      channelShape.submissionCells,
      growing ? MAX_CELLS : slotShape.slots,
    );
    this.#completions = new CompletionWriter(words, channelShape);
    this.#socket = new PairSocket(
      options.socket,
      options.loop,
      words,
      SUBSCRIBER_WAITING,
      PUBLISHER_WAITING,
      events,
      growing || companion !== undefined ? (bytes, packet) => this.#takePacket(bytes, packet) : undefined,
      companion === undefined ? 1 : PACKETS_PER_TURN,
    );
  }

  get closed(): boolean {
    return this.#closed;
  }

  get broken(): boolean {
    return this.lie !== undefined || this.failure !== undefined;
  }

  /** Whether there is something to take. */
  get ready(): boolean {
    return !this.#closed && !this.broken && this.#ring.ready;
  }

  /** Borrows the oldest sample. Undefined: there is none, or the publisher lies. */
  take(): HotSample | undefined {
    // The last release of an ended inlet closes it, before its port has looked again.
    if (this.#closed) return undefined;
    const cell = this.#ring.take();
    if (cell < 0) return cell === NONE ? undefined : this.#lied('a sample that can not be');
    // Behind the compare-exchange that made the room: the other half of the agreement in waiting.ts.
    this.#socket.wakeIfWaiting(this.#ring.left);
    // A cell of another segment differs above the number of the slot, where no sample is.
    const sample = this.#samples[cell ^ this.#base] ?? this.#prepare(cell);
    if (sample === undefined) return undefined;
    if (!sample.begin(this.#lastSequence))
      return this.#lied(`slot ${sample.slot} twice, or a length that does not fit`);
    this.#lastSequence = sample.sequence;
    this.borrowed += 1;
    this.received += 1;
    if (
      this.#companion !== undefined &&
      sample.luggage === undefined &&
      !this.#claim(this.#companion, sample)
    )
      return undefined;
    return sample;
  }

  release(sample: HotSample): void {
    this.borrowed -= 1;
    this.#completions.release(sample.cell);
    // Behind the store of the tail, as in take. Only publishers with a companion wait for what comes back.
    if (this.#companion !== undefined) this.#socket.wakeIfReturnAwaited();
    if (this.ended && this.borrowed === 0 && !this.#ring.ready) this.close();
  }

  forgotten(): void {
    this.onForgotten();
  }

  /** Measures how long ago the sample was sent that was taken just now. */
  measure(sample: HotSample, meter: LatencyMeter): void {
    meter.count(sample.memory.words, sample.firstWord + TIMESTAMP);
  }

  beginWaiting(): void {
    this.#socket.beginWaiting(1);
  }

  endWaiting(): void {
    this.#socket.endWaiting();
  }

  /** Shows the publisher's memory again wherever this process wrote into it, and notes which samples that was. Throws ERR_SEALANE_EXHAUSTED. */
  restore(): void {
    if (this.#closed) return;
    for (const sequence of this.#segments.restore()) this.modified.push({ publisher: this.peer, sequence });
  }

  /** The connection is over: what has come stays, and the memory is given back with the last of it. */
  end(): void {
    this.ended = true;
    this.#socket.close();
    if (this.borrowed === 0 && !this.ready) this.close();
  }

  /** Ends everything: borrowed samples count as released, and views of them are empty from now on. */
  close(): void {
    if (this.#closed) return;
    this.#restoreQuietly();
    this.#closed = true;
    this.ended = true;
    this.#segments.close();
    this.#companion?.close();
    this.#segment = undefined;
    this.borrowed = 0;
    this.#socket.close();
    this.#control.close();
  }

  /** The object for samples in a cell of another segment than the last sample, or in one where none was yet. */
  #prepare(cell: number): HotSample | undefined {
    const id = cell >>> SLOT_BITS;
    if (id !== this.#segmentId && !this.#find(id)) return undefined;
    const slot = cell & SLOT_MASK;
    return this.#samples[slot] ?? this.#makeSample(slot);
  }

  /** Turns to a segment: it is handed out before the first of its samples, so that it waits in the socket if it is not known yet. */
  #find(id: number): boolean {
    for (let looks = 0; this.#segments.get(id) === undefined && looks < MAX_LOOKS; looks++)
      if (!this.#socket.serve()) break;
    const segment = this.#segments.get(id);
    if (segment === undefined) {
      if (!this.broken) this.#lied(`a sample of segment ${id}, which it did not hand out`);
      return false;
    }
    this.#segment = segment;
    this.#segmentId = id;
    this.#base = segment.base;
    this.#samples = segment.samples;
    return true;
  }

  #makeSample(slot: number): HotSample | undefined {
    const segment = this.#segment;
    if (segment === undefined || slot >= segment.memory.shape.slots)
      return this.#lied('a sample that can not be');
    return segment.makeSample(slot);
  }

  /** Before memory goes: then only what shall be told of the samples is lost by a failure. */
  #restoreQuietly(): void {
    try {
      this.restore();
    } catch (error) {
      if (!isSealaneError(error)) throw error;
    }
  }

  /** Has the companion fetch what belongs to the sample. False: the publisher lies. */
  #claim(companion: InboundCompanion, sample: HotSample): boolean {
    try {
      companion.claim(sample, this.#serve);
      return true;
    } catch (error) {
      if (!isSealaneError(error)) throw error;
      this.#lied(error.message);
      return false;
    }
  }

  #takePacket(bytes: Uint8Array, packet: Packet): void {
    try {
      if (this.#companion?.take(bytes, packet) !== true) this.#takeSegmentPacket(bytes, packet);
    } catch (error) {
      if (!isSealaneError(error)) throw error;
      if (PASSING.has(error.code)) this.failure ??= error;
      else this.lie ??= error.message;
      this.#events.onEnd(this.lie);
    }
  }

  #takeSegmentPacket(bytes: Uint8Array, packet: Packet): void {
    if (!this.#growing) {
      disposeDescriptors(packet.descriptors);
      throw protocolError('a packet that is no wake-up');
    }
    this.#restoreQuietly();
    this.#segments.apply(bytes, packet);
    if (this.#segments.get(this.#segmentId) !== this.#segment) this.#forgetSegment();
  }

  #writeFigures(cells: Float64Array): void {
    cells[SUBSCRIBER_ROW_RECEIVED] = this.received;
    cells[SUBSCRIBER_ROW_MISSED] = this.missed;
    cells[SUBSCRIBER_ROW_BORROWED] = this.borrowed;
    cells[SUBSCRIBER_ROW_WAITING] = this.#closed ? 0 : this.#ring.waiting;
  }

  #forgetSegment(): void {
    this.#segment = undefined;
    this.#segmentId = NONE;
    this.#samples = [];
  }

  #lied(what: string): undefined {
    this.lie ??= what;
    return undefined;
  }
}
