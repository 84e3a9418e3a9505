/**
 * How a publisher waits for a slot to come back, from whichever subscriber: with the thread blocked, or on the event loop. Owns the count of those
 * who wait. Nothing looks by itself: every subscriber wakes for what it gives back while somebody waits, and its end is told by the kernel.
 */
import { SealaneError } from '../../base/errors.js';
import { yieldProcessor } from '../../os/index.js';
import type { ControlLoop } from '../pairs/control.js';
import type { Doorbell } from '../pairs/doorbell.js';
import type { Outlet } from './outlet.js';

/** What waiting needs of the port. */
export interface ReturnsOptions {
  readonly loop: ControlLoop;
  /** Whether a node lives in this very thread: waiting for it here would wait for ever. */
  isLocal(node: string): boolean;
}

/** How long a thread sleeps at a time, in milliseconds. */
const WAIT_SLICE_MS = 100;

export class Returns {
  readonly #options: ReturnsOptions;
  /** Rung when a subscriber wakes, or is gone. */
  readonly #bell: Doorbell;
  readonly #port: { readonly outlets: readonly Outlet[] };
  #waiting = 0;

  constructor(options: ReturnsOptions, bell: Doorbell, port: { readonly outlets: readonly Outlet[] }) {
    this.#options = options;
    this.#bell = bell;
    this.#port = port;
  }

  /** This side gave something back itself: whoever waits looks again. */
  here(): void {
    if (this.#waiting > 0) this.#bell.ring();
  }

  /** There is another subscriber. */
  add(outlet: Outlet): void {
    if (this.#waiting > 0) outlet.beginAwaitingReturn();
  }

  /**
   * What `look` finds, as soon as it finds something: it is asked first, and whenever something may have come back. Who waits longer is asked earlier.
   * Rejects with what it throws, ERR_SEALANE_ABORTED (`what` was aborted), ERR_SEALANE_CLOSED.
   */
  async find<T>(look: () => T | undefined, signal: AbortSignal | undefined, what: string): Promise<T> {
    for (;;) {
      this.#begin();
      try {
        const found = look();
        if (found !== undefined) return found;
        await this.#bell.wait(signal, what);
      } finally {
        this.#end();
      }
    }
  }

  /**
   * The same with the thread blocked; undefined after `timeoutMs`. Looks for `spinMs` before it sleeps. Throws what `look` throws, and
   * ERR_SEALANE_LIMIT_EXCEEDED when no other thread has anything that could come back.
   */
  findBlocking<T>(look: () => T | undefined, timeoutMs: number, spinMs: number): T | undefined {
    const first = look();
    if (first !== undefined) return first;
    const beganMs = performance.now();
    for (;;) {
      const waitedMs = performance.now() - beganMs;
      if (waitedMs >= timeoutMs) return undefined;
      this.#requireOthers();
      const found = waitedMs < spinMs ? this.#spin(look) : this.#sleep(look, timeoutMs - waitedMs);
      if (found !== undefined) return found;
    }
  }

  /** Others may have the processor: one of them may be who gives something back. Who dies meanwhile is noticed. */
  #spin<T>(look: () => T | undefined): T | undefined {
    yieldProcessor();
    this.#options.loop.serveIfDue();
    return look();
  }

  /** Sleeps, unless there is something right before; then, and afterwards, what there is. */
  #sleep<T>(look: () => T | undefined, leftMs: number): T | undefined {
    this.#begin();
    try {
      const found = look();
      if (found !== undefined) return found;
      this.#options.loop.wait(Math.min(Math.ceil(leftMs), WAIT_SLICE_MS));
    } finally {
      this.#end();
    }
    return look();
  }

  /** Whoever looks now and finds nothing is woken by what comes back from now on: one of both sees the other, as in waiting.ts. */
  #begin(): void {
    this.#waiting += 1;
    for (const outlet of this.#port.outlets) outlet.beginAwaitingReturn();
  }

  #end(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    for (const outlet of this.#port.outlets) outlet.endAwaitingReturn();
  }

  #requireOthers(): void {
    const { outlets } = this.#port;
    if (outlets.some(({ held, peer }) => held > 0 && !this.#options.isLocal(peer.node))) return;
    throw new SealaneError(
      'ERR_SEALANE_LIMIT_EXCEEDED',
      'every buffer is with this very thread, being filled, in the history, or held by its subscribers: none comes back while it is ' +
        'blocked; release one, or wait on the event loop',
    );
  }
}
