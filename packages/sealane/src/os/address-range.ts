/**
 * Addresses into which files are mapped at places of one's choosing: what a range can do, and the range that is reserved for nothing else. Owns
 * its addresses, which are given back only when nothing in JavaScript or Node.js can hold them any more; native/window.c says when that
 * is. Trusts its caller about places and about files: those can't shrink, and places are inside.
 */
import { constants } from 'node:buffer';
import { closedError, SealaneError } from '../base/errors.js';
import { addon, type NativeHandle } from '../native/addon.js';
import { systemError } from './system-error.js';

/**
 * Who sees what is written: nobody, it lands on a private copy of the page; all who map the file; or there is no writing, and a write from
 * JavaScript kills the process (SIGSEGV).
 */
export type RangeAccess = 'private' | 'read-write' | 'read';

/** As the addon numbers them. */
const KINDS: Readonly<Record<RangeAccess, number>> = { private: 0, 'read-write': 1, read: 2 };
const PRIVATE_READ = 3;

/** A file, or a part of one, to be mapped. The descriptor is borrowed for the call. */
export interface Placed {
  readonly fd: number;
  /** Where the part begins in the file, in bytes: at the beginning of a page. */
  readonly offset: number;
  /** Bytes; the rest of the last page is taken as well. */
  readonly length: number;
  readonly access: RangeAccess;
  /** Whether it is sealed against writing: kernels before 6.7 map that for reading only where the mapping is private. */
  readonly immutable: boolean;
  /** What is mapped, for errors. */
  readonly what: string;
}

/** Addresses that files can be mapped into. Every method but close() throws ERR_SEALANE_CLOSED once closed. */
export interface AddressRange {
  /** Bytes, whole pages. */
  readonly size: number;
  readonly closed: boolean;
  /** Throws ERR_SEALANE_CLOSED, with the reason, when it is closed. */
  requireOpen(): void;
  /** Maps a file at `at`. Throws ERR_SEALANE_EXHAUSTED or ERR_SEALANE_SYSTEM; the range is then as it was. */
  place(at: number, file: Placed): void;
  /** Reads the pages of a part in ahead, as well as the kernel can. */
  populate(at: number, length: number): void;
  /** Puts zeros in the place of what is mapped in a part. Throws ERR_SEALANE_EXHAUSTED; all is then as it was. */
  clear(at: number, length: number): void;
  /** A view of a part. */
  view(at: number, length: number): Uint8Array;
  /** Lets go of all that is mapped. Idempotent. */
  close(): void;
}

/** What both kinds of range do alike. `target` is what the addon knows the range by. */
export function placeFile(target: NativeHandle | Uint8Array, at: number, file: Placed): void {
  const { fd, offset, length, access, what } = file;
  const kind = access === 'read' && file.immutable ? PRIVATE_READ : KINDS[access];
  try {
    addon().windowPlace(target, at, fd, offset, length, kind);
  } catch (error) {
    throw systemError(error, `mapping ${length} bytes at ${offset} of ${what} for access '${access}'`);
  }
}

/** The same for taking it away. */
export function clearPages(target: NativeHandle | Uint8Array, at: number, length: number): void {
  try {
    addon().windowClear(target, at, length);
  } catch (error) {
    throw systemError(error, `unmapping ${length} bytes at ${at} of a window`);
  }
}

/** Where the memory of a view begins. */
export function addressOf(bytes: Uint8Array): number {
  return addon().bytesAddress(bytes);
}

/** Addresses that the kernel reserved. Where nothing is mapped, zeros are read. */
export class ReservedRange implements AddressRange {
  readonly size: number;
  #handle: NativeHandle | undefined;
  #whole: Uint8Array | undefined;

  private constructor(size: number, handle: NativeHandle) {
    this.size = size;
    this.#handle = handle;
  }

  /** Reserves `size` bytes, whole pages, 1 at least. They cost no memory. Throws ERR_SEALANE_EXHAUSTED: no addresses, or no mapping left. */
  static make(size: number): ReservedRange {
    try {
      return new ReservedRange(size, addon().windowReserve(size));
    } catch (error) {
      throw systemError(error, `reserving ${size} bytes of addresses`);
    }
  }

  get closed(): boolean {
    return this.#handle === undefined;
  }

  requireOpen(): void {
    this.#open();
  }

  place(at: number, file: Placed): void {
    placeFile(this.#open(), at, file);
  }

  populate(at: number, length: number): void {
    addon().windowPopulate(this.#open(), at, length);
  }

  clear(at: number, length: number): void {
    clearPages(this.#open(), at, length);
  }

  /** Throws as {@link Mapping.buffer}. A view of all of it is made once; others are new each time. */
  view(at: number, length: number): Uint8Array {
    const handle = this.#open();
    if (length === 0) return new Uint8Array(0);
    if (length === this.size) this.#whole ??= makeView(handle, at, length);
    return this.#whole?.subarray(at, at + length) ?? makeView(handle, at, length);
  }

  close(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#whole = undefined;
    if (handle !== undefined) addon().windowClose(handle);
  }

  #open(): NativeHandle {
    if (this.#handle === undefined) throw closedError('the window');
    return this.#handle;
  }
}

function makeView(handle: NativeHandle, at: number, length: number): Uint8Array {
  if (length > constants.MAX_LENGTH) {
    const message = `${length} bytes don't fit one ArrayBuffer: this Node.js allows ${constants.MAX_LENGTH}; view parts`;
    throw new SealaneError('ERR_SEALANE_LIMIT_EXCEEDED', message);
  }
  const buffer = addon().windowView(handle, at, length);
  if (buffer !== undefined) return new Uint8Array(buffer);
  const message =
    'this runtime allows no ArrayBuffer over foreign memory (Electron?): run Sealane under Node.js';
  throw new SealaneError('ERR_SEALANE_UNSUPPORTED_PLATFORM', message);
}
