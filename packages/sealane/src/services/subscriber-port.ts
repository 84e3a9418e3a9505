/**
 * A subscriber's port: receives from all its publishers in turn. Owns the ends of its pairs. This is the hot tier: receive and release
 * allocate nothing once every slot was seen, and make no system call while both sides are awake.
 */
import { diagnostics } from '../base/diagnostics.js';
import { closedError, SealaneError } from '../base/errors.js';
import { guardedWrites, yieldProcessor } from '../os/index.js';
import type { ControlLoop } from './control.js';
import { Doorbell } from './doorbell.js';
import type { Inlet, ModifiedSample } from './inlet.js';
import type { HotSample } from './received.js';
import type { Waitable } from './waitable.js';

/** What a port needs to know. Everything was checked. */
export interface SubscriberPortOptions {
  readonly maxBorrowed: number;
  readonly loop: ControlLoop;
  /** Samples of a publisher did not arrive. Called only where diagnostics want to know. */
  onMissed(inlet: Inlet, samples: number): void;
  /** The connection of an inlet is over, and why: undefined: its publisher closed or died. What it sent may still be received. */
  onGone(inlet: Inlet, lie: string | undefined): void;
}

/** How many receives until control is served: an owner that polls may never let the event loop turn. */
const SERVE_EVERY_RECEIVES = 16;

/** Slices in which a thread waits for a sample, in milliseconds. */
const WAIT_SLICE_MS = 100;

export class SubscriberPort implements Waitable {
  readonly #options: SubscriberPortOptions;
  /** Replaced whenever it changes. */
  #inlets: readonly Inlet[] = [];
  /** Whose turn it is. */
  #next = 0;
  #untilServe = SERVE_EVERY_RECEIVES;
  #received = 0;
  #missed = 0;
  #closed = false;
  readonly #bell = new Doorbell('the subscriber');
  #waiting = 0;
  /** Tells of writes into any sample that this process has received, and what it told when all was last in order. */
  readonly #writes = guardedWrites();
  #writesSeen = this.#writes[0];
  /** What was written into and is not told yet. */
  readonly #modified: ModifiedSample[] = [];

  constructor(options: SubscriberPortOptions) {
    this.#options = options;
  }

  get loop(): ControlLoop {
    return this.#options.loop;
  }

