/**
 * The memory in which the ports of an observed node tell their figures: blocks, one for each port. spec/services.md draws it. Owns no memory. Written by the
 * node alone; observers have it mapped for reading, which the seals see to.
 */
import type { FiguresHome, FiguresRow, PortFigures } from './figures.js';
import {
  FIGURES_BLOCK_BUCKETS_AT,
  FIGURES_BLOCK_BYTES_AT,
  FIGURES_BLOCK_FIGURES,
  FIGURES_BLOCK_FIGURES_AT,
  FIGURES_BLOCK_HEADER_BYTES,
  FIGURES_BLOCK_KIND_AT,
  FIGURES_BLOCK_PORT_AT,
  FIGURES_BLOCK_ROWS_AT,
  FIGURES_GENERATION_AT,
  FIGURES_HEADER_BYTES,
  FIGURES_KIND_FREE,
  FIGURES_MAGIC,
  FIGURES_MAGIC_AT,
  FIGURES_ROW_BUFFER_SIZE_AT,
  FIGURES_ROW_BYTES,
  FIGURES_ROW_FIGURES,
  FIGURES_ROW_FIGURES_AT,
  FIGURES_ROW_MAX_BORROWED_AT,
  FIGURES_ROW_NODE_AT,
  FIGURES_ROW_PID_AT,
  FIGURES_ROW_PORT_AT,
  FIGURES_ROW_USED_AT,
  FIGURES_USED_BYTES_AT,
  FIGURES_VERSION,
  FIGURES_VERSION_AT,
  LATENCY_BUCKETS,
} from './layout.js';

const WORD_BYTES = 4;
const NUMBER_BYTES = 8;
const GENERATION = FIGURES_GENERATION_AT / WORD_BYTES;

/** Bytes of the block of a port. */
export function blockBytes({ rowLimit, latencies }: Pick<PortFigures, 'rowLimit' | 'latencies'>): number {
  const buckets = latencies ? LATENCY_BUCKETS * NUMBER_BYTES : 0;
  const bytes = FIGURES_BLOCK_HEADER_BYTES + rowLimit * FIGURES_ROW_BYTES + buckets;
  return Math.ceil(bytes / FIGURES_ROW_BYTES) * FIGURES_ROW_BYTES;
}

/** Bytes of memory for these ports and nothing else. */
export function figuresBytes(ports: Iterable<PortFigures>): number {
  let bytes = FIGURES_HEADER_BYTES;
  for (const port of ports) bytes += blockBytes(port);
  return bytes;
}

/** The blocks of a node. */
export class FiguresMemory {
  readonly #buffer: ArrayBuffer;
  readonly #words: Int32Array;
  /** Blocks that nobody uses, by where they begin. */
  readonly #free = new Map<number, number>();
  #used = FIGURES_HEADER_BYTES;
  #changing = 0;

