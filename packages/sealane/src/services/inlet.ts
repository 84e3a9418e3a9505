/**
 * The subscriber's end of one pair: takes slots from the ring, and gives them back. Owns the socket, the mappings of the control memory
 * and of the publisher's slots, and the objects of the samples. Trusts the publisher not to change a sample that it sent; not its
 * numbers: every index and length is read once and checked, and a publisher that lies loses its connection.
 */
import type { Mapping, UnixSocket } from '../os/index.js';
import type { ChannelShape } from '../shm/channel.js';
import { CompletionWriter } from '../shm/completion.js';
import { NONE } from '../shm/outcome.js';
import { SubmissionReader } from '../shm/submission.js';
import { PUBLISHER_WAITING, SUBSCRIBER_WAITING } from '../shm/waiting.js';
import type { ControlLoop } from './control.js';
import type { PortAddress } from './outlet.js';
import { type PairEvents, PairSocket } from './pair-socket.js';
import { type Borrower, HotSample } from './received.js';
import { readNumber, SEQUENCE, SlotMemory, type SlotShape } from './slots.js';

/** What the handshake brought. */
export interface InletOptions {
  readonly peer: PortAddress;
  readonly socket: UnixSocket;
  /** Guarded, slot by slot. */
  readonly slots: Mapping;
  readonly control: Mapping;
  readonly slotShape: SlotShape;
  readonly channelShape: ChannelShape;
  /** The sequence number before that of the first sample to come. */
  readonly sequenceBefore: number;
  readonly loop: ControlLoop;
  readonly events: PairEvents;
}

/** A sample that this process wrote into. */
export interface ModifiedSample {
  readonly publisher: PortAddress;
  /** 0: a slot in which no sample was received yet. */
  readonly sequence: number;
}

/** One publisher, seen from the subscriber. */
export class Inlet implements Borrower {
  readonly peer: PortAddress;
  readonly memory: SlotMemory;
  /** Samples that are borrowed now. */
  borrowed = 0;
  /** What the publisher did that can't be; set once, then the inlet is to be closed. */
  lie: string | undefined;
  /** The connection has ended; what is in the ring and what is borrowed is still good. */
  ended = false;
  /** Whether its port has told that the connection is over. */
  reported = false;
  /** Samples that this process wrote into. Its port takes them. */
  readonly modified: ModifiedSample[] = [];
  readonly #socket: PairSocket;
  readonly #slots: Mapping;
  readonly #control: Mapping;
  readonly #ring: SubmissionReader;
  readonly #completions: CompletionWriter;
  readonly #samples: (HotSample | undefined)[] = [];
  #lastSequence: number;
  #closed = false;

  constructor(options: InletOptions) {
    const { slotShape, channelShape, control } = options;
    const words = new Int32Array(control.buffer);
    this.peer = options.peer;
    this.#lastSequence = options.sequenceBefore;
    this.memory = new SlotMemory(options.slots.buffer, slotShape);
    this.#slots = options.slots;
    this.#control = control;
    this.#ring = new SubmissionReader(words, channelShape.submissionCells, slotShape.slots);
    this.#completions = new CompletionWriter(words, channelShape);
    this.#socket = new PairSocket(
      options.socket,
      options.loop,
      words,
      SUBSCRIBER_WAITING,
      PUBLISHER_WAITING,
      options.events,
    );
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether there is something to take. */
  get ready(): boolean {
    return !this.#closed && this.#ring.ready;
  }

  /** Borrows the oldest sample. Undefined: there is none, or the publisher lies. */
  take(): HotSample | undefined {
    // The last release of an ended inlet closes it, before its port has looked again.
    if (this.#closed) return undefined;
    const slot = this.#ring.take();
    if (slot === NONE) return undefined;
    if (slot < 0) return this.#lied('a sample that can not be');
    // Behind the compare-exchange that made the room: the other half of the agreement in waiting.ts.
    this.#socket.wakeIfWaiting(this.#ring.left);
    const sample = this.#samples[slot] ?? this.#makeSample(slot);
    if (sample.borrowed || !sample.begin())
      return this.#lied(`slot ${slot} twice, or a length that does not fit`);
    this.borrowed += 1;
    this.#count(sample);
    return sample;
  }

  release(sample: HotSample): void {
    this.borrowed -= 1;
    this.#completions.release(sample.slot);
    if (this.ended && this.borrowed === 0 && !this.#ring.ready) this.close();
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
    for (const slot of this.#slots.restore())
      this.modified.push({ publisher: this.peer, sequence: this.#samples[slot]?.sequence ?? 0 });
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
    try {
      this.restore();
    } catch {
      // Only what shall be told of the samples is lost by it: the memory goes.
    }
    this.#closed = true;
    this.ended = true;
    for (const sample of this.#samples) if (sample?.borrowed) sample.end();
    this.borrowed = 0;
    this.#socket.close();
    this.#control.close();
    this.#slots.close();
  }

  #makeSample(slot: number): HotSample {
    const sample = new HotSample(this, slot);
    while (this.#samples.length < slot) this.#samples.push(undefined);
    this.#samples[slot] = sample;
    return sample;
  }

  /** How many samples were missed, by the sequence numbers. */
  #count(sample: HotSample): void {
    const sequence = readNumber(this.memory.words, sample.firstWord + SEQUENCE);
    const last = this.#lastSequence;
    sample.sequence = sequence;
    sample.missed = sequence <= last ? 0 : sequence - last - 1;
    this.#lastSequence = sequence;
  }

  #lied(what: string): undefined {
    this.lie ??= what;
    return undefined;
  }
}
