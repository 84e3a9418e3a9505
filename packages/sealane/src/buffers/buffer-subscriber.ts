/**
 * Receives frames of all publishers of buffers in a service, with descriptors of their own and in buffers of pools. Owns its subscriber, and
 * the descriptors of pools while they are connected. Enforces which kinds of descriptors its user allows.
 */
import { checkOptions, checkSignal } from '../base/check.js';
import { invalidArgument, isSealaneError, SealaneError } from '../base/errors.js';
import { type BlockingOptions, checkBlocking, DEFAULT_SPIN_MS } from '../services/pairs/blocking.js';
import type { Waitable } from '../services/pairs/waitable.js';
import type { PubSubService } from '../services/pubsub-service.js';
import { CheckedSample, ForgottenWatch } from '../services/samples/checked.js';
import type { InboundPair } from '../services/samples/companion.js';
import type { HotSample } from '../services/samples/received.js';
import type { Subscriber, SubscriberOptions, SubscriberPortFigures } from '../services/samples/subscriber.js';
import type { SubscriberPort } from '../services/samples/subscriber-port.js';
import { checkDecoder, jsonMetadata, type MetadataDecoder } from './codec.js';
import { type BufferFrame, OwnFrame, PoolFrame, unusable } from './frame.js';
import { type AllowedKinds, type DescriptorKind, toAllowedKinds } from './kinds.js';
import { type Arrival, DescriptorReceiver, PoolReceiver } from './receivers.js';
import { WaitableFrames } from './waitable-frames.js';

/** What a subscriber of buffers chooses for itself. */
export interface BufferSubscriberOptions<Meta> extends SubscriberOptions {
  /** How bytes become metadata: as the publishers' codec. Default: JSON. */
  readonly metadata?: MetadataDecoder<Meta> | undefined;
  /**
   * Which descriptors may come; a frame with another is dropped with an error, and its connection stays. Default: 'dma-buf' and
   * 'sealed-memfd', which are safe to map.
   */
  readonly allow?: DescriptorKind | readonly DescriptorKind[] | undefined;
  /**
   * What receiving does when the last publisher it was connected to is gone and all of its frames were received: 'wait' for another, or 'fail'
   * with ERR_SEALANE_CONNECTION_LOST. Default: 'wait'.
   */
  readonly whenAlone?: 'wait' | 'fail' | undefined;
}

const OWN_OPTIONS: readonly string[] = [
  'metadata',
  'allow',
  'whenAlone',
  'bufferSize',
  'history',
  'maxBorrowed',
];

/** Lies that wait to be told of; a liar tells one. */
const MAX_PROBLEMS = 64;

/** How long a blocked thread waits before it looks whether anybody is left, in milliseconds. */
const SLICE_MS = 100;

/** Receives frames. Made by {@link PubSubService.bufferSubscriber}. */
export class BufferSubscriber<Meta> implements AsyncIterable<BufferFrame<Meta>>, AsyncDisposable, Disposable {
  readonly #subscriber: Subscriber;
  readonly #port: SubscriberPort;
  readonly #codec: MetadataDecoder<Meta>;
  readonly #allowed: AllowedKinds;
  readonly #failsAlone: boolean;
  /** What publishers did that they may not, in order, until it is told. */
  readonly #problems: SealaneError[] = [];
  /** How many of them were told, and how often that nobody is left. */
  #told = 0;
  readonly #forgotten = new ForgottenWatch();
  /** Of publishers whose frames have descriptors of their own. */
  #receivers: readonly DescriptorReceiver[] = [];
  /** Whether the last look found nothing: who looks again then polls. */
  #polls = false;
  /** A publisher was connected since the last time that somebody was told they are all gone. */
  #met = false;

