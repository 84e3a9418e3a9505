/**
 * The publisher's end of one pair: its ring, and the record of which slots the subscriber has. Owns the socket and the mapping of the
 * control memory. Trusts nothing that the subscriber writes there: the record is private, and a subscriber that lies loses its
 * connection, and nobody else notices.
 */
import type { Mapping, UnixSocket } from '../../os/index.js';
import type { ChannelShape } from '../../shm/channel.js';
import { CompletionReader } from '../../shm/completion.js';
import { FiguresRow } from '../../shm/figures.js';
import { PUBLISHER_ROW_HELD, PUBLISHER_ROW_LOST, PUBLISHER_ROW_WAITING } from '../../shm/layout.js';
import { CORRUPT, FULL, NONE } from '../../shm/outcome.js';
import type { SlotPool } from '../../shm/slot-pool.js';
import { SubmissionWriter } from '../../shm/submission.js';
import { PUBLISHER_WAITING, SUBSCRIBER_WAITING } from '../../shm/waiting.js';
import type { PortAddress } from '../pairs/address.js';
import type { ControlLoop } from '../pairs/control.js';
import { type PairEvents, PairSocket } from '../pairs/pair-socket.js';
import { MAX_CELLS, readNumber, SEQUENCE, SLOT_BITS, SLOT_MASK } from '../pairs/slots.js';
import type { OutboundCompanion, OutboundLuggage } from './companion.js';
import { Handout } from './handout.js';
import type { Segment } from './segment.js';

/** What a subscriber was granted. */
export interface OutletOptions {
  readonly peer: PortAddress;
  readonly socket: UnixSocket;
  readonly control: Mapping;
  readonly shape: ChannelShape;
  /** The segment that the handshake handed out. */
  readonly segment: Segment;
  /** Segments that the publisher may have at a time. */
  readonly maxSegments: number;
  readonly bufferSize: number;
  readonly maxBorrowed: number;
  readonly loop: ControlLoop;
  readonly events: PairEvents;
  /** What goes ahead of samples. */
  readonly luggage: OutboundLuggage | undefined;
}

/** A segment that the subscriber knows. */
interface Handed {
  readonly segment: Segment;
  /** 1 for each slot that the subscriber has: in the ring, borrowed, or on its way back. */
  readonly holds: Uint8Array;
}

/** One subscriber, seen from the publisher. */
export class Outlet {
  readonly peer: PortAddress;
  /** Samples that the subscriber did not get: they gave way, or were dropped because it was full. */
  lost = 0;
  /** What observers see of the pair. */
  readonly figures: FiguresRow;
  /** What the subscriber did that can't be; set once, then the outlet is to be closed. */
  lie: string | undefined;
  readonly #socket: PairSocket;
  readonly #control: Mapping;
  readonly #ring: SubmissionWriter;
  readonly #completions: CompletionReader;
  readonly #handout: Handout;
  #companion: OutboundCompanion | undefined;
  /** The segments that the subscriber knows, by their numbers. */
  readonly #handed: (Handed | undefined)[] = [];
  /** That of the sample which there was room for last, with what is needed of it for every sample. */
  #segment: Segment;
  /** The same, unless something goes ahead of its samples. */
  #plainSegment: Segment | undefined;
  #segmentId = 0;
  #base = 0;
  #pool: SlotPool;
  #holds: Uint8Array;
  readonly #maxHeld: number;
  #held = 0;
  #closed = false;

