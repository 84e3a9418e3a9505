/**
 * A range of addresses into which blobs and device buffers are mapped at places of the owner's choosing, as a virtual machine monitor does with
 * the memory that it shares with a guest: a range of its own, or a part of the memory of a WebAssembly guest. Owns the range and what
 * is mapped there, not the objects. Trusts nobody: kind, size and seals of an object are asked of the kernel.
 */
import { checkBoolean, checkInteger, checkOptions } from '../base/check.js';
import { invalidArgument, SealaneError } from '../base/errors.js';
import { type AddressRange, type RangeAccess, ReservedRange } from '../os/address-range.js';
import { GuestRange, type WasmMemory, wasmBuffer } from '../os/guest-range.js';
import type { Mappable } from '../os/mappable.js';
import { pageSize, requirePages } from '../os/page-size.js';
import { chooseAccess, descriptorOf, inspectSource, type Source } from './mappable.js';
import { overlaps, Placement, type WindowMapping } from './placement.js';

export type { WindowMapping } from './placement.js';

/** How an object is mapped into a window. */
export interface MapOptions {
  /**
   * Who sees what is written. `private`: nobody; a write lands on a private copy of its page. `read-write`: all who map the object. `read`:
   * nothing can be written, and a write from JavaScript kills the process (SIGSEGV); not in a guest. Default: `private` for
   * memory, `read-write` for a DMA-BUF, which can't be `private`.
   */
  access?: RangeAccess | undefined;
  /** Where in the object to begin, in bytes: whole pages. Default: 0. */
  objectOffset?: number | undefined;
  /** How much of the object to map, in bytes: whole pages, or all that there is from `objectOffset`. Default: that. */
  bytes?: number | undefined;
  /** Reads the pages in before map() returns, so that later reads don't fault. Default: false. */
  populate?: boolean | undefined;
}

/** Which part of a guest's memory becomes the window. */
export interface WindowOverOptions {
  /** Where it begins, in bytes: whole pages. */
  offset: number;
  /** Bytes: whole pages, inside the memory as it is now. */
  bytes: number;
}

/** Windows by the memory that they are over. They live as long as it does: what is mapped stays mapped if the window is forgotten. */
const windowsOver = new WeakMap<WasmMemory, Set<Window>>();

/** A guest's memory and where the window begins in it. */
interface Guest {
  readonly memory: WasmMemory;
  readonly offset: number;
}

/**
 * A range of addresses with objects mapped into it. Where nothing is mapped, zeros are read. To be used in one thread; what is mapped
 * outlives the descriptor that it came from.
 */
export class Window implements Disposable {
  /** Bytes of the range. */
  readonly size: number;
  readonly #range: AddressRange;
  readonly #guest: Guest | undefined;
  readonly #placement = new Placement();

  private constructor(range: AddressRange, guest: Guest | undefined) {
    this.size = range.size;
    this.#range = range;
    this.#guest = guest;
  }

  /** Bytes of a page of memory: every offset is a multiple of it. */
  static get pageSize(): number {
    return pageSize();
  }

  /**
   * Reserves a range of `bytes` bytes, a multiple of the page size. It costs addresses, not memory. Throws ERR_SEALANE_INVALID_ARGUMENT,
   * ERR_SEALANE_MISALIGNED, ERR_SEALANE_EXHAUSTED.
   */
  static reserve(bytes: number): Window {
    checkInteger('bytes', bytes, 1, Number.MAX_SAFE_INTEGER);
    requirePages('bytes', bytes);
    return new Window(ReservedRange.make(bytes), undefined);
  }

  /**
   * Makes a part of a guest's memory a window. What the part held is gone, so it must be one that the guest uses for nothing else: pages that
   * memory.grow just added, or an array of the guest. The window keeps the memory referenced, and goes on working after memory.grow.
   * Throws ERR_SEALANE_INVALID_ARGUMENT (no WebAssembly.Memory; not inside), ERR_SEALANE_MISALIGNED, ERR_SEALANE_OVERLAP
   * (another window of this thread has a part of it), ERR_SEALANE_EXHAUSTED.
   */
  static over(memory: WasmMemory, options: WindowOverOptions): Window {
    checkOptions('options', options, ['offset', 'bytes']);
    const { offset, bytes } = options;
    const { byteLength } = wasmBuffer(memory);
    checkInteger('offset', offset, 0, byteLength);
    checkInteger('bytes', bytes, 1, byteLength - offset);
    requirePages('offset', offset);
    requirePages('bytes', bytes);
    const others = windowsOver.get(memory) ?? new Set();
    for (const other of others) other.#requireApart(offset, bytes);
    const window = new Window(GuestRange.over(memory, offset, bytes), { memory, offset });
    windowsOver.set(memory, others.add(window));
    return window;
  }

  /** Whether it was closed; also when memory.grow has moved the guest's memory, and with it copies of what was mapped. */
  get closed(): boolean {
    return this.#range.closed;
  }

  /** What is mapped, in the order of offsets. */
  get mappings(): readonly WindowMapping[] {
    return this.closed ? [] : this.#placement.list();
  }

  /** All of the range as one view; see {@link Window.view}. */
  get bytes(): Uint8Array {
    return this.view();
  }

