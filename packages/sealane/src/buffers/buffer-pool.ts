/**
 * A pool of buffers that are filled again and again: each is a slot of its publisher, each subscriber gets each descriptor once, and a frame is a
 * sample. Owns its publisher, and duplicates of the descriptors.
 */
import { checkInteger, checkOptions, checkSignal } from '../base/check.js';
import { closedError, invalidArgument, isSealaneError, type SealaneError } from '../base/errors.js';
import { disposeDescriptors } from '../os/index.js';
import { type BlockingOptions, checkBlocking, DEFAULT_SPIN_MS } from '../services/pairs/blocking.js';
import type { PubSubService } from '../services/pubsub-service.js';
import { type HotLoan, notOnLoan } from '../services/samples/loan.js';
import type { Outlet } from '../services/samples/outlet.js';
import type { Publisher, PublisherFigures, PublisherOptions } from '../services/samples/publisher.js';
import type { PublisherPort } from '../services/samples/publisher-port.js';
import type { Returns } from '../services/samples/returns.js';
import type { SlotPool } from '../shm/slot-pool.js';
import { checkEncoder, jsonMetadata, type MetadataEncoder } from './codec.js';
import { checkDescriptors, duplicateAll } from './descriptor-store.js';
import { PoolSender } from './senders.js';

/** A subscriber has that many descriptors of a pool at most, times 4. */
const MAX_BUFFERS = 256;

/** Room for metadata, in bytes, unless told otherwise. */
const META_BYTES = 4_096;

/** What a pool chooses for itself. */
export interface BufferPoolOptions<Meta>
  extends Omit<PublisherOptions, 'initialBytes' | 'strategy' | 'maxSegments' | 'maxLoaned'> {
  /** How metadata becomes bytes. Default: JSON. */
  readonly metadata?: MetadataEncoder<Meta> | undefined;
  /** Room for the metadata of a frame, in bytes: 1 to the service's `maxBytes`. Default: 4,096, or the service's where that is less or all samples have one size. */
  readonly maxBytes?: number | undefined;
}

const OPTIONS = [
  'metadata',
  'maxBytes',
  'whenFull',
  'ownProcess',
  'timestamps',
  'prefault',
  'lock',
  'hugePages',
  'notifies',
] as const;

/** How metadata becomes bytes, and how many those may be. */
interface MetadataRules<Meta> {
  readonly codec: MetadataEncoder<Meta>;
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** A buffer that nobody needs, to be filled and sent. The same object each time for the same buffer: don't touch it once it was sent or released. */
export class FreeBuffer<Meta> implements Disposable {
  /** Its number in the pool, by the order of registration. */
  readonly index: number;
  /** Its descriptors, the pool's. */
  readonly descriptors: readonly number[];
  readonly #loan: HotLoan;
  readonly #rules: MetadataRules<Meta>;
  readonly #returns: Returns;
  /** Room for its metadata, whatever its length is. */
  readonly #room: Uint8Array;

  /** The loan is of `maxBytes` bytes, and begun. @internal */
  constructor(loan: HotLoan, descriptors: readonly number[], rules: MetadataRules<Meta>, returns: Returns) {
    this.index = loan.slot;
    this.descriptors = descriptors;
    this.#loan = loan;
    this.#rules = rules;
    this.#returns = returns;
    this.#room = loan.bytes;
  }

  /**
   * Gives it to all subscribers; returns how many got it. It is free again when none has it any more, and it is not in the history. Throws
   * ERR_SEALANE_INVALID_ARGUMENT for metadata that has no room, and as {@link Loan.send}. Where nobody got it, it is then
   * still the caller's, to be sent again or released.
   */
  send(meta: Meta): number {
    this.#write(meta);
    try {
      return this.#loan.send();
    } finally {
      // Nobody may have got it, and the history lets an older one go.
      this.#returns.here();
    }
  }

  /** The same; where that would block the thread, this waits on the event loop. Rejects as {@link Loan.sendAsync}. */
  async sendAsync(meta: Meta, options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    this.#write(meta);
    try {
      return await this.#loan.sendAsync(options);
    } finally {
      this.#returns.here();
    }
  }

