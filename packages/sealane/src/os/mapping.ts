/**
 * A range of a file in the memory of this process, mmap(2), as an ArrayBuffer. Owns the addresses. They are given back
 * only when nothing in JavaScript or Node.js can hold them any more; native/mapping.c says when that is.
 * Trusts its caller that the file can't shrink: it is sealed, or it is this process's own.
 */
import { constants } from 'node:buffer';
import { closedError, SealaneError } from '../base/errors.js';
import { addon, type NativeHandle } from '../native/addon.js';
import { Memfd } from './memfd.js';
import { systemError } from './system-error.js';

/** How the pages of shared memory are got ready before their first use. */
export interface PageOptions {
  /** Allocates all pages at once, so that no later access waits for one. Default: false. */
  readonly prefault?: boolean;
  /** Keeps all pages in memory (mlock); counts against RLIMIT_MEMLOCK. Default: false. */
  readonly lock?: boolean;
  /** Asks for huge pages, and does without where the kernel has none for shared memory. Default: false. */
  readonly hugePages?: boolean;
}

/** The counter of this thread, made on first use. */
let writes: Int32Array | undefined;

/**
 * Word 0 changes with each write into a guarded mapping that any thread of this process has survived. Throws as {@link Mapping.buffer}.
 */
export function guardedWrites(): Int32Array {
  writes ??= new Int32Array(addon().guardWrites() ?? refuseForeignMemory());
  return writes;
}

function refuseForeignMemory(): never {
  const message =
    'this runtime allows no ArrayBuffer over foreign memory (Electron?): run Sealane under Node.js';
  throw new SealaneError('ERR_SEALANE_UNSUPPORTED_PLATFORM', message);
}

/** Mapped memory. A view that is used after close() is an empty view. */
export class Mapping implements Disposable {
  /** Length of the range in bytes. */
  readonly length: number;
  #handle: NativeHandle | undefined;
  #closed = false;
  #buffer: ArrayBuffer | undefined;
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  private constructor(length: number, handle: NativeHandle | undefined) {
    this.length = length;
    this.#handle = handle;
  }

  /**
   * Maps `length` bytes from `offset` (any offset) so that reads share the file's pages and a write lands on a private
   * copy. `populate` reads all pages in before it returns. Borrows the descriptor for the call.
   * Throws ERR_SEALANE_EXHAUSTED (no memory or no mapping left) or ERR_SEALANE_SYSTEM.
   */
  static private(fd: number, offset: number, length: number, options: { populate?: boolean } = {}): Mapping {
    if (length === 0) return new Mapping(0, undefined);
    try {
      return new Mapping(length, addon().mapPrivate(fd, offset, length, options.populate === true));
    } catch (error) {
      throw systemError(error, `mapping ${length} bytes at ${offset} of descriptor ${fd}`);
    }
  }

  /** Maps `length` bytes from `offset` (any offset) so that writes reach the file. Otherwise as {@link Mapping.private}. */
  static shared(fd: number, offset: number, length: number): Mapping {
    if (length === 0) return new Mapping(0, undefined);
    try {
      return new Mapping(length, addon().mapShared(fd, offset, length));
    } catch (error) {
      throw systemError(error, `mapping ${length} bytes at ${offset} of descriptor ${fd}`);
    }
  }

  /**
   * Maps `length` bytes from `offset` (any offset) for reading only, so that what the file's owner writes is seen: the memory of somebody
   * else, who sealed it with SEAL_FUTURE_WRITE and keeps the one writable mapping. A write from JavaScript into it kills the process
   * (SIGSEGV). Otherwise as {@link Mapping.private}.
   */
  static sharedReadOnly(
    fd: number,
    offset: number,
    length: number,
    options: { populate?: boolean } = {},
  ): Mapping {
    if (length === 0) return new Mapping(0, undefined);
    try {
      return new Mapping(length, addon().mapReadOnly(fd, offset, length, options.populate === true));
    } catch (error) {
      throw systemError(error, `mapping ${length} bytes at ${offset} of descriptor ${fd} for reading`);
    }
  }

