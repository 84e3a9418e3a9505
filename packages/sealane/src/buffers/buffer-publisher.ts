/**
 * Sends frames: metadata, and with each frame descriptors of its own. Owns its publisher, and duplicates of the descriptors of frames that
 * are being sent or kept for late subscribers.
 */
import { checkOptions, checkSignal } from '../base/check.js';
import { SealaneError } from '../base/errors.js';
import { requireOpenDescriptors } from '../os/index.js';
import type { PubSubService } from '../services/pubsub-service.js';
import type { HotLoan } from '../services/samples/loan.js';
import {
  PUBLISHER_OPTIONS,
  type Publisher,
  type PublisherFigures,
  type PublisherOptions,
} from '../services/samples/publisher.js';
import type { PublisherPort } from '../services/samples/publisher-port.js';
import { checkEncoder, jsonMetadata, type MetadataEncoder } from './codec.js';
import { checkDescriptors, DescriptorStore } from './descriptor-store.js';
import { MAX_IN_FLIGHT } from './flight.js';
import { DescriptorSender } from './senders.js';

/** What a publisher of buffers chooses for itself. */
export interface BufferPublisherOptions<Meta> extends PublisherOptions {
  /** How metadata becomes bytes, of which there may be as many as the service's `maxBytes`. Default: JSON. */
  readonly metadata?: MetadataEncoder<Meta> | undefined;
}

const OPTIONS = ['metadata', ...PUBLISHER_OPTIONS];

/** Hands descriptors over with metadata, to all buffer subscribers of a service. Made by {@link PubSubService.bufferPublisher}. */
export class BufferPublisher<Meta> implements AsyncDisposable, Disposable {
  readonly #publisher: Publisher;
  readonly #port: PublisherPort;
  readonly #store: DescriptorStore;
  readonly #codec: MetadataEncoder<Meta>;

  /** @internal */
  constructor(service: PubSubService, options: BufferPublisherOptions<Meta>) {
    checkOptions('options', options, OPTIONS);
    const { metadata = jsonMetadata<Meta>(), ...others } = options;
    checkEncoder(metadata);
    const { history } = service.settings;
    if (history > MAX_IN_FLIGHT) throw tooMuchHistory(history);
    const store = new DescriptorStore(history);
    this.#codec = metadata;
    this.#store = store;
    const made = service.publisherWith(others, {
      delivery: 'descriptors',
      companion: (socket) => new DescriptorSender(socket, store),
      close: () => store.close(),
    });
    this.#publisher = made.publisher;
    this.#port = made.port;
  }

  /** Its number within its node. */
  get port(): number {
    return this.#publisher.port;
  }

  get closed(): boolean {
    return this.#publisher.closed;
  }

  /** See {@link Publisher.figures}. */
  get figures(): PublisherFigures {
    return this.#publisher.figures;
  }

  /**
   * Sends metadata with 1 to 4 descriptors, which stay the caller's: each subscriber gets duplicates. Returns how many got it; those that do
   * not learn its token. A subscriber that has 32 descriptors under way counts as full. Throws ERR_SEALANE_TOO_MANY_DESCRIPTORS,
   * ERR_SEALANE_INVALID_ARGUMENT (also metadata of more than `maxBytes`), ERR_SEALANE_SYSTEM (EBADF), ERR_SEALANE_EXHAUSTED, and as {@link Loan.send}.
   */
  send(meta: Meta, descriptors: number | readonly number[]): number {
    const given = checkDescriptors('descriptors', descriptors);
    const loan = this.#prepare(meta);
    try {
      this.#store.lend(this.#port.sent + 1, given);
      const reached = loan.send();
      // Where somebody got them, the kernel has seen that they are open.
      if (reached === 0) requireOpenDescriptors(given);
      return reached;
    } finally {
      this.#settle(loan);
    }
  }

  /** The same; where that would block the thread, this waits on the event loop. Rejects as {@link Loan.sendAsync}. */
  async sendAsync(
    meta: Meta,
    descriptors: number | readonly number[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<number> {
    checkOptions('options', options, ['signal']);
    const { signal } = options;
    checkSignal('options.signal', signal);
    const given = checkDescriptors('descriptors', descriptors);
    const loan = this.#prepare(meta);
    try {
      // From here on nothing of the caller's runs until the frame has its token.
      this.#store.add(this.#port.sent + 1, given);
      return await this.#port.sendAsync(loan, signal);
    } finally {
      this.#settle(loan);
    }
  }

  /** See {@link Publisher.connected}. */
  async connected(count = 1, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#publisher.connected(count, options);
  }

  /** Ends all its connections. Subscribers still get what was sent. Idempotent. */
  close(): void {
    this.#publisher.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #prepare(meta: Meta): HotLoan {
    const bytes = this.#codec.encode(meta);
    const loan = this.#port.loanSlot(bytes.length);
    try {
      loan.bytes.set(bytes);
      this.#port.requireIdle();
      return loan;
    } catch (error) {
      loan.release();
      throw error;
    }
  }

  #settle(loan: HotLoan): void {
    loan.release();
    if (this.#publisher.closed) this.#store.close();
    else this.#store.settle(this.#port.sent);
  }
}

function tooMuchHistory(history: number): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_LIMIT_EXCEEDED',
    `the service keeps ${history} samples as history, and a publisher of buffers at most ${MAX_IN_FLIGHT}, whose descriptors it can hand over at once: lower history`,
  );
}
