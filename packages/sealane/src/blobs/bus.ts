/**
 * The bus: what a process does with the broker's objects. Public face of the blobs part.
 * Owns one connection. Blobs that it handed out live on without it.
 */
import {
  checkBoolean,
  checkDescriptor,
  checkInteger,
  checkOptions,
  checkSignal,
  checkText,
} from '../base/check.js';
import { closedError, invalidArgument, type SealaneError } from '../base/errors.js';
import { MAX_PATTERN_BYTES } from '../base/limits.js';
import { requireBlobDescriptor } from '../os/descriptor.js';
import type { Memfd } from '../os/memfd.js';
import { type BrokerLimits, NamePattern } from '../wire/index.js';
import type { Blob } from './blob.js';
import { type ConnectOptions, type ConnectSettings, openConnection, toConnectSettings } from './connect.js';
import type { AnswerTo, Connection } from './connection.js';
import { Draft, DraftPool } from './draft.js';
import type { HasDescriptor } from './files.js';
import { type BlobInfo, toBlobInfo } from './info.js';
import { type PutOptions, type PutSettings, toPutSettings } from './put-options.js';
import { checkObjectSize, type PutSource, sealSmall, sealSource } from './source.js';
import { type Target, toSelector } from './target.js';
import { toBlob, Watch, type WatchOptions } from './watch.js';

export interface GetOptions {
  /** Gives the request up with ERR_SEALANE_ABORTED. */
  signal?: AbortSignal | undefined;
  /** Maps the object at once and reads its pages in. Default: false, pages are read in as they are touched. */
  populate?: boolean | undefined;
}

export interface ListOptions {
  /** Only names that match: `*` stands for any run of characters, `\` takes the special meaning away. Default: all objects. */
  pattern?: string | undefined;
  /** Has the broker compute digests that are not known yet. Default: false. */
  digests?: boolean | undefined;
  /** Ends the iteration with ERR_SEALANE_ABORTED. */
  signal?: AbortSignal | undefined;
}

export interface StatOptions {
  /** Has the broker compute the digest if it does not know it yet. Default: false. */
  digest?: boolean | undefined;
  /** Gives the request up with ERR_SEALANE_ABORTED. */
  signal?: AbortSignal | undefined;
}

export interface DraftOptions {
  /** Where to take populated memory from, if there is some. Default: none, the kernel adds pages as they are touched. */
  pool?: DraftPool | undefined;
}

/** Figures of a broker; counts are of all users. */
export type BrokerStatus = Omit<AnswerTo<'status'>, 'type' | 'requestId'>;

/** Most objects that are asked for at a time; the broker may answer fewer. */
const LIST_PAGE_ENTRIES = 1_000;

/**
 * A connection to a broker. Every method that asks the broker throws ERR_SEALANE_CONNECTION_LOST when it died (see
 * {@link Bus.reconnect}) and ERR_SEALANE_CLOSED after close(). A bus keeps the process alive only while it waits for an answer.
 */
export class Bus implements AsyncDisposable {
  readonly #settings: ConnectSettings;
  #connection: Connection;
  #reconnecting: Promise<void> | undefined;
  #closed = false;

  private constructor(settings: ConnectSettings, connection: Connection) {
    this.#settings = settings;
    this.#connection = connection;
  }

  /** See {@link connect}. @internal */
  static async connect(options: ConnectOptions): Promise<Bus> {
    const settings = toConnectSettings(options);
    return new Bus(settings, await openConnection(settings));
  }