  /**
   * Maps the first `length` bytes (1 at least) of a memfd for reading only, and survives writes from JavaScript: the first one into a
   * block of `blockBytes` (1 to `length`) puts a private copy of that block over it, of which the kernel copies the pages that are
   * written into. Others see nothing of it; this process sees what it wrote, there and in what shares a page with it, and nothing that
   * the file's owner writes later, until {@link Mapping.restore}. System calls that would write fail with EFAULT.
   * Keeps a descriptor of its own, and installs a handler of SIGSEGV in the process for good, which hands on what is not its own.
   * Otherwise as {@link Mapping.sharedReadOnly}.
   */
  static guarded(fd: number, length: number, blockBytes: number): Mapping {
    try {
      return new Mapping(length, addon().mapGuarded(fd, length, blockBytes));
    } catch (error) {
      throw systemError(error, `mapping ${length} bytes of descriptor ${fd} with a guard`);
    }
  }

  /**
   * Makes a memfd of `size` bytes (1 at least), maps it shared, and has the kernel allocate all its pages, all on another
   * thread. The caller owns both results.
   */
  static async sharedPopulated(name: string, size: number): Promise<{ memfd: Memfd; mapping: Mapping }> {
    try {
      const [fd, handle] = await addon().mapPopulated(name, size);
      return { memfd: Memfd.take(fd), mapping: new Mapping(size, handle) };
    } catch (error) {
      throw systemError(error, `making and populating a memfd of ${size} bytes`);
    }
  }

  /**
   * Gets the pages of a shared, writable mapping ready, with the thread blocked until they are: advises huge pages, has all pages
   * allocated, and locks them in memory. Returns whether the kernel took the advice of huge pages, which says not yet that it has any.
   * Throws ERR_SEALANE_CLOSED, ERR_SEALANE_EXHAUSTED (no memory; or RLIMIT_MEMLOCK allows not so much to be locked).
   */
  prepare({ hugePages = false, prefault = false, lock = false }: PageOptions): boolean {
    if (this.#closed) throw closedError('the mapping');
    if (this.#handle === undefined) return false;
    try {
      return addon().mappingPrepare(this.#handle, hugePages, prefault, lock);
    } catch (error) {
      throw systemError(error, `preparing ${this.length} bytes of shared memory`, 'ERR_SEALANE_EXHAUSTED');
    }
  }

  /**
   * Shows the file again wherever a guarded mapping was written into. Returns the numbers of the blocks, in the order of their first
   * writes: all of them up to 32, and one for all that share their pages with it; then what else was written into is restored too, and
   * not told. Throws ERR_SEALANE_CLOSED, ERR_SEALANE_EXHAUSTED (to be tried again).
   */
  restore(): number[] {
    if (this.#handle === undefined) throw closedError('the mapping');
    try {
      const count = addon().mappingRestore(this.#handle);
      return Array.from(addon().scratch.subarray(0, count));
    } catch (error) {
      throw systemError(
        error,
        `restoring ${this.length} bytes that were written into`,
        'ERR_SEALANE_EXHAUSTED',
      );
    }
  }

  /** Whether close() was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * The memory, made an ArrayBuffer on first use. Throws ERR_SEALANE_CLOSED, ERR_SEALANE_LIMIT_EXCEEDED when this Node.js
   * allows no ArrayBuffer of that length, ERR_SEALANE_UNSUPPORTED_PLATFORM when it allows none over foreign memory.
   *
   * Don't transfer it. After buffer.transfer() (Node.js 22 and later) close() can't take the memory away any more, and a
   * result that is posted to another thread must not be used there once this thread has ended.
   */
  get buffer(): ArrayBuffer {
    if (this.#closed) throw closedError('the mapping');
    this.#buffer ??= this.#makeBuffer();
    return this.#buffer;
  }

  /** All of it as one view, always the same object. Throws as {@link Mapping.buffer}. */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#closed) throw closedError('the mapping');
    this.#bytes ??= new Uint8Array(this.buffer);
    return this.#bytes;
  }

  /**
   * Ends the mapping: every view is empty from now on, and a shared mapping no longer keeps its memfd from being sealed.
   * A read or write by Node.js that is still in flight fails with EFAULT; it never sees other memory. Idempotent.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const handle = this.#handle;
    this.#handle = undefined;
    this.#buffer = undefined;
    this.#bytes = undefined;
    if (handle !== undefined) addon().mappingClose(handle);
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }

  #makeBuffer(): ArrayBuffer {
    if (this.#handle === undefined) return new ArrayBuffer(0);
    if (this.length > constants.MAX_LENGTH) {
      const message = `${this.length} bytes don't fit one ArrayBuffer: this Node.js allows ${constants.MAX_LENGTH}; map parts`;
      throw new SealaneError('ERR_SEALANE_LIMIT_EXCEEDED', message);
    }
    return addon().mappingBuffer(this.#handle) ?? refuseForeignMemory();
  }
}