  constructor(options: OutletOptions) {
    const { control, shape, segment, bufferSize, maxSegments } = options;
    const words = new Int32Array(control.buffer);
    this.peer = options.peer;
    this.figures = new FiguresRow(options.peer, options, (cells) => this.#writeFigures(cells));
    this.#control = control;
    this.#socket = new PairSocket(
      options.socket,
      options.loop,
      words,
      PUBLISHER_WAITING,
      SUBSCRIBER_WAITING,
      options.events,
    );
    this.#ring = new SubmissionWriter(words, shape.submissionCells, bufferSize);
    this.#completions = new CompletionReader(words, shape, maxSegments > 1 ? MAX_CELLS : segment.pool.slots);
    this.#handout = new Handout(this.#socket);
    this.#companion = options.luggage?.companion(this.#socket);
    this.#segment = segment;
    this.#pool = segment.pool;
    this.#holds = this.#note(segment).holds;
    this.#use(segment, this.#holds);
    this.#maxHeld = bufferSize + options.maxBorrowed;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Slots that the subscriber has, as far as is known. */
  get held(): number {
    return this.#held;
  }

  /** Samples that wait for the subscriber, as of the last look. */
  get waiting(): number {
    return this.#ring.length;
  }

  /** Whether a sample of the segment can be published now, without anything giving way. */
  hasRoom(segment: Segment): boolean {
    if (this.#held >= this.#maxHeld && !this.#regain()) return false;
    if (this.#ring.checkRoom() !== NONE) return false;
    return this.#plainSegment === segment || this.#canTell(segment);
  }

  /**
   * Finds out anew whether there is room for a sample of the segment: true, or false for a full buffer or socket, or a liar. The head first, then what came back: then what the
   * subscriber has is what is in the ring and what it borrowed, and no honest one has more than both together.
   */
  look(segment: Segment): boolean {
    return this.#lookAtRing() && this.#canTell(segment);
  }

  /**
   * Makes room by taking the oldest sample back, unless the subscriber makes some first. False: it lies, or reads nothing at all: it can't
   * be told of the segment, and loses the sample.
   */
  makeRoom(segment: Segment): boolean {
    if (!this.#canTell(segment)) {
      this.drop();
      return false;
    }
    while (!this.#lookAtRing()) {
      if (this.lie !== undefined) return false;
      if (this.giveWay() && this.#held < this.#maxHeld) return true;
    }
    return this.lie === undefined;
  }

  /** Takes the oldest sample back that waits. False: there is none now, or the subscriber lies. */
  giveWay(): boolean {
    const cell = this.#ring.takeBack();
    if (cell === NONE) return false;
    this.drop();
    return this.#giveUp(cell);
  }

  /** Of the last samples of the publisher, those that can go now, all at once: see {@link OutboundCompanion.latest}. */
  latest(cells: readonly number[], last: number): readonly number[] {
    if (this.#companion === undefined || cells.length === 0) return cells;
    const slots = cells.map((cell) => cell & SLOT_MASK);
    return cells.slice(-this.#companion.latest(slots, last));
  }

  /**
   * Publishes a slot of the segment for which there was room just now. Wakes the subscriber if it sleeps. False: what goes ahead of it had
   * no room after all.
   */
  publish(slot: number): boolean {
    if (this.#companion !== undefined && !this.#sendAhead(this.#companion, slot)) return false;
    this.#holds[slot] = 1;
    this.#held += 1;
    this.#pool.retain(slot);
    this.#ring.publish(this.#base + slot);
    // Behind the store of the tail: the other half of the agreement in waiting.ts.
    this.#socket.wakeIfWaiting(0);
    return true;
  }

  /** The subscriber does not get a sample. */
  drop(): void {
    this.lost += 1;
  }

  /** Takes what came back. False: the subscriber lies. */
  reclaim(): boolean {
    for (let cell = this.#completions.take(); cell !== NONE; cell = this.#completions.take()) {
      if (cell === CORRUPT) return this.#lied('a slot that never was');
      if (!this.#giveUp(cell)) return false;
    }
    return true;
  }

  /** A segment has ended, of which nobody has anything: the subscriber is told, if it knew it. */
  retire({ id }: Segment): void {
    if (this.#handed[id] === undefined) return;
    this.#handed[id] = undefined;
    this.#handout.retire(id);
  }

  /**
   * Says that the publisher is about to wait for room. Look once more before it does. It is woken when half of the buffer is empty: to be
   * woken for each sample would cost more than the sample. A subscriber that stops before that is looked at from time to time.
   */
  beginWaiting(): void {
    this.#socket.beginWaiting(Math.ceil(this.#ring.limit / 2));
  }

  endWaiting(): void {
    this.#socket.endWaiting();
  }

  /** Says that the publisher is about to wait for a slot to come back. Look once more before it does. */
  beginAwaitingReturn(): void {
    this.#socket.beginAwaitingReturn();
  }

  endAwaitingReturn(): void {
    this.#socket.endAwaitingReturn();
  }

  /** Ends the connection: the subscriber finds out at once, and what it had comes back. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const handed of this.#handed) if (handed !== undefined) this.#takeAll(handed);
    this.#socket.close();
    this.#control.close();
  }

  /** Takes what came back, for a subscriber that would have too much otherwise. */
  #regain(): boolean {
    return this.reclaim() && this.#held < this.#maxHeld;
  }

  #writeFigures(cells: Float64Array): void {
    cells[PUBLISHER_ROW_LOST] = this.lost;
    cells[PUBLISHER_ROW_HELD] = this.#held;
    cells[PUBLISHER_ROW_WAITING] = this.#closed ? 0 : this.#ring.waiting;
  }

  #giveUp(cell: number): boolean {
    const slot = cell & SLOT_MASK;
    if (cell >>> SLOT_BITS === this.#segmentId) return this.#giveBack(slot, this.#holds, this.#pool);
    const handed = this.#handed[cell >>> SLOT_BITS];
    if (handed === undefined) return this.#lied(`slot ${slot}, which it does not have`);
    return this.#giveBack(slot, handed.holds, handed.segment.pool);
  }

  #giveBack(slot: number, holds: Uint8Array, pool: SlotPool): boolean {
    if (holds[slot] !== 1) return this.#lied(`slot ${slot}, which it does not have`);
    holds[slot] = 0;
    this.#held -= 1;
    pool.release(slot);
    return true;
  }

  #takeAll({ segment, holds }: Handed): void {
    holds.forEach((held, slot) => {
      if (held === 1) this.#giveUp(segment.base + slot);
    });
  }

  /** The ring as it is now, and what came back. False: it is full, or the subscriber lies. */
  #lookAtRing(): boolean {
    const room = this.#ring.look();
    if (room === CORRUPT) return this.#lied('a position that never was');
    if (!this.reclaim() || room === FULL) return false;
    if (this.#held >= this.#maxHeld) return this.#lied(`more than ${this.#maxHeld} samples at once`);
    return true;
  }

  /** Whether its socket has room for all that goes ahead of a sample of the segment. */
  #canTell(segment: Segment): boolean {
    return this.#knows(segment) && (this.#companion === undefined || this.#companion.hasRoom());
  }

  /** Sends what goes ahead of a sample, and does without the companion once it has no more. */
  #sendAhead(companion: OutboundCompanion, slot: number): boolean {
    const { memory } = this.#segment;
    const sequence = readNumber(memory.words, memory.firstWord(slot) + SEQUENCE);
    if (!companion.send(sequence, slot)) return false;
    if (companion.done) {
      this.#companion = undefined;
      this.#plainSegment = this.#segment;
    }
    return true;
  }

  /** Whether the subscriber knows the segment; it is told if it does not and that can be done now. */
  #knows(segment: Segment): boolean {
    return this.#segment === segment || this.#tell(segment);
  }

  #tell(segment: Segment): boolean {
    const handed = this.#handed[segment.id];
    if (handed === undefined && !this.#handout.give(segment)) return false;
    this.#use(segment, (handed ?? this.#note(segment)).holds);
    return true;
  }

  #use(segment: Segment, holds: Uint8Array): void {
    this.#segment = segment;
    this.#plainSegment = this.#companion === undefined ? segment : undefined;
    this.#segmentId = segment.id;
    this.#base = segment.base;
    this.#pool = segment.pool;
    this.#holds = holds;
  }

  #note(segment: Segment): Handed {
    const handed = { segment, holds: new Uint8Array(segment.pool.slots) };
    while (this.#handed.length <= segment.id) this.#handed.push(undefined);
    this.#handed[segment.id] = handed;
    return handed;
  }

  #lied(what: string): false {
    this.lie ??= what;
    return false;
  }
}
