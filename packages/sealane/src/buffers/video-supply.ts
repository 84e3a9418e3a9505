/**
 * The empty buffers that a video device has to fill: fetched from a pool, as they come free. Owns the buffers between the pool and the device; borrows both.
 * Trusts no pool: what it gives out is checked.
 */
import { checkInteger } from '../base/check.js';
import { invalidArgument, SealaneError } from '../base/errors.js';
import type { FrameMetadata } from './frame-metadata.js';

/** What a source streams into: buffers, registered once, that come back when nobody needs them. A BufferPool is one. */
export interface FramePool {
  /** A buffer that nobody needs, which the source has from now on until it sends or releases it; undefined: there is none now. */
  acquire(): FrameBuffer | undefined;
  /** The same, as soon as there is one. Rejects when the signal fires; a buffer that it resolves with afterwards is released. */
  acquireAsync(options: { readonly signal: AbortSignal }): Promise<FrameBuffer>;
}

/** A buffer of a pool, of which the camera may fill the memory. */
export interface FrameBuffer {
  /** Its number: that of its descriptor in {@link V4l2Source.descriptors}. */
  readonly index: number;
  /** Gives it to all who want it; resolves with how many that are. */
  sendAsync(metadata: FrameMetadata, options: { readonly signal?: AbortSignal }): Promise<number>;
  /** Gives it back unsent. */
  release(): void;
}

/** What fills buffers: a video device. */
export interface Filler {
  readonly closed: boolean;
  /** Gives it an empty buffer. */
  queue(index: number): void;
  /** It writes no more. */
  stop(): void;
}

/** What a supply is made of. */
export interface SupplyOptions {
  readonly filler: Filler;
  readonly pool: FramePool;
  /** Buffers of the device. */
  readonly count: number;
  /** How many empty ones it should have at a time. */
  readonly ahead: number;
  /** A buffer came that was waited for, or why none comes is known. Must not throw. */
  onCome(): void;
}

export class Supply {
  readonly #options: SupplyOptions;
  readonly #buffers = new Map<number, FrameBuffer>();
  readonly #ending = new AbortController();
  #waits = false;
  #failure: unknown;

  constructor(options: SupplyOptions) {
    this.#options = options;
  }

  /** Whether the device has no buffer to fill. */
  get none(): boolean {
    return this.#buffers.size === 0;
  }

  /** Gives the device empty buffers until it has enough; where there are too few, waits for one. Throws also what the last wait threw. */
  fill(): void {
    if (this.#failure !== undefined) throw this.#failure;
    while (!this.#waits && this.#buffers.size < this.#options.ahead) {
      const buffer = this.#options.pool.acquire();
      if (buffer === undefined) void this.#wait();
      else this.#add(buffer);
    }
  }

  /** The buffer that the device has filled. */
  take(index: number): FrameBuffer {
    const buffer = this.#buffers.get(index);
    if (buffer === undefined) {
      const message = `the driver says that it filled buffer ${index}, which it did not have`;
      throw new SealaneError('ERR_SEALANE_PROTOCOL', message);
    }
    this.#buffers.delete(index);
    return buffer;
  }

  /** Stops the device, so that it writes no more, and gives the pool back what it did not fill. Idempotent. */
  end(): void {
    this.#ending.abort();
    try {
      if (!this.#options.filler.closed) this.#options.filler.stop();
    } finally {
      for (const buffer of this.#buffers.values()) buffer.release();
      this.#buffers.clear();
    }
  }

  /** Who waits in the pool's line gets the next buffer: nothing else is asked meanwhile. Never rejects. */
  async #wait(): Promise<void> {
    const { signal } = this.#ending;
    this.#waits = true;
    try {
      const buffer = await this.#options.pool.acquireAsync({ signal });
      if (signal.aborted) buffer.release();
      else this.#add(buffer);
    } catch (error) {
      this.#failure = error;
    }
    this.#waits = false;
    if (!signal.aborted) this.#options.onCome();
  }

  /** Takes the buffer, also when this throws. */
  #add(buffer: FrameBuffer): void {
    const { index } = buffer;
    try {
      checkInteger('the index of a buffer of the pool', index, 0, this.#options.count - 1);
      if (this.#buffers.has(index)) throw invalidArgument('pool', 'give out each buffer once', index);
      this.#options.filler.queue(index);
      this.#buffers.set(index, buffer);
    } catch (error) {
      buffer.release();
      throw error;
    }
  }
}
