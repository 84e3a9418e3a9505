/**
 * Memory of this process's own as a buffer for frames, where pictures come from no device. Owns a memfd, and the one writable mapping that
 * there can ever be of it.
 */
import { checkInteger, checkOptions } from '../base/check.js';
import { type Mappable, type PageOptions, POOL_SEALS, SharedMemory } from '../os/index.js';

export type BufferMemoryOptions = PageOptions;

/** Memory that its maker fills and others read: its seals keep them from writing, and everybody from shrinking it. */
export class BufferMemory implements Mappable, Disposable {
  /** All of it, for writing; empty after close(). */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #memory: SharedMemory;

  private constructor(memory: SharedMemory) {
    this.#memory = memory;
    this.bytes = new Uint8Array(memory.buffer);
  }

  /**
   * Makes `bytes` zeros (1 at least). Throws ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_LIMIT_EXCEEDED (more than one ArrayBuffer holds),
   * ERR_SEALANE_EXHAUSTED (no descriptor, mapping or memory left; or RLIMIT_MEMLOCK allows not so much to be locked), ERR_SEALANE_SYSTEM.
   */
  static allocate(bytes: number, options: BufferMemoryOptions = {}): BufferMemory {
    checkInteger('bytes', bytes, 1, Number.MAX_SAFE_INTEGER);
    checkOptions('options', options, ['prefault', 'lock', 'hugePages']);
    const memory = SharedMemory.create('sealane-buffer', bytes, POOL_SEALS, options);
    try {
      return new BufferMemory(memory);
    } catch (error) {
      memory.close();
      throw error;
    }
  }

  /** Its descriptor, which stays its own: what is sent, or registered in a pool. Throws ERR_SEALANE_CLOSED. */
  get descriptor(): number {
    return this.#memory.descriptor;
  }

  /** Size in bytes. Throws ERR_SEALANE_CLOSED. */
  get size(): number {
    return this.#memory.size;
  }

  /** The seals (F_SEAL_...) as a bit mask. Throws ERR_SEALANE_CLOSED. */
  get seals(): number {
    return this.#memory.seals;
  }

  /** Closes the descriptor and the mapping. Those who have duplicates, and pools, keep the memory. Idempotent. */
  close(): void {
    this.#memory.close();
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }
}
