/**
 * A subscriber, as its user sees it: the checked tier, and the way to the hot one. Owns its port and its file in the service.
 */

import { checkInteger, checkOptions, checkSignal } from '../../base/check.js';
import { isSealaneError } from '../../base/errors.js';
import type { ServiceSettings } from '../domain/settings.js';
import type { PortAddress } from '../pairs/address.js';
import { type BlockingOptions, checkBlocking, DEFAULT_SPIN_MS } from '../pairs/blocking.js';
import { untilConnected } from '../pairs/connected.js';
import type { Doorbell } from '../pairs/doorbell.js';
import type { Waitable } from '../pairs/waitable.js';
import { CheckedSample, ForgottenWatch } from './checked.js';
import type { HotSample, Sample } from './received.js';
import type { SubscriberPort } from './subscriber-port.js';

/** What a subscriber chooses for itself. */
export interface SubscriberOptions {
  /** Samples that may wait for it, for each publisher. Default and limit: the service's `bufferSize`. */
  readonly bufferSize?: number | undefined;
  /** Samples of each publisher's past that it wants. Default and limit: the service's `history`; never more than `bufferSize`. */
  readonly history?: number | undefined;
  /** Samples of each publisher that it may hold at once. Default and limit: the service's `maxBorrowed`. */
  readonly maxBorrowed?: number | undefined;
}

/** A subscriber's choices, complete. */
export type SubscriberSettings = Required<{
  [K in keyof SubscriberOptions]: NonNullable<SubscriberOptions[K]>;
}>;

/** Receives samples without waiting, or with the thread blocked. */
export interface SampleReceiver {
  /**
   * The next sample, or undefined when there is none now. Publishers take turns; one of which `maxBorrowed` samples are held misses its
   * turn. Throws ERR_SEALANE_LIMIT_EXCEEDED (there are samples, all of them of such publishers), ERR_SEALANE_CLOSED, and, once,
   * ERR_SEALANE_SAMPLE_MODIFIED when this process wrote into a sample of this subscriber: `sequence` says which. Nobody else saw that, what
   * was written is gone, and the next call receives as if nothing had been.
   */
  receive(): Sample | undefined;
  /**
   * The samples that are there now, at most `max` and at most `maxBorrowed` of each publisher. Throws ERR_SEALANE_CLOSED,
   * ERR_SEALANE_SAMPLE_MODIFIED.
   */
  receiveBatch(max: number): Sample[];
  /**
   * The next sample; blocks the thread until there is one. For workers and scripts: on a thread with other work, await next() instead. A
   * worker that waits here can be terminated. Throws as receive(), ERR_SEALANE_INVALID_ARGUMENT.
   */
  receiveBlocking(options?: BlockingOptions): Sample | undefined;
}

/** What a subscriber has done so far. */
export interface SubscriberPortFigures {
  /** Samples that were received. */
  readonly received: number;
  /** Samples that were sent meanwhile and did not arrive. */
  readonly missed: number;
  /** Samples that are held now. */
  readonly borrowed: number;
  /** The publishers that are connected now. */
  readonly publishers: readonly PortAddress[];
}

const OPTIONS = ['bufferSize', 'history', 'maxBorrowed'] as const;

/** Checks options against the service's settings. Throws ERR_SEALANE_INVALID_ARGUMENT. @internal */
export function toSubscriberSettings(
  options: SubscriberOptions,
  service: ServiceSettings,
): SubscriberSettings {
  checkOptions('options', options, OPTIONS);
  const { bufferSize = service.bufferSize, maxBorrowed = service.maxBorrowed } = options;
  checkInteger('options.bufferSize', bufferSize, 1, service.bufferSize);
  checkInteger('options.maxBorrowed', maxBorrowed, 1, service.maxBorrowed);
  const { history = Math.min(service.history, bufferSize) } = options;
  checkInteger('options.history', history, 0, Math.min(service.history, bufferSize));
  return { bufferSize, history, maxBorrowed };
}

/** The receiving calls of one tier. */
abstract class Receiver implements SampleReceiver {
  /** @internal */
  constructor(protected readonly engine: SubscriberPort) {}

  /** The sample as this tier shows it. */
  protected abstract show(sample: HotSample): Sample;

  /** Nothing is received for now. */
  protected pause(): void {}