  /** Gives it back unsent. Does nothing once sent. */
  release(): void {
    this.#loan.release();
    this.#returns.here();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** The codec may be anybody's: what it wrote beyond what it says is not sent. */
  #write(meta: Meta): void {
    const loan = this.#loan;
    if (!loan.onLoan) throw notOnLoan();
    const { codec, minBytes, maxBytes } = this.#rules;
    const length =
      codec.encodeInto === undefined ? this.#copy(codec.encode(meta)) : codec.encodeInto(meta, this.#room);
    if (!(Number.isInteger(length) && length >= minBytes && length <= maxBytes))
      throw noRoom(this.#rules, length);
    // Whoever wrote the metadata may have released the buffer.
    if (!loan.onLoan) throw notOnLoan();
    loan.resize(length);
  }

  /** Returns the length, also of what has no room. */
  #copy(bytes: Uint8Array): number {
    if (bytes.length <= this.#room.length) this.#room.set(bytes);
    return bytes.length;
  }
}

/** Sends frames in buffers that come back. Made by {@link PubSubService.bufferPool}. */
export class BufferPool<Meta> implements AsyncDisposable, Disposable {
  /** How many buffers there are. */
  readonly size: number;
  readonly #publisher: Publisher;
  readonly #port: PublisherPort;
  #buffers: readonly (readonly number[])[];
  readonly #slots: SlotPool;
  readonly #rules: MetadataRules<Meta>;
  readonly #overflow: boolean;
  readonly #free: (FreeBuffer<Meta> | undefined)[] = [];
  readonly #look = () => this.acquire();

