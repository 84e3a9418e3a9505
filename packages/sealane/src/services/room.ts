/**
 * How a publisher waits for room in one subscriber, as its `whenFull` says: with the thread blocked, or on the event loop. Owns nothing. Trusts
 * no subscriber: one that lies has no room, and is its port's to remove.
 */
import type { ControlLoop } from './control.js';
import type { Doorbell } from './doorbell.js';
import { type FullAction, FullDecision, type FullHandler, fullError, waitsForItself } from './full.js';
import type { Outlet } from './outlet.js';
import type { Segment } from './segment.js';

/** What waiting needs of the port. */
export interface RoomOptions {
  readonly whenFull: FullAction | FullHandler;
  readonly loop: ControlLoop;
  /** Whether a node lives in this very thread: waiting for it here would wait for ever. */
  isLocal(node: string): boolean;
}

/** How often a publisher that has to wait looks before it sleeps: some 20 us. A subscriber that is awake makes room in less. */
const SPIN_LOOKS = 500;

/** How long a publisher waits for room before it looks by itself, in milliseconds: it is woken when half of the buffer is empty. */
const WAIT_SLICE_MS = 100;

export class Room {
  readonly #options: RoomOptions;
  /** Rung when a subscriber may have room. */
  readonly #bell: Doorbell;
  readonly #lose: (outlet: Outlet) => void;

  /** `lose` is told of each sample that is dropped. */
  constructor(options: RoomOptions, bell: Doorbell, lose: (outlet: Outlet) => void) {
    this.#options = options;
    this.#bell = bell;
    this.#lose = lose;
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
    this.#lose(outlet);
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
