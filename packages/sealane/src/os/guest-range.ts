/**
 * A part of the linear memory of a WebAssembly guest, into which files are mapped. Owns nothing of the memory, which it keeps referenced. Trusts
 * no address for longer than a call: memory.grow can move a memory to other addresses, where what was mapped is only a copy.
 */
import { closedError, invalidArgument, SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { type AddressRange, addressOf, clearPages, type Placed, placeFile } from './address-range.js';

/** A WebAssembly.Memory, of whatever library of types. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
}

/** WebAssembly as this file needs it: the types of Node.js don't tell of it. */
interface WasmNamespace {
  readonly Memory: { readonly prototype: object };
}

type BufferGetter = (this: unknown) => ArrayBufferLike;

/** Of the memory itself: a property of the same name can be put over it. Undefined: this Node.js was started without WebAssembly. */
const bufferOf = findGetter();

function findGetter(): BufferGetter | undefined {
  const wasm = (globalThis as { WebAssembly?: WasmNamespace }).WebAssembly;
  if (wasm === undefined) return undefined;
  return Object.getOwnPropertyDescriptor(wasm.Memory.prototype, 'buffer')?.get as BufferGetter | undefined;
}

/**
 * The buffer of a WebAssembly.Memory as it is now. Throws ERR_SEALANE_INVALID_ARGUMENT for anything else, and
 * ERR_SEALANE_UNSUPPORTED_PLATFORM where there is no WebAssembly.
 */
export function wasmBuffer(memory: unknown): ArrayBufferLike {
  if (bufferOf === undefined) {
    throw new SealaneError(
      'ERR_SEALANE_UNSUPPORTED_PLATFORM',
      'this Node.js was started without WebAssembly',
    );
  }
  try {
    return bufferOf.call(memory);
  } catch {
    throw invalidArgument('memory', 'be a WebAssembly.Memory', memory);
  }
}

/** `size` bytes from `offset` of a guest's memory. Where nothing is mapped, zeros are read. */
export class GuestRange implements AddressRange {
  readonly size: number;
  readonly #memory: WasmMemory;
  readonly #offset: number;
  /** Where the part begins; the memory has moved when it does not any more. */
  readonly #address: number;
  #closed = false;
  #moved = false;

  private constructor(memory: WasmMemory, offset: number, size: number, part: Uint8Array) {
    this.size = size;
    this.#memory = memory;
    this.#offset = offset;
    this.#address = addressOf(part);
  }

  /**
   * Takes the part over: what it held is gone. Both numbers are whole pages, and inside. Throws ERR_SEALANE_EXHAUSTED, and
   * ERR_SEALANE_INVALID_ARGUMENT for what is no WebAssembly.Memory.
   */
  static over(memory: WasmMemory, offset: number, size: number): GuestRange {
    const part = new Uint8Array(wasmBuffer(memory), offset, size);
    const range = new GuestRange(memory, offset, size, part);
    clearPages(part, 0, size);
    return range;
  }

  /** Whether it was closed, or the memory has moved. */
  get closed(): boolean {
    if (!this.#closed && addressOf(this.#bytes()) !== this.#address) {
      this.#closed = true;
      this.#moved = true;
    }
    return this.#closed;
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

  /** A view like the guest's own, which memory.grow empties. */
  view(at: number, length: number): Uint8Array {
    return this.#open().subarray(at, at + length);
  }

  /** All of it reads as zeros from now on. Throws ERR_SEALANE_EXHAUSTED, and is then as it was. */
  close(): void {
    if (this.closed) return;
    clearPages(this.#bytes(), 0, this.size);
    this.#closed = true;
  }

  #bytes(): Uint8Array {
    return new Uint8Array(wasmBuffer(this.#memory), this.#offset, this.size);
  }

  #open(): Uint8Array {
    if (!this.closed) return this.#bytes();
    if (!this.#moved) throw closedError('the window');
    const why = 'memory.grow moved the memory to other addresses, where there are copies of what was mapped';
    throw new SealaneError('ERR_SEALANE_CLOSED', `the window is closed: ${why}; make another`);
  }
}
