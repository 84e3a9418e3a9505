/**
 * Reads the memory in which a node tells its ports' figures. Owns nothing. Trusts nothing in it: every length is checked, and what is no sensible
 * number is 0.
 */
import { SealaneError } from '../base/errors.js';
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
  FIGURES_ROW_MAX,
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

/** A connection, as its port told of it. */
export interface RowSnapshot {
  /** The peer: 16 hexadecimal digits. */
  readonly node: string;
  readonly port: number;
  readonly pid: number;
  readonly bufferSize: number;
  readonly maxBorrowed: number;
  readonly figures: readonly number[];
}

/** A port, as it told of itself. */
export interface PortSnapshot {
  /** A FIGURES_KIND. */
  readonly kind: number;
  readonly port: number;
  readonly figures: readonly number[];
  readonly rows: readonly RowSnapshot[];
  /** Counts of the buckets; none where the port measures nothing. */
  readonly latencies: readonly number[];
}

const NUMBER_BYTES = 8;
const GENERATION = FIGURES_GENERATION_AT / 4;

/** A change takes microseconds; a writer that was stopped within one is not waited for. */
const MAX_TRIES = 100;

/**
 * All ports. Undefined: the memory is in the middle of a change, and stays so for now. On arm64 the copy may be mixed with a change
 * that begins while it ends: it is checked all the same, and the next one is right. Throws ERR_SEALANE_PROTOCOL.
 */
export function readFigures(memory: ArrayBuffer): PortSnapshot[] | undefined {
  const words = new Int32Array(memory);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    // Pairs with the second addition in FiguresMemory.change: the change before is seen, all of it.
    const generation = Atomics.load(words, GENERATION);
    if ((generation & 1) === 1) continue;
    const used = (words[FIGURES_USED_BYTES_AT / 4] as number) >>> 0;
    const copy = memory.slice(0, Math.max(FIGURES_HEADER_BYTES, Math.min(used, memory.byteLength)));
    if (Atomics.load(words, GENERATION) === generation) return parse(new DataView(copy));
  }
  return undefined;
}

function parse(view: DataView): PortSnapshot[] {
  const magic = view.getUint32(FIGURES_MAGIC_AT, true);
  const version = view.getUint32(FIGURES_VERSION_AT, true);
  if (magic !== FIGURES_MAGIC || version !== FIGURES_VERSION)
    throw broken(`the figures begin with ${magic} and are of version ${version}`);
  const ports: PortSnapshot[] = [];
  for (let at = FIGURES_HEADER_BYTES; at < view.byteLength; ) {
    const bytes = blockLength(view, at);
    if (view.getUint32(at + FIGURES_BLOCK_KIND_AT, true) !== FIGURES_KIND_FREE)
      ports.push(parseBlock(new DataView(view.buffer, at, bytes)));
    at += bytes;
  }
  return ports;
}

function blockLength(view: DataView, at: number): number {
  const left = view.byteLength - at;
  const bytes = left < FIGURES_BLOCK_HEADER_BYTES ? 0 : view.getUint32(at + FIGURES_BLOCK_BYTES_AT, true);
  if (bytes < FIGURES_BLOCK_HEADER_BYTES || bytes > left || bytes % FIGURES_ROW_BYTES !== 0)
    throw broken(`a block of figures has ${bytes} bytes where ${left} are left`);
  return bytes;
}

function parseBlock(view: DataView): PortSnapshot {
  const rows = view.getUint32(FIGURES_BLOCK_ROWS_AT, true);
  const buckets = view.getUint32(FIGURES_BLOCK_BUCKETS_AT, true);
  const bucketsAt = FIGURES_BLOCK_HEADER_BYTES + rows * FIGURES_ROW_BYTES;
  const isShape = rows <= FIGURES_ROW_MAX && (buckets === 0 || buckets === LATENCY_BUCKETS);
  if (!isShape || bucketsAt + buckets * NUMBER_BYTES > view.byteLength)
    throw broken(`a block of ${view.byteLength} bytes has ${rows} rows and ${buckets} buckets`);
  return {
    kind: view.getUint32(FIGURES_BLOCK_KIND_AT, true),
    port: view.getUint32(FIGURES_BLOCK_PORT_AT, true),
    figures: numbers(view, FIGURES_BLOCK_FIGURES_AT, FIGURES_BLOCK_FIGURES),
    rows: parseRows(view, rows),
    latencies: numbers(view, bucketsAt, buckets),
  };
}

function parseRows(view: DataView, rows: number): RowSnapshot[] {
  const found: RowSnapshot[] = [];
  for (let row = 0; row < rows; row++) {
    const at = FIGURES_BLOCK_HEADER_BYTES + row * FIGURES_ROW_BYTES;
    if (view.getUint32(at + FIGURES_ROW_USED_AT, true) !== 1) continue;
    const u32 = (offset: number) => view.getUint32(at + offset, true);
    found.push({
      node: Buffer.from(view.buffer, view.byteOffset + at + FIGURES_ROW_NODE_AT, NUMBER_BYTES).toString(
        'hex',
      ),
      port: u32(FIGURES_ROW_PORT_AT),
      pid: u32(FIGURES_ROW_PID_AT),
      bufferSize: u32(FIGURES_ROW_BUFFER_SIZE_AT),
      maxBorrowed: u32(FIGURES_ROW_MAX_BORROWED_AT),
      figures: numbers(view, at + FIGURES_ROW_FIGURES_AT, FIGURES_ROW_FIGURES),
    });
  }
  return found;
}

function numbers(view: DataView, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    sensible(view.getFloat64(at + index * NUMBER_BYTES, true)),
  );
}

/** Counts and bytes are whole, and time in nanoseconds is taken as such. */
function sensible(value: number): number {
  return value >= 0 ? Math.floor(Math.min(value, Number.MAX_SAFE_INTEGER)) : 0;
}

function broken(problem: string): SealaneError {
  return new SealaneError('ERR_SEALANE_PROTOCOL', `the figures of a node are broken: ${problem}`);
}