  /** `buffer` is all zero. */
  constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#words[FIGURES_MAGIC_AT / WORD_BYTES] = FIGURES_MAGIC;
    this.#words[FIGURES_VERSION_AT / WORD_BYTES] = FIGURES_VERSION;
    this.#words[FIGURES_USED_BYTES_AT / WORD_BYTES] = this.#used;
  }

  /** Has a port tell its figures in a block of its own. Undefined: there is no room. */
  place(port: PortFigures): FiguresBlock | undefined {
    const at = this.#find(blockBytes(port));
    if (at === undefined) return undefined;
    const block = new FiguresBlock(this, this.#buffer, at, port);
    this.change(() => {
      block.begin(port);
      port.moveTo(block);
    });
    return block;
  }

  /** The port of a block is gone. */
  remove(block: FiguresBlock): void {
    this.change(() => block.end());
    this.#free.set(block.at, block.bytes);
  }

  /**
   * Makes a change of which whoever reads sees all or nothing: the generation is odd meanwhile. Figures are no change: each is right by itself.
   * Readers check all the same: they may meet a writer that died within, or lies.
   */
  change(work: () => void): void {
    this.#changing += 1;
    // Before the change: pairs with the second load in readFigures. Read-modify-write: nothing behind it moves ahead of it.
    if (this.#changing === 1) Atomics.add(this.#words, GENERATION, 1);
    try {
      work();
    } finally {
      this.#changing -= 1;
      // Releases the change to the first load in readFigures.
      if (this.#changing === 0) Atomics.add(this.#words, GENERATION, 1);
    }
  }

  /** A block of that size that was used before, or a new one at the end. */
  #find(bytes: number): number | undefined {
    for (const [at, free] of this.#free) {
      if (free !== bytes) continue;
      this.#free.delete(at);
      return at;
    }
    const at = this.#used;
    if (at + bytes > this.#buffer.byteLength) return undefined;
    this.#used += bytes;
    this.change(() => {
      this.#words[(at + FIGURES_BLOCK_BYTES_AT) / WORD_BYTES] = bytes;
      this.#words[FIGURES_USED_BYTES_AT / WORD_BYTES] = this.#used;
    });
    return at;
  }
}

/** The block of one port. */
export class FiguresBlock implements FiguresHome {
  readonly at: number;
  readonly bytes: number;
  readonly cells: Float64Array;
  readonly latencies: Float64Array | undefined;
  readonly #memory: FiguresMemory;
  readonly #buffer: ArrayBuffer;
  readonly #view: DataView;
  readonly #rows: number;

  /** @internal */
  constructor(memory: FiguresMemory, buffer: ArrayBuffer, at: number, port: PortFigures) {
    this.#memory = memory;
    this.#buffer = buffer;
    this.at = at;
    this.bytes = blockBytes(port);
    this.#rows = port.rowLimit;
    this.#view = new DataView(buffer, at, this.bytes);
    this.cells = new Float64Array(buffer, at + FIGURES_BLOCK_FIGURES_AT, FIGURES_BLOCK_FIGURES);
    if (port.latencies)
      this.latencies = new Float64Array(buffer, at + this.#rowAt(this.#rows), LATENCY_BUCKETS);
  }

  /** The block was another port's before. */
  begin({ kind, port, rowLimit, latencies }: PortFigures): void {
    this.#clear(FIGURES_BLOCK_PORT_AT, this.bytes);
    this.#write(FIGURES_BLOCK_KIND_AT, kind);
    this.#write(FIGURES_BLOCK_PORT_AT, port);
    this.#write(FIGURES_BLOCK_ROWS_AT, rowLimit);
    this.#write(FIGURES_BLOCK_BUCKETS_AT, latencies ? LATENCY_BUCKETS : 0);
  }

  end(): void {
    this.#write(FIGURES_BLOCK_KIND_AT, FIGURES_KIND_FREE);
  }

  takeRow(index: number, row: FiguresRow): Float64Array {
    const at = this.#rowAt(index);
    this.#write(at + FIGURES_ROW_USED_AT, 1);
    this.#write(at + FIGURES_ROW_PORT_AT, row.peer.port);
    this.#write(at + FIGURES_ROW_PID_AT, row.peer.pid);
    this.#write(at + FIGURES_ROW_BUFFER_SIZE_AT, row.bufferSize);
    this.#write(at + FIGURES_ROW_MAX_BORROWED_AT, row.maxBorrowed);
    Buffer.from(this.#buffer, this.at + at + FIGURES_ROW_NODE_AT, NUMBER_BYTES).write(row.peer.node, 'hex');
    return new Float64Array(this.#buffer, this.at + at + FIGURES_ROW_FIGURES_AT, FIGURES_ROW_FIGURES);
  }

  clearRow(index: number): void {
    this.#clear(this.#rowAt(index), this.#rowAt(index + 1));
  }

  change(work: () => void): void {
    this.#memory.change(work);
  }

  #rowAt(index: number): number {
    return FIGURES_BLOCK_HEADER_BYTES + index * FIGURES_ROW_BYTES;
  }

  #write(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  #clear(from: number, to: number): void {
    new Uint8Array(this.#buffer, this.at + from, to - from).fill(0);
  }
}