  receive(): Sample | undefined {
    const sample = this.engine.receiveAllowed();
    if (sample !== undefined) return this.show(sample);
    this.pause();
    this.engine.requireReleases();
    return undefined;
  }

  receiveBatch(max: number): Sample[] {
    checkInteger('max', max, 0, Number.MAX_SAFE_INTEGER);
    this.engine.requireUnmodified();
    const samples: Sample[] = [];
    while (samples.length < max) {
      const sample = this.engine.takeAllowed();
      if (sample === undefined) break;
      samples.push(this.show(sample));
    }
    return samples;
  }

  receiveBlocking(options: BlockingOptions = {}): Sample | undefined {
    checkBlocking(options);
    const { timeoutMs = Number.POSITIVE_INFINITY, spinMs = DEFAULT_SPIN_MS } = options;
    this.pause();
    const sample = this.engine.receiveBlocking(timeoutMs, spinMs);
    return sample === undefined ? undefined : this.show(sample);
  }
}

/** Shows the objects themselves. */
class HotReceiver extends Receiver {
  protected show(sample: HotSample): Sample {
    return sample;
  }
}

/** Receives the samples of all publishers of a service. Made by {@link PubSubService.subscriber}. */
export class Subscriber extends Receiver implements AsyncIterable<Sample>, AsyncDisposable, Disposable {
  /** Its number within its node. */
  readonly port: number;
  /**
   * The hot tier: the same calls on objects that are used again for later samples, which allocates nothing. Never touch such an object
   * once it was released: it may be another sample by then.
   */
  readonly hot: SampleReceiver;
  readonly #bell: Doorbell;
  readonly #forgotten = new ForgottenWatch();
  readonly #onClose: () => void;

  /** @internal */
  constructor(number: number, engine: SubscriberPort, bell: Doorbell, onClose: () => void) {
    super(engine);
    this.port = number;
    this.hot = new HotReceiver(engine);
    this.#bell = bell;
    this.#onClose = onClose;
  }

  get closed(): boolean {
    return this.engine.closed;
  }

  /** For a WaitSet. @internal */
  get waitable(): Waitable {
    return this.engine;
  }

  /** What it has done so far. */
  get figures(): SubscriberPortFigures {
    const { received, missed, inlets } = this.engine;
    const borrowed = inlets.reduce((sum, inlet) => sum + inlet.borrowed, 0);
    const connected = inlets.filter(({ ended }) => !ended);
    return { received, missed, borrowed, publishers: connected.map(({ peer }) => peer) };
  }

  /**
   * The next sample, as soon as there is one; the event loop goes on meanwhile. Rejects with ERR_SEALANE_ABORTED when the signal fires,
   * ERR_SEALANE_LIMIT_EXCEEDED, ERR_SEALANE_SAMPLE_MODIFIED, ERR_SEALANE_CLOSED.
   */
  async next(options: { readonly signal?: AbortSignal } = {}): Promise<Sample> {
    checkOptions('options', options, ['signal']);
    checkSignal('options.signal', options.signal);
    for (;;) {
      const sample = this.receive();
      if (sample !== undefined) return sample;
      await this.engine.untilReady(options.signal);
    }
  }

  /** All samples from now on; the consumer releases each. Ends when the subscriber is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Sample, void, void> {
    try {
      for (;;) yield await this.next();
    } catch (error) {
      if (!isSealaneError(error, 'ERR_SEALANE_CLOSED') || !this.closed) throw error;
    }
  }

  /** Resolves once at least `count` publishers are connected. Rejects with ERR_SEALANE_ABORTED, ERR_SEALANE_CLOSED. */
  async connected(count = 1, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await untilConnected(count, options, {
      peers: () => (this.closed ? undefined : this.figures.publishers.length),
      changed: (signal) => this.#bell.wait(signal, 'waiting for publishers'),
    });
  }

  /** Ends all its connections. What it holds ends with it: views are empty from now on. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.#onClose();
    this.engine.close();
    this.#bell.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Who forgot all that it may hold receives no more, and gets it back all the same. */
  protected override pause(): void {
    this.#forgotten.settle();
  }

  protected show(sample: HotSample): Sample {
    const checked = new CheckedSample(sample);
    this.#forgotten.add(checked);
    return checked;
  }
}
