/**
 * How a publisher gets room in one subscriber: what is oldest gives way, or it waits, as its `whenFull` says, with the thread blocked or on the
 * event loop. Owns nothing. Trusts no subscriber: one that lies has no room, and is its port's to remove.
 */
import { diagnostics } from '../../base/diagnostics.js';
import type { ControlLoop } from '../pairs/control.js';
import type { Doorbell } from '../pairs/doorbell.js';
import { type FullAction, FullDecision, type FullHandler, fullError, waitsForItself } from './full.js';
import type { Outlet } from './outlet.js';
import type { Segment } from './segment.js';

/** What is needed of the port. */
export interface RoomOptions {
  /** The oldest sample gives way; nobody waits then. */
  readonly overflow: boolean;
  readonly whenFull: FullAction | FullHandler;
  readonly loop: ControlLoop;
  /** Whether a node lives in this very thread: waiting for it here would wait for ever. */
  isLocal(node: string): boolean;
  /** Samples do not get to a subscriber. Called only where diagnostics want to know. */
  onLost(outlet: Outlet, samples: number): void;
}

/** How often a publisher that has to wait looks before it sleeps: some 20 us. A subscriber that is awake makes room in less. */
const SPIN_LOOKS = 500;

/** How long a publisher waits for room before it looks by itself, in milliseconds: it is woken when half of the buffer is empty. */
const WAIT_SLICE_MS = 100;

export class Room {
  readonly #options: RoomOptions;
  /** Rung when a subscriber may have room. */
  readonly #bell: Doorbell;

  constructor(options: RoomOptions, bell: Doorbell) {
    this.#options = options;
    this.#bell = bell;
  }

  /** The subscriber does not get a sample. */
  lose(outlet: Outlet): void {
    outlet.drop();
    if (diagnostics.lost.wanted) this.#options.onLost(outlet, 1);
  }

  /** Room now, perhaps by way of what is oldest. False: there is none, the subscriber lies, or with `overflow` has lost the sample. */
  look(outlet: Outlet, segment: Segment): boolean {
    if (!this.#options.overflow) return outlet.look(segment);
    const before = outlet.lost;
    const room = outlet.makeRoom(segment);
    if (diagnostics.lost.wanted && outlet.lost > before) this.#options.onLost(outlet, outlet.lost - before);
    return room;
  }

  /** Room for a sample of the segment, with the thread blocked until then. False: the subscriber does not get it. Throws as send does. */
  wait(outlet: Outlet, segment: Segment): boolean {
    const decision = new FullDecision(this.#options.whenFull, outlet.peer);
    while (outlet.lie === undefined && !outlet.closed) {
      const action = decision.next();
      if (this.#isLost(action, outlet)) return false;
      if (action === 'wait') this.#block(outlet, segment);
      else this.#options.loop.serveIfDue();
      if (!outlet.closed && outlet.look(segment)) return true;
    }
    return false;
  }

  /** The same on the event loop; rejects when the signal fires. */
  async waitAsync(outlet: Outlet, segment: Segment, signal: AbortSignal | undefined): Promise<boolean> {
    const decision = new FullDecision(this.#options.whenFull, outlet.peer);
    while (outlet.lie === undefined && !outlet.closed) {
      const action = decision.next();
      if (this.#isLost(action, outlet)) return false;
      await (action === 'wait'
        ? this.#untilRung(outlet, segment, signal)
        : new Promise((resolve) => setImmediate(resolve)));
      if (!outlet.closed && outlet.look(segment)) return true;
    }
    return false;
  }

  #isLost(action: FullAction | 'retry', outlet: Outlet): boolean {
    // A handler may close the publisher.
    if (outlet.closed) return true;
    if (action === 'fail') throw fullError(outlet.peer);
    if (action !== 'drop') return false;
    this.lose(outlet);
    return true;
  }

  /** Blocks the thread until the subscriber does something. */
  #block(outlet: Outlet, segment: Segment): void {
    if (this.#options.isLocal(outlet.peer.node)) throw waitsForItself();
    for (let looks = 0; looks < SPIN_LOOKS; looks++)
      if (outlet.look(segment) || outlet.lie !== undefined) return;
    outlet.beginWaiting();
    if (!outlet.look(segment) && outlet.lie === undefined) this.#options.loop.wait(WAIT_SLICE_MS);
    outlet.endWaiting();
  }

  /** Resolves when the subscriber has done something; rejects when the signal fires. */
  async #untilRung(outlet: Outlet, segment: Segment, signal: AbortSignal | undefined): Promise<void> {
    outlet.beginWaiting();
    const timer = setInterval(() => this.#bell.ring(), WAIT_SLICE_MS);
    try {
      if (!outlet.look(segment) && outlet.lie === undefined) await this.#bell.wait(signal, 'sending');
    } finally {
      clearInterval(timer);
      outlet.endWaiting();
    }
  }
}
