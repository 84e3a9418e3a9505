/**
 * Memory that a caller fills in place before it becomes an object, and a pool that makes such memory ahead.
 * A draft owns its memfd and its writable mapping until it is put or discarded; a pool owns what it has ready.
 */
import { totalmem } from 'node:os';
import { checkInteger, checkOptions, checkRecord } from '../base/check.js';
import { closedError } from '../base/errors.js';
import { BLOB_SEALS } from '../os/descriptor.js';
import { Mapping } from '../os/mapping.js';
import { Memfd } from '../os/memfd.js';
import type { BlobInfo } from './info.js';
import type { PutOptions } from './put-options.js';
import { MEMFD_NAME } from './source.js';

/** How a draft becomes an object. */
export interface DraftPutOptions extends PutOptions {
  /** Bytes from the beginning that become the object, when it turned out smaller. Default: all of the draft. */
  size?: number | undefined;
}

/** Sends a sealed memfd to the broker; borrows it. @internal */
export type PutSealed = (memfd: Memfd, options: PutOptions) => Promise<BlobInfo>;

/** New memory and a writable view of it. Fill `bytes`, then put the draft: that seals it without copying anything. */
export class Draft implements Disposable {
  /** Bytes. */
  readonly size: number;
  readonly #memory: DraftMemory;
  readonly #pool: DraftPool | undefined;
  readonly #put: PutSealed;
  #putting = false;

  /** @internal Throws ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_EXHAUSTED. */
  constructor(size: number, pool: DraftPool | undefined, put: PutSealed) {
    this.#memory = pool?.take(size) ?? makeMemory(size);
    this.#pool = pool;
    this.size = size;
    this.#put = put;
  }

  /** The memory, all zeros at first. Empty once the draft was put or discarded. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#memory.mapping.bytes.subarray(0, this.size);
  }

  get closed(): boolean {
    return this.#memory.mapping.closed;
  }

  /**
   * Takes the writable view away, seals the memory, and gives it to the broker. The draft is used up, also when this fails. Throws
   * what Bus.put throws, and ERR_SEALANE_SYSTEM (EBUSY) when a direct read of a device still writes into the memory.
   */
  async put(options: DraftPutOptions = {}): Promise<BlobInfo> {
    if (this.closed) throw closedError('the draft');
    checkRecord('options', options);
    const { size = this.size, ...rest } = options;
    checkInteger('size', size, 0, this.size);
    const { memfd, mapping } = this.#memory;
    this.#putting = true;
    try {
      mapping.close();
      if (mapping.length !== size) memfd.resize(size);
      memfd.seal(BLOB_SEALS);
      return await this.#put(memfd, rest);
    } finally {
      memfd.close();
      this.#pool?.onDraftDone();
    }
  }