  /**
   * Maps an object, or a part of it, at `offset`: a blob, any memory that is sealed against shrinking, or a DMA-BUF. The object is borrowed for
   * the call, and may be closed afterwards. Nothing changes when it throws: ERR_SEALANE_INVALID_ARGUMENT (not inside of window or object;
   * an access that is not to be had), ERR_SEALANE_MISALIGNED, ERR_SEALANE_OVERLAP, ERR_SEALANE_WRONG_DESCRIPTOR (neither a memfd nor
   * a DMA-BUF), ERR_SEALANE_NOT_SEALED, ERR_SEALANE_SYSTEM (the kernel or the device refuses: EPERM for a write that seals forbid,
   * EACCES for one that the descriptor forbids, what its device says for a buffer that the processor can't map),
   * ERR_SEALANE_EXHAUSTED, ERR_SEALANE_CLOSED.
   */
  map(offset: number, object: Mappable, options: MapOptions = {}): WindowMapping {
    checkOptions('options', options, ['access', 'objectOffset', 'bytes', 'populate']);
    // All that may be a getter, and do anything, is read before the first look at what it could change.
    const { access: wanted, populate, objectOffset: from, bytes: part } = options;
    const descriptor = descriptorOf(object);
    this.#range.requireOpen();
    checkInteger('offset', offset, 0, this.size);
    requirePages('offset', offset);
    checkBoolean('populate', populate);
    const source = inspectSource(descriptor);
    const access = chooseAccess(wanted, source, this.#guest !== undefined);
    const { objectOffset, bytes } = choosePart({ objectOffset: from, bytes: part }, source);
    const span = Math.ceil(bytes / pageSize()) * pageSize();
    this.#requireInside(offset, span);
    this.#placement.requireFree(offset, span);
    const { fd, what, kind, immutable } = source;
    this.#range.place(offset, { fd, offset: objectOffset, length: bytes, access, immutable, what });
    const mapping = Object.freeze({ offset, bytes, span, objectOffset, access, kind });
    this.#placement.add(mapping);
    if (populate === true) this.#range.populate(offset, span);
    return mapping;
  }

  /**
   * Gives back the pages of what is mapped at exactly `offset`: zeros are read there from now on, through views that are there as well. Throws
   * ERR_SEALANE_INVALID_ARGUMENT when no mapping begins there, ERR_SEALANE_EXHAUSTED (all is then as it was), ERR_SEALANE_CLOSED.
   */
  unmap(offset: number): void {
    this.#range.requireOpen();
    checkInteger('offset', offset, 0, this.size);
    const mapping = this.#placement.at(offset);
    if (mapping === undefined) throw invalidArgument('offset', 'be where a mapping begins', offset);
    this.#range.clear(offset, mapping.span);
    this.#placement.remove(mapping);
  }

  /**
   * A view of a part of the range, by default of all: what is mapped there, now and later, and zeros elsewhere. What is written where nothing is
   * mapped is lost when something is. A view of a range of its own is empty after close(); V8 counts its bytes as its own, so view what is
   * needed. A view of a guest's memory is empty after memory.grow. Throws ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_CLOSED,
   * ERR_SEALANE_LIMIT_EXCEEDED (Node.js 20 allows 4 GiB in one view).
   */
  view(offset = 0, length?: number): Uint8Array {
    this.#range.requireOpen();
    checkInteger('offset', offset, 0, this.size);
    if (length !== undefined) checkInteger('length', length, 0, this.size - offset);
    return this.#range.view(offset, length ?? this.size - offset);
  }

  /**
   * Gives all pages back. Of a range of its own, every view is empty from now on, and its addresses serve nothing else while a view may still
   * use them; a part of a guest's memory reads as zeros, and is the guest's again. Idempotent. Throws ERR_SEALANE_EXHAUSTED
   * when the kernel has no memory left to do that in a guest; the window is then open.
   */
  close(): void {
    this.#range.close();
    this.#placement.clear();
    if (this.#guest !== undefined) windowsOver.get(this.#guest.memory)?.delete(this);
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }

  #requireInside(offset: number, span: number): void {
    if (span <= this.size - offset) return;
    const must = `leave room for the ${span} bytes that the object takes, in a window of ${this.size}`;
    throw invalidArgument('offset', must, offset);
  }

  #requireApart(offset: number, bytes: number): void {
    if (this.#guest === undefined || this.closed) return;
    if (!overlaps(offset, bytes, this.#guest.offset, this.size)) return;
    const message = `${bytes} bytes at ${offset} overlap a window of ${this.size} at ${this.#guest.offset}: close that first`;
    throw new SealaneError('ERR_SEALANE_OVERLAP', message);
  }
}

/** The part of the source that the options say. Throws ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_MISALIGNED. */
function choosePart(options: MapOptions, source: Source): { objectOffset: number; bytes: number } {
  const { objectOffset = 0 } = options;
  if (source.size === 0) throw invalidArgument('object', 'have bytes to map', source.what);
  checkInteger('objectOffset', objectOffset, 0, source.size - 1);
  requirePages('objectOffset', objectOffset);
  const { bytes = source.size - objectOffset } = options;
  checkInteger('bytes', bytes, 1, source.size - objectOffset);
  // What was not asked for would show in the rest of the last page.
  if (bytes !== source.size - objectOffset) requirePages('bytes', bytes);
  return { objectOffset, bytes };
}
