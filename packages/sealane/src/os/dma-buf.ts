/**
 * Memory of a device behind a descriptor: a camera's frame, a render target, a decoder's output. Owns its descriptor. Trusts nothing that was
 * said about a descriptor: the magic number of its file system makes it a DMA-BUF, and its size is asked of the kernel.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkDescriptor, checkInteger, checkOptions, checkRecord } from '../base/check.js';
import { invalidArgument, SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { closeDescriptor, type DescriptorInfo, inspect, isDmaBufInfo, kindOf } from './descriptor.js';
import { KernelObject } from './kernel-object.js';
import type { Mappable } from './mappable.js';
import { Mapping } from './mapping.js';
import { requirePages } from './page-size.js';
import { systemError } from './system-error.js';

/** Where the kernel has its heaps. */
const HEAPS = '/dev/dma_heap';
const UDMABUF = '/dev/udmabuf';

/** What the processor is going to do with a buffer. */
export type CpuUse = 'read' | 'write' | 'read-write';

/** DMA_BUF_SYNC_READ, _WRITE, _RW. */
const SYNC_FLAGS: Readonly<Record<CpuUse, number>> = { read: 1, write: 2, 'read-write': 3 };
/** DMA_BUF_SYNC_END. */
const SYNC_END = 4;

export interface DmaHeapOptions {
  /** The heap's name in /dev/dma_heap. Default: `system`. */
  heap?: string | undefined;
}

export interface UdmabufOptions {
  /** Where the buffer begins in the memory, in bytes: whole pages. Default: 0. */
  offset?: number | undefined;
  /** Bytes of the buffer: whole pages. Default: all from `offset`. */
  bytes?: number | undefined;
}

/**
 * A DMA-BUF. It can't be sealed: who holds its descriptor can write into it, unless that was opened for reading only. Every method throws
 * ERR_SEALANE_CLOSED once closed.
 */
export class DmaBuf extends KernelObject implements Mappable {
  /** Size in bytes, whole pages; it never changes. */
  readonly size: number;
  /** None: a DMA-BUF has no seals. */
  readonly seals = 0;
  readonly #accesses = new Set<CpuAccess>();

  private constructor(fd: number, size: number) {
    super(fd, 'the DMA-BUF');
    this.size = size;
  }

  /**
   * Whether a descriptor is a DMA-BUF. Borrows it. Throws ERR_SEALANE_SYSTEM (EBADF), and ERR_SEALANE_INVALID_ARGUMENT for what is no
   * descriptor.
   */
  static is(fd: number): boolean {
    checkDescriptor('fd', fd);
    return isDmaBufInfo(inspect(fd));
  }

  /**
   * Takes a descriptor; it is closed when this throws. Throws ERR_SEALANE_WRONG_DESCRIPTOR for any other kind, and for one that was opened
   * with O_PATH; ERR_SEALANE_SYSTEM (EBADF).
   */
  static take(fd: number): DmaBuf {
    checkDescriptor('fd', fd);
    own(fd);
    try {
      return new DmaBuf(fd, dmaBufSize(fd, inspect(fd), `descriptor ${fd}`));
    } catch (error) {
      closeDescriptor(fd);
      throw error;
    }
  }

  /** The names of the kernel's DMA heaps; none where it has no such devices. */
  static heaps(): string[] {
    try {
      return readdirSync(HEAPS).sort();
    } catch {
      return [];
    }
  }

  /**
   * A new buffer of zeros from a DMA heap. `bytes` is rounded up to whole pages. Throws ERR_SEALANE_SYSTEM (ENOENT: this machine has no such
   * heap; EACCES: this user may not use it) and ERR_SEALANE_EXHAUSTED.
   */
  static allocate(bytes: number, options: DmaHeapOptions = {}): DmaBuf {
    checkInteger('bytes', bytes, 1, Number.MAX_SAFE_INTEGER);
    checkOptions('options', options, ['heap']);
    const { heap = 'system' } = options;
    // Nothing that leads out of the folder.
    if (typeof heap !== 'string' || !/^[\w-][\w.-]{0,254}$/.test(heap))
      throw invalidArgument('heap', 'be the name of a heap in /dev/dma_heap', heap);
    const path = join(HEAPS, heap);
    const there = DmaBuf.heaps().join(', ') || 'none';
    const what = `allocating ${bytes} bytes from ${path} (heaps of this machine: ${there})`;
    return made(() => addon().dmaHeapAllocate(path, bytes), what);
  }