  /** Path of the broker's socket. */
  get socket(): string {
    return this.#settings.socket;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether the broker is there, as far as is known. */
  get connected(): boolean {
    return !this.#closed && this.#connection.failure === undefined;
  }

  /** The broker's limits, as it stated them when the connection was made. */
  get limits(): BrokerLimits {
    return this.#connection.limits;
  }

  /**
   * Publishes a copy of the source as a new immutable object. When the promise resolves, the object can be got by others and the
   * source may be changed again. Sources over 1 MiB are copied off the event loop. To avoid the copy, see {@link Bus.draft}
   * and {@link Bus.adopt}.
   *
   * Throws ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_LIMIT_EXCEEDED (a limit of the broker), ERR_SEALANE_ACCESS_DENIED (an owner that is
   * not one's own job), ERR_SEALANE_DIGEST_MISMATCH, ERR_SEALANE_EXHAUSTED (no memory or descriptors), ERR_SEALANE_SYSTEM (a
   * file that can't be read), ERR_SEALANE_ABORTED.
   */
  async put(source: PutSource, options: PutOptions = {}): Promise<BlobInfo> {
    const settings = this.#putSettings(options);
    const { maxObjectBytes } = this.#use().limits;
    const { signal, onProgress } = options;
    using memfd =
      sealSmall(source, maxObjectBytes) ??
      (await sealSource(source, { maxBytes: maxObjectBytes, signal, onProgress }));
    return await this.#putSealed(memfd, memfd.size, settings, signal);
  }

  /**
   * Publishes a memfd that is sealed already (WRITE, GROW, SHRINK and SEAL), without a copy. The descriptor is borrowed: it stays the
   * caller's to close. Throws ERR_SEALANE_WRONG_DESCRIPTOR and ERR_SEALANE_NOT_SEALED beside what put throws.
   */
  async adopt(memfd: HasDescriptor, options: PutOptions = {}): Promise<BlobInfo> {
    const settings = this.#putSettings(options);
    if (typeof memfd !== 'object' || memfd === null)
      throw invalidArgument('memfd', 'have a descriptor `fd`', memfd);
    checkDescriptor('memfd.fd', memfd.fd);
    const { size } = requireBlobDescriptor(memfd.fd, undefined, `descriptor ${memfd.fd}`);
    return await this.#putSealed(memfd, size, settings, options.signal);
  }

  /**
   * New memory of `size` bytes to fill in place; `draft.put()` makes it an object without copying it. With a pool, the memory may
   * be populated already. Throws ERR_SEALANE_LIMIT_EXCEEDED, ERR_SEALANE_EXHAUSTED.
   */
  draft(size: number, options: DraftOptions = {}): Draft {
    checkOptions('options', options, ['pool']);
    checkInteger('size', size, 0, Number.MAX_SAFE_INTEGER);
    const { pool } = options;
    if (pool !== undefined && !(pool instanceof DraftPool))
      throw invalidArgument('pool', 'be a DraftPool', pool);
    checkObjectSize(size, this.#use().limits.maxObjectBytes);
    return new Draft(size, pool, async (memfd, putOptions) => {
      const settings = this.#putSettings(putOptions);
      return await this.#putSealed(memfd, memfd.size, settings, putOptions.signal);
    });
  }

  /** The object that the target names. The caller closes the blob. Throws ERR_SEALANE_NOT_FOUND, ERR_SEALANE_ACCESS_DENIED. */
  async get(target: Target, options: GetOptions = {}): Promise<Blob> {
    return await this.#get(target, options, false);
  }

  /** As {@link Bus.get}, and waits until an object of that name exists that the caller may see. */
  async wait(name: string, options: GetOptions = {}): Promise<Blob> {
    return await this.#get({ name }, options, true);
  }

  /** What the broker knows of an object; with `digest: true` its digest, which is computed if nobody has asked before. */
  async stat(target: Target, options: StatOptions = {}): Promise<BlobInfo> {
    const selector = toSelector(target);
    checkOptions('options', options, ['digest', 'signal']);
    checkBoolean('digest', options.digest);
    checkSignal('signal', options.signal);
    const question = { type: 'stat', selector, digest: options.digest === true } as const;
    const { answer } = await this.#use().ask(question, undefined, options.signal);
    return toBlobInfo(answer.object);
  }

  /**
   * Takes an object off the bus and resolves with what it was. Whoever holds it keeps it. By name, the newest that the caller may see is
   * dropped, and the version before it is found again. Throws ERR_SEALANE_NOT_FOUND, ERR_SEALANE_ACCESS_DENIED.
   */
  async drop(target: Target): Promise<BlobInfo> {
    const { answer } = await this.#use().ask({ type: 'drop', selector: toSelector(target) });
    return toBlobInfo(answer.object);
  }

  /**
   * All objects that the caller may see, oldest first. Objects that come or go meanwhile may or may not be among them; none
   * comes twice.
   */
  async *list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void, undefined> {
    checkOptions('options', options, ['pattern', 'digests', 'signal']);
    const { pattern, digests = false, signal } = options;
    if (pattern !== undefined) checkPattern(pattern, false);
    checkBoolean('digests', digests);
    checkSignal('signal', signal);
    const selection = pattern === undefined ? {} : { pattern };
    const limit = Math.min(LIST_PAGE_ENTRIES, this.#use().limits.maxListEntries);
    for (let after = 0; ; ) {
      const question = { type: 'list', ...selection, after, limit, digests } as const;
      const { answer } = await this.#use().ask(question, undefined, signal);
      for (const object of answer.objects) yield toBlobInfo(object);
      if (answer.next === 0) return;
      after = answer.next;
    }
  }

  /**
   * The newest version of each name that matches, now and whenever there is a newer one. A consumer that is slow skips what was
   * superseded meanwhile; `every: true` yields each version, and ends with ERR_SEALANE_WATCH_OVERRUN when the consumer falls behind
   * by more than the broker keeps. The consumer closes the blobs: `for await (using blob of bus.watch('camera/*'))`.
   */
  watch(pattern: string, options: WatchOptions = {}): Watch {
    checkOptions('options', options, ['every', 'existing', 'literal', 'signal']);
    for (const name of ['every', 'existing', 'literal'] as const) checkBoolean(name, options[name]);
    checkPattern(pattern, options.literal === true);
    checkSignal('signal', options.signal);
    return new Watch(this.#use(), pattern, options);
  }

  /** Figures of the broker. */
  async status(): Promise<BrokerStatus> {
    const {
      type: _type,
      requestId: _requestId,
      ...status
    } = (await this.#use().ask({ type: 'status' })).answer;
    return status;
  }

  /** Connects anew when the connection is lost; does nothing while it is fine. Watches and waits are not taken up again. */
  async reconnect(): Promise<void> {
    if (this.#closed) throw closedError('the bus');
    if (this.connected) return;
    this.#reconnecting ??= this.#reconnect().finally(() => {
      this.#reconnecting = undefined;
    });
    await this.#reconnecting;
  }

  /** Rejects what is pending with ERR_SEALANE_CLOSED and disconnects. Blobs stay valid. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#connection.close(closedError('the bus'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #reconnect(): Promise<void> {
    const connection = await openConnection(this.#settings);
    if (this.#closed) connection.close(closedError('the bus'));
    else this.#connection = connection;
  }

  #use(): Connection {
    if (this.#closed) throw closedError('the bus');
    return this.#connection;
  }

  #putSettings(options: PutOptions): PutSettings {
    const settings = toPutSettings(options);
    if (settings.allowed.length > 0 && settings.owner === undefined && this.#settings.jobId === undefined) {
      throw invalidArgument(
        'allow',
        'come with an owner, or on a bus with a jobId',
        options.allow?.join(', '),
      );
    }
    return settings;
  }

  async #putSealed(
    memfd: Memfd | HasDescriptor,
    size: number,
    settings: PutSettings,
    signal: AbortSignal | undefined,
  ): Promise<BlobInfo> {
    const { answer } = await this.#use().ask({ ...settings, size }, memfd.fd, signal);
    return toBlobInfo(answer.object);
  }

  async #get(target: Target, options: GetOptions, wait: boolean): Promise<Blob> {
    const selector = toSelector(target);
    checkOptions('options', options, ['signal', 'populate']);
    checkBoolean('populate', options.populate);
    checkSignal('signal', options.signal);
    const blob = toBlob(await this.#use().ask({ type: 'get', selector, wait }, undefined, options.signal));
    if (options.populate === true) populateOrClose(blob);
    return blob;
  }
}

/**
 * Connects to a broker. Throws ERR_SEALANE_NO_BROKER when nobody listens, ERR_SEALANE_UNTRUSTED_PEER when somebody else does (or
 * when the broker does not admit this user), ERR_SEALANE_TIMEOUT, ERR_SEALANE_ABORTED, ERR_SEALANE_VERSION_MISMATCH,
 * ERR_SEALANE_LIMIT_EXCEEDED when the broker has too many connections, ERR_SEALANE_UNSUPPORTED_PLATFORM.
 */
export async function connect(options: ConnectOptions = {}): Promise<Bus> {
  return await Bus.connect(options);
}

function populateOrClose(blob: Blob): void {
  try {
    blob.populate();
  } catch (error) {
    blob.close();
    throw error as SealaneError;
  }
}

function checkPattern(pattern: string, literal: boolean): void {
  checkText('pattern', pattern, 1, MAX_PATTERN_BYTES);
  if (!literal) void new NamePattern(pattern);
}
