/**
 * Anonymous memory with a descriptor, memfd_create(2). Owns its descriptor: it is closed by close(), and at the latest
 * when the thread's environment ends. Trusts nothing about a descriptor that it took: size and seals are asked of the kernel.
 */
import { closedError, SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import {
  BLOB_SEALS,
  closeDescriptor,
  type DescriptorInfo,
  inspect,
  releaseDescriptor,
  SEAL_GROW,
  SEAL_SEAL,
  SEAL_SHRINK,
} from './descriptor.js';
import type { Mappable } from './mappable.js';
import { systemError } from './system-error.js';

/** Anonymous memory that can be sealed and handed to other processes. Every method throws ERR_SEALANE_CLOSED once closed. */
export class Memfd implements Mappable, Disposable {
  #fd: number;
  /** The size, once the seals fix it; -1 before. */
  #fixedSize = -1;
  /** The seals, once the SEAL seal fixes them; -1 before. */
  #fixedSeals = -1;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Makes an unsealed memfd of `size` zero bytes. `name` is for people, as /proc shows it: at most 249 bytes.
   * Throws ERR_SEALANE_EXHAUSTED or ERR_SEALANE_SYSTEM.
   */
  static create(name: string, size = 0): Memfd {
    try {
      return new Memfd(addon().memfdCreate(name, size));
    } catch (error) {
      throw systemError(error, `making a memfd of ${size} bytes`);
    }
  }

  /** Makes a memfd that holds a copy of `bytes` and has the blob seals. Synchronous. Throws as {@link Memfd.create}. */
  static sealed(name: string, bytes: Uint8Array): Memfd {
    try {
      const memfd = new Memfd(addon().memfdSealed(name, bytes, BLOB_SEALS));
      memfd.#fixedSize = bytes.length;
      return memfd;
    } catch (error) {
      throw systemError(error, `making a sealed memfd of ${bytes.length} bytes`);
    }
  }

  /**
   * Takes a descriptor; it is closed when this throws. `info` is what {@link inspect} just said about it, and spares a
   * second look. Throws ERR_SEALANE_WRONG_DESCRIPTOR when it can't be sealed: not a memfd.
   */
  static take(fd: number, info?: DescriptorInfo): Memfd {
    addon().own(fd);
    try {
      const known = info ?? inspect(fd);
      if (known.regular && known.seals !== -1) {
        const memfd = new Memfd(fd);
        memfd.#remember(known);
        return memfd;
      }
    } catch (error) {
      closeDescriptor(fd);
      throw error;
    }
    closeDescriptor(fd);
    throw new SealaneError(
      'ERR_SEALANE_WRONG_DESCRIPTOR',
      `descriptor ${fd} is not a memfd: it supports no seals`,
    );
  }

  /** The descriptor, which stays this object's. Throws ERR_SEALANE_CLOSED. */
  get fd(): number {
    if (this.#fd === -1) throw closedError('the memfd');
    return this.#fd;
  }

  /** The same as {@link Memfd.fd}, for whoever takes anything that can be mapped. */
  get descriptor(): number {
    return this.fd;
  }

  /** Size in bytes. */
  get size(): number {
    if (this.#fixedSize !== -1 && this.#fd !== -1) return this.#fixedSize;
    return this.#look().size;
  }

  /** The seals (SEAL_...) as a bit mask. */
  get seals(): number {
    if (this.#fixedSeals !== -1 && this.#fd !== -1) return this.#fixedSeals;
    return this.#look().seals;
  }

  /** Whether the descriptor was closed or released. */
  get closed(): boolean {
    return this.#fd === -1;
  }

  /** Writes all bytes at `offset`; the memfd grows as needed. Synchronous. */
  write(bytes: Uint8Array, offset: number): void {
    try {
      addon().memfdWrite(this.fd, bytes, offset);
    } catch (error) {
      throw systemError(error, `writing ${bytes.length} bytes at ${offset} to a memfd`);
    }
  }

  /**
   * Writes all bytes at `offset` on another thread. The bytes must not change, and their ArrayBuffer must not be
   * transferred, until the promise settles. The memfd may be closed meanwhile.
   */
  async writeAsync(bytes: Uint8Array, offset: number): Promise<void> {
    const { length } = bytes;
    try {
      await addon().memfdWriteAsync(this.fd, bytes, offset);
    } catch (error) {
      throw systemError(error, `writing ${length} bytes at ${offset} to a memfd`);
    }
  }

  /** Reads into `into` from `offset`. Returns how many bytes there were; fewer than asked for only at the end. */
  read(into: Uint8Array, offset: number): number {
    try {
      return addon().memfdRead(this.fd, into, offset);
    } catch (error) {
      throw systemError(error, `reading ${into.length} bytes at ${offset} from a memfd`);
    }
  }

  /** Makes it `size` bytes long: cut off, or filled up with zeros. */
  resize(size: number): void {
    try {
      addon().memfdResize(this.fd, size);
    } catch (error) {
      throw systemError(error, `resizing a memfd to ${size} bytes`);
    }
  }

  /** Adds seals. SEAL_WRITE fails with EBUSY while a writable shared mapping exists anywhere. */
  seal(seals: number): void {
    try {
      addon().memfdSeal(this.fd, seals);
    } catch (error) {
      throw systemError(error, `sealing a memfd with 0x${seals.toString(16)}`);
    }
  }

  /**
   * Adds seals on another thread: the kernel may wait for pages that another processor has just handled, 160 ms at the
   * worst. Rejects as {@link Memfd.seal} throws.
   */
  async sealAsync(seals: number): Promise<void> {
    try {
      await addon().memfdSealAsync(this.fd, seals);
    } catch (error) {
      throw systemError(error, `sealing a memfd with 0x${seals.toString(16)}`);
    }
  }

  /** Gives the descriptor to the caller, who closes it; this object is closed from now on. */
  release(): number {
    const fd = this.fd;
    releaseDescriptor(fd);
    this.#fd = -1;
    return fd;
  }

  /** Closes the descriptor. Idempotent. Mappings stay. */
  close(): void {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#fd = -1;
    closeDescriptor(fd);
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }

  #look(): DescriptorInfo {
    const info = inspect(this.fd);
    this.#remember(info);
    return info;
  }

  #remember(info: DescriptorInfo): void {
    const fixed = SEAL_SHRINK | SEAL_GROW;
    if ((info.seals & fixed) === fixed) this.#fixedSize = info.size;
    if ((info.seals & SEAL_SEAL) !== 0) this.#fixedSeals = info.seals;
  }
}
