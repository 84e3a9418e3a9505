/**
 * What ports that receive have in common: the ends of their pairs, of which those that have ended stay until nothing is left in them, and
 * how a thread, an event loop or a foreign poll loop waits for something to come. Owns who waits.
 */
import { closedError } from '../../base/errors.js';
import { yieldProcessor } from '../../os/index.js';
import type { PortAddress } from './address.js';
import type { ControlLoop } from './control.js';
import { Doorbell } from './doorbell.js';
import type { Waitable } from './waitable.js';

/** The receiver's end of one pair. */
export interface Inbound {
  readonly peer: PortAddress;
  /** What the sender did that can't be; set once, then the end is to be closed. */
  lie: string | undefined;
  /** The connection has ended; what has come is still good. */
  readonly ended: boolean;
  /** Whether its port has told that the connection is over. */
  reported: boolean;
  /** Nothing more can be taken, whatever has come: the sender lied, or this process lacks what it would take. */
  readonly broken: boolean;
  /** Whether there is something to take. */
  readonly ready: boolean;
  /** Says that this side is about to sleep, and is to be woken. */
  beginWaiting(): void;
  endWaiting(): void;
  /** The connection is over: what has come stays, and the memory is given back with the last of it. Idempotent. */
  end(): void;
  /** Ends everything. Idempotent. */
  close(): void;
}

/**
 * How many receives until control is served, if it is time: an owner that polls may never let the event loop turn. More of them while they
 * are made quickly: to look at the clock costs as much as a receive.
 */
const RECEIVES_TO_SERVE = 16;
const MAX_RECEIVES_TO_SERVE = 128;
const QUICK_MS = 0.25;

/** Slices in which a thread waits, in milliseconds. */
const WAIT_SLICE_MS = 100;

export abstract class ReceiverPort<I extends Inbound> implements Waitable {
  readonly loop: ControlLoop;
  readonly #what: string;
  /** Replaced whenever it changes. */
  #inlets: readonly I[] = [];
  #untilServe = RECEIVES_TO_SERVE;
  #serveEvery = RECEIVES_TO_SERVE;
  #lookedMs = 0;
  #closed = false;
  readonly #bell: Doorbell;
  #waiting = 0;
  #polled = false;
  /** Whoever began to wait last found nothing. */
  #sleeps = false;

  /** `what`: the port, for errors. */
  constructor(what: string, loop: ControlLoop) {
    this.#what = what;
    this.loop = loop;
    this.#bell = new Doorbell(what);
  }

  abstract get received(): number;

  /** The connection is over, and told of once, at once: what is still to be received may wait for long. */
  protected abstract report(inlet: I): void;

  /** Nothing more can come from it. */
  protected abstract forgotten(inlet: I): void;

  /** It slept, perhaps until something came. */
  protected woke(): void {}

  get inlets(): readonly I[] {
    return this.#inlets;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get ready(): boolean {
    return this.#inlets.some((inlet) => inlet.ready);
  }

  /**
   * Readable when there may be something to receive, for as long as this port and its node live, from now on: who polls it receives until
   * nothing is left, then polls again. Borrowed. Throws ERR_SEALANE_CLOSED.
   */
  get fd(): number {
    if (!this.#polled) this.beginWaiting();
    this.#polled = true;
    return this.loop.fd;
  }

  /** Resolves when there may be something to receive; rejects when the signal fires, or the port is closed. */
  async untilReady(signal?: AbortSignal): Promise<void> {
    const ready = this.beginWaiting();
    try {
      if (!ready) await this.#bell.wait(signal, 'receiving');
    } finally {
      this.endWaiting();
    }
  }

  beginWaiting(): boolean {
    if (this.#closed) throw closedError(this.#what);
    this.#waiting += 1;
    for (const inlet of this.#inlets) inlet.beginWaiting();
    this.#sleeps = !this.ready;
    return !this.#sleeps;
  }

  endWaiting(): void {
    if (this.#sleeps) this.woke();
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    for (const inlet of this.#inlets) inlet.endWaiting();
  }

  /** Adds the end of a new pair. */
  add(inlet: I): void {
    this.#inlets = [...this.#inlets, inlet];
    if (this.#waiting > 0) inlet.beginWaiting();
    this.wake();
  }

  /** The connection of a pair has ended: what was sent can still be received. */
  end(inlet: I, lie: string | undefined): void {
    inlet.lie ??= lie;
    inlet.end();
    this.#reportOnce(inlet);
    this.retire(inlet);
    this.wake();
  }

  /** Something may have come. */
  wake(): void {
    this.#bell.ring();
  }

  /** Ends all connections. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#untilServe = 0;
    for (const inlet of this.#inlets) {
      inlet.close();
      this.#forget(inlet);
    }
    this.#bell.close();
  }

  /** Removes the end of a pair from which nothing more can come: it has ended, or its sender lies. */
  protected retire(inlet: I): void {
    if (inlet.ready) return;
    if (inlet.broken) inlet.close();
    else inlet.end();
    this.#forget(inlet);
  }

  /** To be called before each look, since there may always be something. Throws ERR_SEALANE_CLOSED. */
  protected serveNowAndThen(): void {
    this.#untilServe -= 1;
    if (this.#untilServe <= 0) this.#serveNow();
  }

  /**
   * There was nothing: has those who poll the descriptor woken by what comes from now on. True: look once more, something came meanwhile.
   * What has woken them is read first, and anew each time: unread it would wake them for ever.
   */
  protected rearm(): boolean {
    if (!this.#polled) return false;
    this.loop.serve();
    if (this.#closed) return false;
    for (const inlet of this.#inlets) inlet.beginWaiting();
    return this.ready;
  }

  /**
   * There was nothing: looks away for a moment until `spinUntilMs`, then sleeps, by performance.now(). False: it is later than `untilMs`.
   * Others get the processor in between: one of them may be the sender.
   */
  protected pause(untilMs: number, spinUntilMs: number): boolean {
    const nowMs = performance.now();
    if (nowMs < spinUntilMs) yieldProcessor();
    else if (nowMs < untilMs) this.#sleep(untilMs - nowMs);
    else return false;
    return true;
  }

  /** How long it may sleep at most, in milliseconds. */
  protected sleepMs(leftMs: number): number {
    return Math.min(Math.ceil(leftMs), WAIT_SLICE_MS);
  }

  /** A port that is closed always comes here. */
  #serveNow(): void {
    if (this.#closed) throw closedError(this.#what);
    const nowMs = performance.now();
    const quick = nowMs - this.#lookedMs < QUICK_MS;
    this.#lookedMs = nowMs;
    this.#serveEvery = quick ? Math.min(2 * this.#serveEvery, MAX_RECEIVES_TO_SERVE) : RECEIVES_TO_SERVE;
    this.#untilServe = this.#serveEvery;
    this.loop.serveIfDue(nowMs);
  }

  /** Waits a while for anything to happen, unless something is there. */
  #sleep(leftMs: number): void {
    const ready = this.beginWaiting();
    if (!ready) this.loop.wait(this.sleepMs(leftMs));
    this.endWaiting();
  }

  #forget(inlet: I): void {
    if (!this.#inlets.includes(inlet)) return;
    this.#inlets = this.#inlets.filter((other) => other !== inlet);
    this.forgotten(inlet);
    this.#reportOnce(inlet);
  }

  #reportOnce(inlet: I): void {
    if (inlet.reported) return;
    inlet.reported = true;
    this.report(inlet);
  }
}