  /** @internal */
  constructor(service: PubSubService, options: BufferSubscriberOptions<Meta>) {
    checkOptions('options', options, OWN_OPTIONS);
    const {
      metadata = jsonMetadata<Meta>(),
      allow = ['dma-buf', 'sealed-memfd'],
      whenAlone = 'wait',
    } = options;
    const { metadata: _, allow: __, whenAlone: ___, ...others } = options;
    if (whenAlone !== 'wait' && whenAlone !== 'fail')
      throw invalidArgument('options.whenAlone', "be 'wait' or 'fail'", whenAlone);
    checkDecoder(metadata);
    this.#codec = metadata;
    this.#allowed = toAllowedKinds(allow);
    this.#failsAlone = whenAlone === 'fail';
    const made = service.subscriberWith(others, { companion: (pair) => this.#receiver(pair) });
    this.#subscriber = made.subscriber;
    this.#port = made.port;
  }

  /** Its number within its node. */
  get port(): number {
    return this.#subscriber.port;
  }

  get closed(): boolean {
    return this.#subscriber.closed;
  }

  /** For a WaitSet. @internal */
  get waitable(): Waitable {
    return new WaitableFrames(this.#port, {
      due: () => this.#problems.length > 0 || this.#isDeserted,
      told: () => this.#told,
    });
  }

  /** See {@link Subscriber.figures}. */
  get figures(): SubscriberPortFigures {
    return this.#subscriber.figures;
  }

  /**
   * The next frame, or undefined when there is none now. Throws ERR_SEALANE_WRONG_DESCRIPTOR or ERR_SEALANE_NOT_SEALED (a frame with
   * descriptors that are not allowed, which was dropped) and ERR_SEALANE_EXHAUSTED (this process had no descriptor left for those of a frame,
   * which was dropped, or for a buffer of a pool, which is connected to anew), each with the frame's token, if it is known, as `sequence`; ERR_SEALANE_MISSING_DESCRIPTOR and ERR_SEALANE_TOKEN_MISMATCH (a publisher
   * lied, whose connection has ended); ERR_SEALANE_PROTOCOL (metadata that the codec can't read); ERR_SEALANE_CONNECTION_LOST
   * (see `whenAlone`); and as {@link Subscriber.receive}. The next call goes on with the next frame.
   */
  receive(): BufferFrame<Meta> | undefined {
    if (this.#problems.length > 0) this.#throwProblem();
    const sample = this.#port.receiveAllowed();
    return sample === undefined ? this.#nothing() : this.#show(sample);
  }

  /**
   * The same on objects that are used again for later frames in the same buffer of a pool, which allocates nothing: never touch one once it was
   * released. Frames with descriptors of their own are as always.
   */
  receiveHot(): BufferFrame<Meta> | undefined {
    if (this.#problems.length > 0) this.#throwProblem();
    const sample = this.#port.receiveAllowed();
    if (sample === undefined) return this.#nothing();
    const frame = (sample.luggage as Arrival).hot as PoolFrame<Meta> | undefined;
    if (frame === undefined) return this.#showHot(sample);
    frame.begin(sample.sequence);
    return frame;
  }

  /** The next frame; blocks the thread until there is one, or undefined after `timeoutMs`. For workers and scripts. Throws as receive(). */
  receiveBlocking(options: BlockingOptions = {}): BufferFrame<Meta> | undefined {
    checkBlocking(options);
    const { timeoutMs = Number.POSITIVE_INFINITY, spinMs = DEFAULT_SPIN_MS } = options;
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      const frame = this.receive();
      if (frame !== undefined) return frame;
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) return undefined;
      const sample = this.#port.receiveBlocking(Math.min(leftMs, SLICE_MS), spinMs);
      if (sample !== undefined) return this.#show(sample);
    }
  }

  /** The next frame, as soon as there is one. Rejects as receive() throws, and with ERR_SEALANE_ABORTED when the signal fires. */
  async next(options: { readonly signal?: AbortSignal } = {}): Promise<BufferFrame<Meta>> {
    checkOptions('options', options, ['signal']);
    checkSignal('options.signal', options.signal);
    for (;;) {
      const frame = this.receive();
      if (frame !== undefined) return frame;
      await this.#port.untilReady(options.signal);
    }
  }

  /** All frames from now on; the consumer releases each. Ends when the subscriber is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<BufferFrame<Meta>, void, void> {
    try {
      for (;;) yield await this.next();
    } catch (error) {
      if (!isSealaneError(error, 'ERR_SEALANE_CLOSED') || !this.closed) throw error;
    }
  }

  /** See {@link Subscriber.connected}. */
  async connected(count = 1, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#subscriber.connected(count, options);
  }

  /** Ends all its connections, and frames in pools' buffers with them. Idempotent. */
  close(): void {
    this.#subscriber.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #receiver(pair: InboundPair): DescriptorReceiver | PoolReceiver {
    const tell = (error: SealaneError) => {
      if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(error);
    };
    this.#met = true;
    if (pair.delivery === 'pool') return new PoolReceiver(pair, this.#allowed, tell);
    const receiver = new DescriptorReceiver(pair, this.#allowed, tell, (closed) => {
      this.#receivers = this.#receivers.filter((one) => one !== closed);
    });
    this.#receivers = [...this.#receivers, receiver];
    return receiver;
  }

  /** Nothing came. Throws why, if there is a reason that the user does not know. */
  #nothing(): undefined {
    if (this.#receivers.length > 0) this.#lookAhead();
    this.#forgotten.settle();
    this.#port.requireReleases();
    if (this.#problems.length > 0) this.#throwProblem();
    if (this.#failsAlone) this.#requireCompany();
  }

  /** Takes what goes ahead of samples. A system call each, which who polls has time for, and who sleeps does not need. */
  #lookAhead(): void {
    if (this.#polls) for (const receiver of this.#receivers) receiver.look();
    this.#polls = true;
  }

  /** Takes the sample. */
  #show(sample: HotSample): BufferFrame<Meta> {
    this.#polls = false;
    const arrival = this.#arrivalOf(sample);
    if (arrival.pooled) {
      const checked = new CheckedSample(sample);
      this.#forgotten.add(checked);
      const frame = new PoolFrame(checked, sample.slot, arrival, this.#codec);
      frame.begin(sample.sequence);
      return frame;
    }
    sample.luggage = undefined;
    try {
      const frame = new OwnFrame(sample, arrival, this.#codec);
      this.#forgotten.add(frame);
      return frame;
    } finally {
      sample.release();
    }
  }

  #showHot(sample: HotSample): BufferFrame<Meta> {
    const arrival = this.#arrivalOf(sample);
    if (!arrival.pooled) return this.#show(sample);
    const frame = new PoolFrame(sample, sample.slot, arrival, this.#codec);
    arrival.hot = frame;
    frame.begin(sample.sequence);
    return frame;
  }

  /** What came with the sample, which is released when that is not to be used. */
  #arrivalOf(sample: HotSample): Arrival {
    const arrival = sample.luggage as Arrival;
    if (arrival.problem === undefined) return arrival;
    const error = unusable(arrival.problem, sample.sequence);
    if (!arrival.pooled) sample.luggage = undefined;
    sample.release();
    throw error;
  }

  #throwProblem(): void {
    // To shift an empty array is a call, and this is asked for every frame.
    if (this.#problems.length === 0) return;
    this.#told += 1;
    throw this.#problems.shift();
  }

  /** The last publisher is gone, and that is to be told. */
  get #isDeserted(): boolean {
    return this.#failsAlone && this.#met && this.#port.inlets.length === 0;
  }

  #requireCompany(): void {
    if (!this.#isDeserted) return;
    this.#met = false;
    this.#told += 1;
    const message = 'the last publisher of buffers is gone, and all that it sent was received';
    throw new SealaneError('ERR_SEALANE_CONNECTION_LOST', message);
  }
}
