/**
 * A WebAssembly guest small enough to be written down byte by byte: it imports its memory as env.memory, and reads, writes and grows it. And
 * WebAssembly as these tests need it: the types of Node.js don't tell of it.
 */
import type { WasmMemory } from '../os/guest-range.js';

interface Limits {
  readonly initial: number;
  readonly maximum?: number;
  readonly shared?: boolean;
}

export interface GuestMemory extends WasmMemory {
  /** Adds pages of 64 KiB; answers how many there were. */
  grow(pages: number): number;
}

export interface Guest {
  load(address: number): number;
  store(address: number, byte: number): void;
  grow(pages: number): number;
}

interface Wasm {
  readonly Memory: new (limits: Limits) => GuestMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;

/** Bytes of a page of a guest's memory. */
export const GUEST_PAGE = 65_536;

export function makeMemory(limits: Limits): GuestMemory {
  return new wasm.Memory(limits);
}

const I32 = 0x7f;
const END = 0x0b;

/** A length and what has it; all are below 128. */
function sized(bytes: readonly number[]): number[] {
  return [bytes.length, ...bytes];
}

function text(name: string): number[] {
  return sized([...Buffer.from(name)]);
}

function section(id: number, bytes: readonly number[]): number[] {
  return [id, ...sized(bytes)];
}

/** A guest over a memory that is not shared. */
export function makeGuest(memory: GuestMemory): Guest {
  const bytes = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    // Types: (i32) -> i32, (i32, i32) -> nothing.
    ...section(1, [2, 0x60, ...sized([I32]), ...sized([I32]), 0x60, ...sized([I32, I32]), 0]),
    // Imports: a memory of any size.
    ...section(2, [1, ...text('env'), ...text('memory'), 2, 0, 0]),
    // Functions, by their types.
    ...section(3, sized([0, 1, 0])),
    ...section(7, [3, ...text('load'), 0, 0, ...text('store'), 0, 1, ...text('grow'), 0, 2]),
    ...section(10, [
      3,
      // local.get 0, i32.load8_u
      ...sized([0, 0x20, 0, 0x2d, 0, 0, END]),
      // local.get 0, local.get 1, i32.store8
      ...sized([0, 0x20, 0, 0x20, 1, 0x3a, 0, 0, END]),
      // local.get 0, memory.grow
      ...sized([0, 0x20, 0, 0x40, 0, END]),
    ]),
  ]);
  const instance = new wasm.Instance(new wasm.Module(bytes), { env: { memory } });
  return instance.exports as Guest;
}
