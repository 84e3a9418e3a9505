/**
 * Compiles the guest, and runs it over frames that are mapped into its memory. Owns the guest and the window at the end of its memory; frames stay
 * their owner's.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Mappable, type WasmMemory, Window } from 'sealane';

/** Bytes of a page of a guest's memory. */
const GUEST_PAGE = 65_536;
const LEVELS = 256;
const PIXEL_BYTES = 4;

/** What the module exports. */
interface Exports {
  readonly memory: WasmMemory & { grow(pages: number): number };
  /** `address` of the pixels, and how many there are; answers the address of the counts. */
  histogram(address: number, pixels: number): number;
}

/** WebAssembly as this file needs it: the types of Node.js don't tell of it. */
interface Wasm {
  instantiate(bytes: Uint8Array): Promise<{ readonly instance: { readonly exports: unknown } }>;
}

/** This machine can't compile the guest; the message says why, and what to do. */
export class NoCompiler extends Error {}

/** The guest as a module, compiled by clang for WebAssembly. Throws NoCompiler. */
export function compileGuest(): Uint8Array {
  const source = fileURLToPath(new URL('../../histogram/histogram.c', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'sealane-histogram-'));
  try {
    const module = join(folder, 'histogram.wasm');
    const flags = ['--target=wasm32', '-O2', '-ffreestanding', '-nostdlib', '-Wall', '-Wextra', '-Werror'];
    const words = [...flags, '-Wl,--no-entry', '-o', module, source];
    const { status, error, stderr } = spawnSync('clang', words, { encoding: 'utf8' });
    if (status === 0) return readFileSync(module);
    const why = error === undefined ? `clang failed: ${stderr.trim().split('\n')[0]}` : 'there is no clang';
    const advice = '`npm run example:histogram -- --install-tools` installs clang and lld';
    throw new NoCompiler(`no WebAssembly can be compiled here: ${why}; ${advice}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A running guest, with room for one frame at a time. */
export class Histogram implements Disposable {
  readonly #exports: Exports;
  readonly #window: Window;
  readonly #address: number;

  private constructor(exports: Exports, frameBytes: number) {
    this.#exports = exports;
    const bytes = Math.ceil(frameBytes / GUEST_PAGE) * GUEST_PAGE;
    // Pages that the guest uses for nothing else: those that are added behind all that it has.
    this.#address = exports.memory.grow(bytes / GUEST_PAGE) * GUEST_PAGE;
    this.#window = Window.over(exports.memory, { offset: this.#address, bytes });
  }

  static async start(module: Uint8Array, frameBytes: number): Promise<Histogram> {
    const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
    const { instance } = await wasm.instantiate(module);
    return new Histogram(instance.exports as Exports, frameBytes);
  }

  /** How many pixels of the frame have each of the 256 luminances. No byte of the frame is copied: the guest reads the producer's pages. */
  count(frame: Mappable): Uint32Array {
    this.#window.map(0, frame);
    try {
      return this.#run(frame.size);
    } finally {
      this.#window.unmap(0);
    }
  }

  /** The same with the frame copied into the guest, to compare with. */
  countCopy(frame: Uint8Array): Uint32Array {
    this.#window.view(0, frame.length).set(frame);
    return this.#run(frame.length);
  }

  [Symbol.dispose](): void {
    this.#window.close();
  }

  #run(bytes: number): Uint32Array {
    const { histogram, memory } = this.#exports;
    const counts = histogram(this.#address, bytes / PIXEL_BYTES);
    return new Uint32Array(memory.buffer, counts, LEVELS).slice();
  }
}
