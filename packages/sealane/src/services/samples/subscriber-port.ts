/**
 * A subscriber's port: receives from all its publishers in turn. Owns the ends of its pairs. This is the hot tier: receive and release
 * allocate nothing once every slot was seen, and make no system call while both sides are awake.
 */
import { diagnostics } from '../../base/diagnostics.js';
import { SealaneError } from '../../base/errors.js';
import { guardedWrites } from '../../os/index.js';
import type { PortFigures } from '../../shm/figures.js';
import { LatencyMeter } from '../../shm/latencies.js';
import {
  SUBSCRIBER_FIGURE_FORGOTTEN,
  SUBSCRIBER_FIGURE_MISSED,
  SUBSCRIBER_FIGURE_RECEIVED,
} from '../../shm/layout.js';
import type { ControlLoop } from '../pairs/control.js';
import { ReceiverPort } from '../pairs/receiver-port.js';
import type { Inlet, ModifiedSample } from './inlet.js';
import type { HotSample } from './received.js';

/** What a port needs to know. Everything was checked. */
export interface SubscriberPortOptions {
  readonly maxBorrowed: number;
  readonly loop: ControlLoop;
  readonly figures: PortFigures;
  /** Samples of a publisher did not arrive. Called only where diagnostics want to know. */
  onMissed(inlet: Inlet, samples: number): void;
  /** The connection of an inlet is over, and why: undefined: its publisher closed or died. What it sent may still be received. */
  onGone(inlet: Inlet, lie: string | undefined): void;
}

export class SubscriberPort extends ReceiverPort<Inlet> {
  readonly #options: SubscriberPortOptions;
  readonly #maxBorrowed: number;
  /** A publisher missed its turn, of which too many samples are borrowed. */
  #heldBack = false;
  /** Whose turn it is. */
  #next = 0;
  /** Of connections that are over. */
  #received = 0;
  #missed = 0;
  /** Samples that the garbage collector gave back. */
  #unreleased = 0;
  readonly #figures: PortFigures;
  /** While somebody observes. */
  #meter: LatencyMeter | undefined;
  /** The next sample is to be measured: never unless somebody observes. */
  #measures = false;
  #endMeasuring: () => unknown = () => undefined;
  /** Tells of writes into any sample that this process has received, and what it told when all was last in order. */
  readonly #writes = guardedWrites();
  #writesSeen = this.#writes[0];
  /** What was written into and is not told yet. */
  readonly #modified: ModifiedSample[] = [];

  constructor(options: SubscriberPortOptions) {
    super('the subscriber', options.loop);
    this.#options = options;
    this.#maxBorrowed = options.maxBorrowed;
    this.#figures = options.figures;
    this.#figures.onWrite = (cells) => this.#tell(cells);
    this.#figures.onObserved = (latencies) => this.#setMeter(latencies);
  }

  /** Samples that were received so far. */
  get received(): number {
    return this.inlets.reduce((sum, { received }) => sum + received, this.#received);
  }

  /** Samples that were missed so far, of all publishers. */
  get missed(): number {
    return this.inlets.reduce((sum, { missed }) => sum + missed, this.#missed);
  }

  override add(inlet: Inlet): void {
    inlet.onForgotten = () => {
      this.#unreleased += 1;
    };
    this.#figures.addRow(inlet.figures);
    super.add(inlet);
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
    this.serveNowAndThen();
    const { inlets } = this;
    const count = inlets.length;
    let index = this.#next;
    for (let tries = 0; tries < count; tries++) {
      if (index >= count) index = 0;
      const inlet = inlets[index] as Inlet;
      index += 1;
      const sample = this.#take(inlet);
      if (sample === undefined) continue;
      this.#next = index;
      return sample;
    }
    return undefined;
  }

  #take(inlet: Inlet): HotSample | undefined {
    if (inlet.borrowed >= this.#maxBorrowed) return this.#holdBack();
    const sample = inlet.take();
    if (sample === undefined) {
      if (inlet.ended || inlet.broken) this.retire(inlet);
    } else if (sample.missed > 0 || this.#measures) this.#note(inlet, sample);
    return sample;
  }

  #holdBack(): undefined {
    this.#heldBack = true;
  }

  #note(inlet: Inlet, sample: HotSample): void {
    if (sample.missed > 0) this.#miss(inlet, sample.missed);
    if (this.#measures) this.#measure(inlet, sample);
  }

  /**
   * The next sample; blocks the thread until there is one, or undefined after `timeoutMs`. Looks for `spinMs` before it sleeps; whatever
   * comes meanwhile needs no wake-up.
   */
  receiveBlocking(timeoutMs: number, spinMs: number): HotSample | undefined {
    let sample = this.receive();
    if (sample !== undefined) return sample;
    const nowMs = performance.now();
    const spinUntilMs = nowMs + Math.min(spinMs, timeoutMs);
    while (sample === undefined && this.pause(nowMs + timeoutMs, spinUntilMs)) sample = this.receive();
    return sample;
  }

  protected report(inlet: Inlet): void {
    this.#options.onGone(inlet, inlet.lie);
  }

  protected forgotten(inlet: Inlet): void {
    this.#takeModified(inlet);
    this.#received += inlet.received;
    this.#missed += inlet.missed;
    this.#figures.removeRow(inlet.figures);
  }

  override close(): void {
    if (!this.closed) this.#setMeter(undefined);
    super.close();
  }

  /** The next sample ends a sleep. */
  protected override woke(): void {
    this.#measures = this.#meter !== undefined;
  }

  /** A sample is measured whenever control was served: some hundreds a second, whatever their number. */
  #setMeter(latencies: Float64Array | undefined): void {
    this.#endMeasuring();
    this.#measures = false;
    this.#meter = latencies === undefined ? undefined : new LatencyMeter(latencies);
    this.#endMeasuring = latencies === undefined ? () => undefined : this.loop.onServe(() => this.woke());
  }

  #measure(inlet: Inlet, sample: HotSample): void {
    this.#measures = false;
    if (this.#meter !== undefined) inlet.measure(sample, this.#meter);
  }

  #tell(cells: Float64Array): void {
    cells[SUBSCRIBER_FIGURE_RECEIVED] = this.#received;
    cells[SUBSCRIBER_FIGURE_MISSED] = this.#missed;
    cells[SUBSCRIBER_FIGURE_FORGOTTEN] = this.#unreleased;
  }

  #miss(inlet: Inlet, samples: number): void {
    inlet.missed += samples;
    if (diagnostics.lost.wanted) this.#options.onMissed(inlet, samples);
  }

  /** Nothing was received: throws ERR_SEALANE_LIMIT_EXCEEDED if that is because too much is held. */
  requireReleases(): void {
    if (this.#heldBack) this.#requireReleases();
  }

  #requireReleases(): void {
    this.#heldBack = false;
    for (const inlet of this.inlets) {
      if (inlet.borrowed < this.#maxBorrowed || !inlet.ready) continue;
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
    for (const inlet of this.inlets) inlet.restore();
    this.#writesSeen = writes;
    for (const inlet of this.inlets) this.#takeModified(inlet);
    const [first, ...others] = this.#modified.splice(0);
    if (first !== undefined) throw sampleModified(first, others.length);
  }

  #takeModified(inlet: Inlet): void {
    this.#modified.push(...inlet.modified.splice(0));
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
