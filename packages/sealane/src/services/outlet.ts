/**
 * The publisher's end of one pair: its ring, and the record of which slots the subscriber has. Owns the socket and the mapping of the
 * control memory. Trusts nothing that the subscriber writes there: the record is private, and a subscriber that lies loses its
 * connection, and nobody else notices.
 */
import type { Mapping, UnixSocket } from '../os/index.js';
import type { ChannelShape } from '../shm/channel.js';
import { CompletionReader } from '../shm/completion.js';
import { CORRUPT, FULL, NONE } from '../shm/outcome.js';
import type { SlotPool } from '../shm/slot-pool.js';
import { SubmissionWriter } from '../shm/submission.js';
import { PUBLISHER_WAITING, SUBSCRIBER_WAITING } from '../shm/waiting.js';
import type { ControlLoop } from './control.js';
import { type PairEvents, PairSocket } from './pair-socket.js';

/** A port, as its peers see it. */
export interface PortAddress {
  /** Its node: 16 hexadecimal digits. */
  readonly node: string;
  /** Its number within the node. */
  readonly port: number;
  /** The process of its node, as the kernel says; 0 outside of this pid namespace. */
  readonly pid: number;
}

/** What a subscriber was granted. */
export interface OutletOptions {
  readonly peer: PortAddress;
  readonly socket: UnixSocket;
  readonly control: Mapping;
  readonly shape: ChannelShape;
  readonly pool: SlotPool;
  readonly bufferSize: number;
  readonly maxBorrowed: number;
  readonly loop: ControlLoop;
  readonly events: PairEvents;
}

/** One subscriber, seen from the publisher. */
export class Outlet {
  readonly peer: PortAddress;
  /** Samples that the subscriber did not get: they gave way, or were dropped because it was full. */
  lost = 0;
  /** What the subscriber did that can't be; set once, then the outlet is to be closed. */
  lie: string | undefined;
  readonly #socket: PairSocket;
  readonly #control: Mapping;
  readonly #pool: SlotPool;
  readonly #ring: SubmissionWriter;
  readonly #completions: CompletionReader;
  /** 1 for each slot that the subscriber has: in the ring, borrowed, or on its way back. */
  readonly #holds: Uint8Array;
  readonly #maxHeld: number;
  #held = 0;
  #closed = false;

  constructor(options: OutletOptions) {
    const { control, shape, pool, bufferSize } = options;
    const words = new Int32Array(control.buffer);
    this.peer = options.peer;
    this.#control = control;
    this.#socket = new PairSocket(
      options.socket,
      options.loop,
      words,
      PUBLISHER_WAITING,
      SUBSCRIBER_WAITING,
      options.events,
    );
    this.#pool = pool;
    this.#ring = new SubmissionWriter(words, shape.submissionCells, bufferSize);
    this.#completions = new CompletionReader(words, shape, pool.slots);
    this.#holds = new Uint8Array(pool.slots);
    this.#maxHeld = bufferSize + options.maxBorrowed;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Slots that the subscriber has, as far as is known. */
  get held(): number {
    return this.#held;
  }

  /** Whether a sample can be published now, without anything giving way. */
  get hasRoom(): boolean {
    return this.#ring.checkRoom() === NONE && this.#held < this.#maxHeld;
  }

  /**
   * Finds out anew whether there is room: true, or false for a full buffer or a liar. The head first, then what came back: then what the
   * subscriber has is what is in the ring and what it borrowed, and no honest one has more than both together.
   */
  look(): boolean {
    const room = this.#ring.look();
    if (room === CORRUPT) return this.#lied('a position that never was');
    if (!this.reclaim() || room === FULL) return false;
    if (this.#held >= this.#maxHeld) return this.#lied(`more than ${this.#maxHeld} samples at once`);
    return true;
  }

  /** Makes room by taking the oldest sample back, unless the subscriber makes some first. False: it lies. */
  makeRoom(): boolean {
    while (!this.look()) {
      if (this.lie !== undefined) return false;
      const slot = this.#ring.takeBack();
      if (slot === NONE) continue;
      this.lost += 1;
      if (!this.#giveUp(slot)) return false;
      if (this.#held < this.#maxHeld) return true;
    }
    return true;
  }

  /** Publishes a slot; there must be room. Wakes the subscriber if it sleeps. */
  publish(slot: number): void {
    this.#holds[slot] = 1;
    this.#held += 1;
    this.#pool.retain(slot);
    this.#ring.publish(slot);
    // Behind the store of the tail: the other half of the agreement in waiting.ts.
    this.#socket.wakeIfWaiting(0);
  }

  /** Takes what came back. False: the subscriber lies. */
  reclaim(): boolean {
    for (let slot = this.#completions.take(); slot !== NONE; slot = this.#completions.take()) {
      if (slot === CORRUPT) return this.#lied('a slot that never was');
      if (!this.#giveUp(slot)) return false;
    }
    return true;
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

  /** Ends the connection: the subscriber finds out at once, and what it had comes back. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#holds.forEach((held, slot) => {
      if (held === 1) this.#giveUp(slot);
    });
    this.#socket.close();
    this.#control.close();
  }

  #giveUp(slot: number): boolean {
    if (this.#holds[slot] !== 1) return this.#lied(`slot ${slot}, which it does not have`);
    this.#holds[slot] = 0;
    this.#held -= 1;
    this.#pool.release(slot);
    return true;
  }

  #lied(what: string): false {
    this.lie ??= what;
    return false;
  }
}