  /**
   * A new buffer out of pages of a memfd, which both show from then on (udmabuf). The memory has the seal SHRINK and not the seal WRITE. It is
   * borrowed for the call. Throws ERR_SEALANE_SYSTEM (ENOENT: this machine has no udmabuf; EACCES: this user may not use it; EINVAL:
   * the seals don't fit, or it is more than the kernel allows, 64 MiB by default), ERR_SEALANE_MISALIGNED and ERR_SEALANE_EXHAUSTED.
   */
  static fromMemory(memory: Mappable, options: UdmabufOptions = {}): DmaBuf {
    checkOptions('options', options, ['offset', 'bytes']);
    const { offset = 0, bytes: wanted } = options;
    checkRecord('memory', memory);
    const { descriptor } = memory;
    checkDescriptor('memory.descriptor', descriptor);
    const { size } = inspect(descriptor);
    checkInteger('offset', offset, 0, Math.max(0, size - 1));
    const bytes = wanted === undefined ? size - offset : wanted;
    checkInteger('bytes', bytes, 1, size - offset);
    requirePages('offset', offset);
    requirePages('bytes', bytes);
    const make = () => addon().udmabufMake(UDMABUF, descriptor, offset, bytes);
    return made(make, `making a DMA-BUF of ${bytes} bytes with ${UDMABUF} (a module of the kernel)`);
  }

  /** The same as {@link DmaBuf.fd}, for whoever takes anything that can be mapped. */
  get descriptor(): number {
    return this.fd;
  }

  /**
   * Maps all of it, for reading or for reading and writing. The caller owns the mapping, which outlives the descriptor; bracket its use with
   * {@link DmaBuf.cpuAccess}. A write into a mapping for reading kills the process (SIGSEGV). Throws ERR_SEALANE_SYSTEM when
   * the descriptor was opened for less (EACCES), or the processor can't map this buffer (ENODEV, EINVAL ...: its device says
   * which); ERR_SEALANE_EXHAUSTED.
   */
  map(access: 'read' | 'read-write'): Mapping {
    if (access === 'read') return Mapping.sharedReadOnly(this.fd, 0, this.size);
    if (access === 'read-write') return Mapping.shared(this.fd, 0, this.size);
    throw invalidArgument('access', "be 'read' or 'read-write'", access);
  }

  /**
   * Begins an access of the processor to what is mapped, here or in a window: waits until devices have done what they were told to do with
   * the buffer, and makes it visible. Blocks the thread meanwhile. The access ends with its end(): a device sees what was written
   * only then. Throws ERR_SEALANE_SYSTEM.
   */
  cpuAccess(use: CpuUse): CpuAccess {
    const flags = Object.hasOwn(SYNC_FLAGS, use) ? SYNC_FLAGS[use] : undefined;
    if (flags === undefined) throw invalidArgument('use', "be 'read', 'write' or 'read-write'", use);
    this.#sync(flags, `beginning to ${use}`);
    const access = new CpuAccess(() => {
      this.#accesses.delete(access);
      this.#sync(flags | SYNC_END, `ending to ${use}`);
    });
    this.#accesses.add(access);
    return access;
  }

  /** Ends accesses that are open, and closes the descriptor. Mappings stay. Idempotent. */
  override close(): void {
    try {
      this.#endAccesses();
    } finally {
      super.close();
    }
  }

  #endAccesses(): void {
    for (const access of [...this.#accesses]) access.end();
  }

  #sync(flags: number, what: string): void {
    const { fd } = this;
    try {
      addon().dmaBufSync(fd, flags);
    } catch (error) {
      throw systemError(error, `${what} a DMA-BUF of ${this.size} bytes`);
    }
  }
}

/** An access of the processor to a DMA-BUF, from its making to its end. */
export class CpuAccess implements Disposable {
  #finish: (() => void) | undefined;

  /** @internal */
  constructor(finish: () => void) {
    this.#finish = finish;
  }

  /** Ends the access. Throws ERR_SEALANE_SYSTEM when the kernel could not make visible what was written. Idempotent. */
  end(): void {
    const finish = this.#finish;
    this.#finish = undefined;
    finish?.();
  }

  /** Same as end(). */
  [Symbol.dispose](): void {
    this.end();
  }
}

/**
 * The size of a DMA-BUF, of which {@link inspect} said `info`. Throws ERR_SEALANE_WRONG_DESCRIPTOR for anything else. `name` as for
 * {@link inspect}.
 */
export function dmaBufSize(fd: number, info: DescriptorInfo, name: string): number {
  if (!isDmaBufInfo(info) || info.accessMode === 'path') {
    const what = info.accessMode === 'path' ? 'was opened with O_PATH' : `is ${kindOf(info)}, not a DMA-BUF`;
    throw new SealaneError('ERR_SEALANE_WRONG_DESCRIPTOR', `${name} ${what}`);
  }
  try {
    return addon().dmaBufSize(fd);
  } catch (error) {
    throw systemError(error, `asking for the size of ${name}`);
  }
}

function own(fd: number): void {
  try {
    addon().own(fd);
  } catch (error) {
    throw systemError(error, `taking descriptor ${fd}`);
  }
}

function made(make: () => number, what: string): DmaBuf {
  let fd: number;
  try {
    fd = make();
  } catch (error) {
    throw systemError(error, what);
  }
  return DmaBuf.take(fd);
}