  /** @internal */
  constructor(
    service: PubSubService,
    buffers: readonly (number | readonly number[])[],
    options: BufferPoolOptions<Meta>,
  ) {
    checkOptions('options', options, OPTIONS);
    const { metadata = jsonMetadata<Meta>(), ...others } = options;
    checkEncoder(metadata);
    const { overflow, payload, history } = service.settings;
    if (!Array.isArray(buffers)) throw invalidArgument('buffers', 'be an array', buffers);
    checkInteger('buffers.length', buffers.length, history + 1, MAX_BUFFERS);
    const checked = buffers.map((one, index) => checkDescriptors(`buffers[${index}]`, one));
    const maxBytes = roomFor(options, service);
    this.#rules = { codec: metadata, minBytes: payload === 'fixed' ? maxBytes : 0, maxBytes };
    this.size = buffers.length;
    this.#overflow = overflow;
    this.#buffers = registered(checked);
    const room =
      payload === 'growing' ? ({ strategy: 'static', initialBytes: maxBytes } as const) : { maxBytes };
    try {
      const made = service.publisherWith(
        { ...others, ...room },
        {
          delivery: 'pool',
          slots: buffers.length,
          companion: (socket) => new PoolSender(socket, this.#buffers),
          close: () => this.#closeBuffers(),
        },
      );
      this.#publisher = made.publisher;
      this.#port = made.port;
      this.#slots = made.port.segments.newest.pool;
    } catch (error) {
      this.#closeBuffers();
      throw error;
    }
  }

  /** The number of its port within its node. */
  get port(): number {
    return this.#publisher.port;
  }

  get closed(): boolean {
    return this.#publisher.closed;
  }

  /** See {@link Publisher.figures}; its slots are the buffers. */
  get figures(): PublisherFigures {
    return this.#publisher.figures;
  }

  /**
   * A buffer that nobody needs, or undefined: all are being filled, in the history, or with subscribers. With `overflow`, what waits in
   * the fullest subscriber gives way first; what subscribers hold does not. Throws ERR_SEALANE_CLOSED.
   */
  acquire(): FreeBuffer<Meta> | undefined {
    if (this.#publisher.closed) throw closedError('the buffer pool');
    if (this.#slots.used >= this.size && !this.#makeFree()) return undefined;
    const loan = this.#port.loanSlot(this.#rules.maxBytes);
    return this.#free[loan.slot] ?? this.#make(loan);
  }

  /**
   * The same, as soon as a buffer is free; the event loop goes on meanwhile. Whoever releases the last frame in a buffer, or dies, wakes this;
   * nothing polls. Of those who wait, who has waited longest looks first. Rejects with ERR_SEALANE_ABORTED when the signal fires, ERR_SEALANE_CLOSED.
   */
  async acquireAsync(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<FreeBuffer<Meta>> {
    checkOptions('options', options, ['signal']);
    checkSignal('options.signal', options.signal);
    try {
      return await this.#port.returns.find(this.#look, options.signal, 'waiting for a free buffer');
    } catch (error) {
      throw isSealaneError(error, 'ERR_SEALANE_CLOSED') ? closedError('the buffer pool') : error;
    }
  }

  /**
   * The same with the thread blocked, or undefined after `timeoutMs`. For workers and scripts. Throws ERR_SEALANE_CLOSED, and ERR_SEALANE_LIMIT_EXCEEDED
   * when all buffers are with this very thread: being filled, in the history, or with subscribers of this thread.
   */
  acquireBlocking(options: BlockingOptions = {}): FreeBuffer<Meta> | undefined {
    checkBlocking(options);
    const { timeoutMs = Number.POSITIVE_INFINITY, spinMs = DEFAULT_SPIN_MS } = options;
    return this.#port.returns.findBlocking(this.#look, timeoutMs, spinMs);
  }

  /** See {@link Publisher.connected}. */
  async connected(count = 1, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#publisher.connected(count, options);
  }

  /** Ends all its connections, and closes its descriptors. Subscribers still get what was sent, and keep what they hold. Idempotent. */
  close(): void {
    this.#publisher.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #closeBuffers(): void {
    for (const descriptors of this.#buffers) disposeDescriptors(descriptors);
    this.#buffers = [];
  }

  #make(loan: HotLoan): FreeBuffer<Meta> {
    const descriptors = this.#buffers[loan.slot] as readonly number[];
    const free = new FreeBuffer(loan, descriptors, this.#rules, this.#port.returns);
    while (this.#free.length < loan.slot) this.#free.push(undefined);
    this.#free[loan.slot] = free;
    return free;
  }

  #makeFree(): boolean {
    this.#port.reclaim();
    return this.#slots.used < this.size || (this.#overflow && this.#pushOut());
  }

  /** Takes waiting frames back until a buffer is free, one at a time, from whom most wait for. */
  #pushOut(): boolean {
    for (let slow = this.#slowest(); slow !== undefined; slow = this.#slowest()) {
      if (this.#slots.used < this.size) return true;
      // Whoever took it meanwhile has fewer waiting: this ends.
      slow.giveWay();
    }
    return this.#slots.used < this.size;
  }

  /** The subscriber for whom most frames wait; undefined: none waits for anybody. Who lies loses what it has. */
  #slowest(): Outlet | undefined {
    const { segments, outlets } = this.#port;
    let slowest: Outlet | undefined;
    let most = 0;
    for (const outlet of outlets) {
      if (!outlet.closed) outlet.look(segments.newest);
      if (outlet.lie !== undefined) this.#port.remove(outlet);
      if (outlet.closed || outlet.waiting <= most) continue;
      slowest = outlet;
      most = outlet.waiting;
    }
    return slowest;
  }
}

/** The error for metadata of a length that can't be. */
function noRoom({ minBytes, maxBytes }: MetadataRules<never>, length: unknown): SealaneError {
  const must = `have ${minBytes} to ${maxBytes} bytes, which is maxBytes of the pool`;
  return invalidArgument(
    'meta',
    `${must} (options.maxBytes of bufferPool(), up to that of the service)`,
    length,
  );
}

/** Duplicates of the descriptors, all or none. */
function registered(buffers: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const made: (readonly number[])[] = [];
  try {
    for (const descriptors of buffers) made.push(duplicateAll(descriptors));
    return made;
  } catch (error) {
    for (const descriptors of made) disposeDescriptors(descriptors);
    throw error;
  }
}

/** Room for metadata: what was asked for, else a page, unless the service says how long each is. */
function roomFor(
  { maxBytes }: { readonly maxBytes?: number | undefined },
  { settings }: PubSubService,
): number {
  if (maxBytes !== undefined) {
    checkInteger('options.maxBytes', maxBytes, 1, settings.maxBytes);
    return maxBytes;
  }
  return settings.payload === 'fixed' ? settings.maxBytes : Math.min(settings.maxBytes, META_BYTES);
}
