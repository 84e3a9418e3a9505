/**
 * Memory that this process makes, maps writable, and hands to others: a memfd, its mapping, and seals that say what the others can do.
 * Owns both. Trusts nobody: the size is sealed, and with POOL_SEALS nobody else can ever write.
 */
import { checkInteger } from '../base/check.js';
import { invalidArgument } from '../base/errors.js';
import { CONTROL_SEALS, sealNames } from './descriptor.js';
import { mayHaveHugePages } from './huge-pages.js';
import type { Mappable } from './mappable.js';
import { Mapping, type PageOptions } from './mapping.js';
import { Memfd } from './memfd.js';

/** A sealed memfd, and a writable mapping of all of it that was made before. */
export class SharedMemory implements Mappable, Disposable {
  /** The memfd; it belongs to this object. */
  readonly memfd: Memfd;
  /** All of it, writable; it belongs to this object. */
  readonly mapping: Mapping;
  /** Whether huge pages were asked for and the kernel has them for shared memory, for its parts that are large enough. */
  readonly hugePages: boolean;

  private constructor(memfd: Memfd, mapping: Mapping, hugePages: boolean) {
    this.memfd = memfd;
    this.mapping = mapping;
    this.hugePages = hugePages;
  }

  /**
   * Makes `size` zero bytes (1 at least) with `seals`: POOL_SEALS, CONTROL_SEALS, or more than those. `name` is for people, as /proc shows
   * it: at most 249 bytes. Getting the pages ready blocks the thread: 1 GiB takes most of a second. Throws ERR_SEALANE_INVALID_ARGUMENT,
   * ERR_SEALANE_EXHAUSTED (no descriptor, mapping or memory left; or RLIMIT_MEMLOCK allows not so much to be locked), ERR_SEALANE_SYSTEM.
   * Nothing is left behind then.
   */
  static create(name: string, size: number, seals: number, pages: PageOptions = {}): SharedMemory {
    checkInteger('size', size, 1, Number.MAX_SAFE_INTEGER);
    if ((seals & CONTROL_SEALS) !== CONTROL_SEALS) {
      throw invalidArgument('seals', `have ${sealNames(CONTROL_SEALS)} at least`, seals);
    }
    const memfd = Memfd.create(name, size);
    let mapping: Mapping | undefined;
    try {
      mapping = Mapping.shared(memfd.fd, 0, size);
      const advised = mapping.prepare(pages);
      memfd.seal(seals);
      return new SharedMemory(memfd, mapping, advised && mayHaveHugePages());
    } catch (error) {
      mapping?.close();
      memfd.close();
      throw error;
    }
  }

  /** The memfd's descriptor, borrowed. Throws ERR_SEALANE_CLOSED. */
  get descriptor(): number {
    return this.memfd.fd;
  }

  /** Size in bytes. Throws ERR_SEALANE_CLOSED. */
  get size(): number {
    return this.memfd.size;
  }

  /** The seals (SEAL_...) as a bit mask. Throws ERR_SEALANE_CLOSED. */
  get seals(): number {
    return this.memfd.seals;
  }

  /** The memory, always the same object; empty after close(). Throws as {@link Mapping.buffer}. */
  get buffer(): ArrayBuffer {
    return this.mapping.buffer;
  }

  /** Closes the mapping and the memfd. Others keep what they have mapped. Idempotent. */
  close(): void {
    this.mapping.close();
    this.memfd.close();
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }
}