  /** Gives the memory back unused. Idempotent; without effect once the draft was put. */
  discard(): void {
    if (this.#putting) return;
    freeMemory(this.#memory);
    this.#pool?.onDraftDone();
  }

  [Symbol.dispose](): void {
    this.discard();
  }
}

/** A memfd and the writable mapping of all of it. */
export interface DraftMemory {
  readonly memfd: Memfd;
  readonly mapping: Mapping;
}

/** New memory whose pages the kernel adds as they are touched. The caller owns it. */
export function makeMemory(size: number): DraftMemory {
  const memfd = Memfd.create(MEMFD_NAME, size);
  try {
    return { memfd, mapping: Mapping.shared(memfd.fd, 0, size) };
  } catch (error) {
    memfd.close();
    throw error;
  }
}

function freeMemory(memory: DraftMemory): void {
  memory.mapping.close();
  memory.memfd.close();
}

export interface DraftPoolOptions {
  /** Size of each piece of memory, in bytes: the largest draft that the pool serves. 1 to 2^40. */
  bytes: number;
  /**
   * How many pieces are kept ready, 1 to 1,024. The pool holds at most `bytes * count`, which may not be more than the
   * machine's memory: all of it is really taken. Default: 4.
   */
  count?: number | undefined;
}

/** Largest piece of a pool: a terabyte is beyond any machine that this runs on, and far below what breaks arithmetic. */
const MAX_POOL_BYTES = 2 ** 40;

/** Without a draft for so long, in milliseconds, a pool uses the time. Drafts of 1 MiB take a fifth of it. */
const PAUSE_MS = 1;

/** Most pieces of a pool: each is a descriptor and a mapping. */
const MAX_POOL_COUNT = 1_024;

/**
 * Keeps memory ready that a thread has created and populated, so that filling a draft costs a memory copy and no page faults
 * (about ten times less for 1 MiB). The memory is fresh from the kernel each time, all zeros.
 */
export class DraftPool implements Disposable {
  readonly bytes: number;
  readonly count: number;
  readonly #ready: DraftMemory[] = [];
  #refilling: Promise<void> | undefined;
  #pause: NodeJS.Timeout | undefined;
  #failure: unknown;
  #closed = false;
  #hits = 0;
  #misses = 0;

  /** Starts to populate at once. Throws ERR_SEALANE_INVALID_ARGUMENT. */
  constructor(options: DraftPoolOptions) {
    checkOptions('options', options, ['bytes', 'count']);
    checkInteger('bytes', options.bytes, 1, MAX_POOL_BYTES);
    const { count = 4 } = options;
    checkInteger('count', count, 1, MAX_POOL_COUNT);
    checkInteger('bytes * count', options.bytes * count, 1, totalmem());
    this.bytes = options.bytes;
    this.count = count;
    this.#refill();
  }

  /** How often memory was ready, how often it was not, and how many pieces are ready now. */
  get stats(): { readonly hits: number; readonly misses: number; readonly ready: number } {
    return { hits: this.#hits, misses: this.#misses, ready: this.#ready.length };
  }

  /** Resolves when all pieces are ready. Throws what making them threw: ERR_SEALANE_EXHAUSTED, ERR_SEALANE_CLOSED. */
  async ready(): Promise<void> {
    while (this.#ready.length < this.count) {
      if (this.#closed) throw closedError('the draft pool');
      this.#refill();
      await this.#refilling;
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  /** @internal Ready memory of at least `size` bytes, or undefined when there is none. The caller owns it. */
  take(size: number): DraftMemory | undefined {
    if (this.#closed) throw closedError('the draft pool');
    checkInteger('size', size, 0, this.bytes);
    const memory = this.#ready.pop();
    if (memory === undefined) this.#misses++;
    else this.#hits++;
    if (this.#ready.length === 0) this.#refill();
    return memory;
  }

  /** Frees what is ready. Drafts that were taken live on. Idempotent. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#pause);
    for (const memory of this.#ready.splice(0)) freeMemory(memory);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * A draft is done. What is missing is made when drafts pause for a moment, or when few pieces are left: populating competes with
   * whoever fills a draft, for the processor and for the lock of the address space. @internal
   */
  onDraftDone(): void {
    if (this.#closed) return;
    if (this.#ready.length <= this.count / 4) this.#refill();
    else if (this.#pause === undefined) this.#pause = setTimeout(() => this.#refill(), PAUSE_MS).unref();
    else this.#pause.refresh();
  }

  #refill(): void {
    if (this.#refilling !== undefined || this.#closed) return;
    this.#failure = undefined;
    this.#refilling = this.#fillUp()
      .catch((error) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#refilling = undefined;
      });
  }

  async #fillUp(): Promise<void> {
    while (!this.#closed && this.#ready.length < this.count) {
      const memory = await Mapping.sharedPopulated(MEMFD_NAME, this.bytes);
      if (this.#closed) {
        freeMemory(memory);
        return;
      }
      // The view is made now: whoever takes the memory is in a hurry.
      void memory.mapping.bytes;
      this.#ready.push(memory);
    }
  }
}