  get inlets(): readonly Inlet[] {
    return this.#inlets;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Something can be received now; of whom too much is borrowed counts as well. */
  get ready(): boolean {
    return this.#inlets.some((inlet) => inlet.ready);
  }

  /** Samples that were received so far. */
  get received(): number {
    return this.#received;
  }

  /** Samples that were missed so far, of all publishers. */
  get missed(): number {
    return this.#missed;
  }

  /**
   * The next sample, or undefined. Publishers take turns. Throws ERR_SEALANE_LIMIT_EXCEEDED when the only ones that are there are of
   * publishers of which `maxBorrowed` samples are borrowed, ERR_SEALANE_SAMPLE_MODIFIED (once), ERR_SEALANE_CLOSED.
   */
  receive(): HotSample | undefined {
    const sample = this.receiveAllowed();
    if (sample === undefined) this.requireReleases();
    return sample;
  }

  /** The same, without an error for want of a release. */
  receiveAllowed(): HotSample | undefined {
    this.requireUnmodified();
    return this.takeAllowed();
  }

  /** The same, whatever was written into. */
  takeAllowed(): HotSample | undefined {
    this.#serveNowAndThen();
    const inlets = this.#inlets;
    const count = inlets.length;
    let index = this.#next;
    for (let tries = 0; tries < count; tries++) {
      if (index >= count) index = 0;
      const inlet = inlets[index] as Inlet;
      index += 1;
      if (inlet.borrowed >= this.#options.maxBorrowed) continue;
      const sample = inlet.take();
      if (sample !== undefined) {
        this.#next = index;
        this.#received += 1;
        if (sample.missed > 0) this.#miss(inlet, sample.missed);
        return sample;
      }
      if (inlet.ended || inlet.broken) this.#retire(inlet);
    }
    return undefined;
  }

  /**
   * The next sample; blocks the thread until there is one, or undefined after `timeoutMs`. Looks for `spinMs` before it sleeps; whatever
   * comes meanwhile needs no wake-up.
   */
  receiveBlocking(timeoutMs: number, spinMs: number): HotSample | undefined {
    let sample = this.receive();
    if (sample !== undefined) return sample;
    const now = performance.now();
    const until = now + timeoutMs;
    if (spinMs > 0) sample = this.#spin(now + Math.min(spinMs, timeoutMs));
    while (sample === undefined) {
      const left = until - performance.now();
      if (!(left > 0)) break;
      this.#sleep(left);
      sample = this.receive();
    }
    return sample;
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
    if (this.#closed) throw closedError('the subscriber');
    this.#waiting += 1;
    for (const inlet of this.#inlets) inlet.beginWaiting();
    return this.ready;
  }

  endWaiting(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    for (const inlet of this.#inlets) inlet.endWaiting();
  }

  /** Adds a publisher. */
  add(inlet: Inlet): void {
    this.#inlets = [...this.#inlets, inlet];
    if (this.#waiting > 0) inlet.beginWaiting();
    this.wake();
  }

  /** The connection of a publisher has ended: what it sent can still be received. */
  end(inlet: Inlet, lie: string | undefined): void {
    inlet.lie ??= lie;
    inlet.end();
    this.#report(inlet);
    this.#retire(inlet);
    this.wake();
  }

  /** Something may have come. */
  wake(): void {
    this.#bell.ring();
  }

  /** Ends all connections. Samples that are borrowed end with them. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const inlet of this.#inlets) this.#remove(inlet);
    this.#bell.close();
  }

  /** Removes an inlet from which nothing more can come. What is borrowed from it stays good. */
  #retire(inlet: Inlet): void {
    if (inlet.ready) return;
    if (inlet.broken) inlet.close();
    else inlet.end();
    this.#forget(inlet);
  }

  #remove(inlet: Inlet): void {
    inlet.close();
    this.#forget(inlet);
  }

  #forget(inlet: Inlet): void {
    if (!this.#inlets.includes(inlet)) return;
    this.#inlets = this.#inlets.filter((other) => other !== inlet);
    this.#takeModified(inlet);
    this.#report(inlet);
  }

  /** Once, and at once: what is still to be received may wait for long. */
  #report(inlet: Inlet): void {
    if (inlet.reported) return;
    inlet.reported = true;
    this.#options.onGone(inlet, inlet.lie);
  }

  #miss(inlet: Inlet, samples: number): void {
    this.#missed += samples;
    if (diagnostics.lost.wanted) this.#options.onMissed(inlet, samples);
  }

  /** Also while every receive finds something. */
  #serveNowAndThen(): void {
    if (this.#closed) throw closedError('the subscriber');
    this.#untilServe -= 1;
    if (this.#untilServe > 0) return;
    this.#untilServe = SERVE_EVERY_RECEIVES;
    this.#options.loop.serveIfDue();
  }

  /** Nothing was received: throws ERR_SEALANE_LIMIT_EXCEEDED if that is because too much is held. */
  requireReleases(): void {
    for (const inlet of this.#inlets) {
      if (inlet.borrowed < this.#options.maxBorrowed || !inlet.ready) continue;
      const message =
        `${inlet.borrowed} samples of one publisher are borrowed, which is maxBorrowed: ` +
        'release some, or raise the setting';
      throw new SealaneError('ERR_SEALANE_LIMIT_EXCEEDED', message);
    }
  }

  /**
   * Throws ERR_SEALANE_SAMPLE_MODIFIED if samples were written into since the last time, when all is in order again. Before a sample is
   * taken: what was written into shows the publisher's memory as it was, and perhaps no more what is sent in the pages around it.
   */
  requireUnmodified(): void {
    if (this.#writes[0] !== this.#writesSeen) this.#restore();
  }

  #restore(): void {
    // Before the restoring: what another thread writes meanwhile is found the next time.
    const writes = this.#writes[0];
    for (const inlet of this.#inlets) inlet.restore();
    this.#writesSeen = writes;
    for (const inlet of this.#inlets) this.#takeModified(inlet);
    const [first, ...others] = this.#modified.splice(0);
    if (first !== undefined) throw sampleModified(first, others.length);
  }

  #takeModified(inlet: Inlet): void {
    this.#modified.push(...inlet.modified.splice(0));
  }

  /** Looks until then, and lets others have the processor in between: one of them may be the publisher. */
  #spin(until: number): HotSample | undefined {
    let sample: HotSample | undefined;
    while (sample === undefined && performance.now() < until) {
      yieldProcessor();
      sample = this.receive();
    }
    return sample;
  }

  /** Waits a while for anything to happen, unless a sample is there. */
  #sleep(ms: number): void {
    const ready = this.beginWaiting();
    if (!ready) this.#options.loop.wait(Math.min(Math.ceil(ms), WAIT_SLICE_MS));
    this.endWaiting();
  }
}

function sampleModified(
  { publisher: { node, port }, sequence }: ModifiedSample,
  others: number,
): SealaneError {
  const which = sequence === 0 ? 'memory beside the received samples' : `sample ${sequence}`;
  const message =
    `${which} of publisher ${port} of node ${node}${others === 0 ? '' : `, and ${others} more,`} was written into; ` +
    'nobody else saw it, and all is in order again: samples are for reading, copy what is to be changed';
  return new SealaneError('ERR_SEALANE_SAMPLE_MODIFIED', message, { sequence });
}
