/** The memory of figures: what is told is read, rows come and go, and what a hostile writer leaves is refused or harmless. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../base/errors.js';
import { FiguresRow, PortFigures } from './figures.js';
import { FiguresMemory, figuresBytes } from './figures-memory.js';
import { readFigures } from './figures-reader.js';
import {
  FIGURES_GENERATION_AT,
  FIGURES_HEADER_BYTES,
  FIGURES_KIND_PUBLISHER,
  FIGURES_KIND_SUBSCRIBER,
  LATENCY_BUCKETS,
} from './layout.js';

const BYTES = 65_536;

function newPort(port: number, rows = 2): PortFigures {
  const figures = new PortFigures({ kind: FIGURES_KIND_PUBLISHER, port, rows, latencies: false });
  figures.onWrite = (cells) => {
    cells[1] = port;
  };
  return figures;
}

function newRow(port: number): FiguresRow {
  const peer = { node: '0123456789abcdef', port, pid: 7 };
  return new FiguresRow(peer, { bufferSize: 4, maxBorrowed: 2 }, (cells) => {
    cells[0] = port * 10;
  });
}

/** The ports of the peers of one port, as they are read. */
function peersOf(buffer: ArrayBuffer, port: number): number[] | undefined {
  return readFigures(buffer)
    ?.find((found) => found.port === port)
    ?.rows.map((row) => row.port);
}

test('what a port tells of itself and its connections is read as it was told', () => {
  const buffer = new ArrayBuffer(BYTES);
  const port = new PortFigures({ kind: FIGURES_KIND_SUBSCRIBER, port: 3, rows: 2, latencies: true });
  const row = newRow(9);
  port.addRow(row);
  assert.equal(row.cells, undefined);
  port.onObserved = (latencies) => latencies?.fill(5);
  new FiguresMemory(buffer).place(port);
  const [read, ...others] = readFigures(buffer) ?? [];
  assert.deepEqual(others, []);
  assert.equal(read?.kind, FIGURES_KIND_SUBSCRIBER);
  assert.equal(read.port, 3);
  assert.deepEqual(read.latencies, Array(LATENCY_BUCKETS).fill(5));
  const { figures, ...told } = read.rows[0] ?? assert.fail('there is a row');
  assert.deepEqual(told, { node: '0123456789abcdef', port: 9, pid: 7, bufferSize: 4, maxBorrowed: 2 });
  assert.equal(figures[0], 90);
});

test('connections come and go, and one that found no place gets that of one that ends', () => {
  const buffer = new ArrayBuffer(BYTES);
  const port = newPort(1);
  new FiguresMemory(buffer).place(port);
  const rows = [1, 2, 3].map(newRow);
  for (const row of rows) port.addRow(row);
  assert.deepEqual(peersOf(buffer, 1), [1, 2]);
  port.removeRow(rows[0] as FiguresRow);
  assert.deepEqual(peersOf(buffer, 1), [3, 2]);
  port.removeRow(rows[0] as FiguresRow);
  port.removeRow(rows[1] as FiguresRow);
  assert.deepEqual(peersOf(buffer, 1), [3]);
  assert.equal(rows[1]?.cells, undefined);
  assert.notEqual(rows[2]?.cells, undefined);
});

test('the block of a port that is gone is used again, and nothing of it is left', () => {
  const ports = [1, 2, 3].map((port) => newPort(port));
  const buffer = new ArrayBuffer(figuresBytes(ports.slice(0, 2)));
  const memory = new FiguresMemory(buffer);
  const [first, second, third] = ports as [PortFigures, PortFigures, PortFigures];
  first.addRow(newRow(5));
  const block = memory.place(first) ?? assert.fail('there is room');
  assert.ok(memory.place(second));
  assert.equal(memory.place(third), undefined);
  first.moveAway();
  memory.remove(block);
  assert.ok(memory.place(third));
  assert.deepEqual(
    readFigures(buffer)?.map(({ port, figures, rows }) => [port, figures[1], rows]),
    [
      [3, 3, []],
      [2, 2, []],
    ],
  );
});

test('a port that moves keeps what was measured, and one that is not observed writes nowhere', () => {
  const port = new PortFigures({ kind: FIGURES_KIND_SUBSCRIBER, port: 1, rows: 1, latencies: true });
  const row = newRow(1);
  port.addRow(row);
  let cells: Float64Array | undefined;
  port.onObserved = (latencies) => {
    cells = latencies;
  };
  const buffers = [new ArrayBuffer(BYTES), new ArrayBuffer(2 * BYTES)] as const;
  new FiguresMemory(buffers[0]).place(port);
  (cells as Float64Array | undefined)?.fill(3);
  new FiguresMemory(buffers[1]).place(port);
  assert.equal(readFigures(buffers[1])?.[0]?.latencies[17], 3);
  port.moveAway();
  assert.equal(cells, undefined);
  assert.equal(row.cells, undefined);
  assert.equal(port.cells, undefined);
  port.refresh();
});

test('memory in the middle of a change is read when the change is over', () => {
  const buffer = new ArrayBuffer(BYTES);
  const memory = new FiguresMemory(buffer);
  memory.place(newPort(1));
  memory.change(() => assert.equal(readFigures(buffer), undefined));
  assert.equal(readFigures(buffer)?.length, 1);
});

/** Reads what a hostile writer left: numbers that make sense, or a refusal. */
function readHostile(buffer: ArrayBuffer): void {
  try {
    for (const { figures, rows, latencies } of readFigures(buffer) ?? [])
      for (const number of [...figures, ...latencies, ...rows.flatMap((row) => row.figures)])
        assert.ok(Number.isSafeInteger(number) && number >= 0);
  } catch (error) {
    assert.ok(isSealaneError(error, 'ERR_SEALANE_PROTOCOL'), String(error));
  }
}

test('a block has no more rows than a service allows connections: more would take whoever looks too long', () => {
  const buffer = new ArrayBuffer(BYTES);
  new FiguresMemory(buffer).place(newPort(1, 256));
  assert.equal(readFigures(buffer)?.length, 1);
  const more = new ArrayBuffer(BYTES);
  new FiguresMemory(more).place(newPort(1, 257));
  assert.throws(
    () => readFigures(more),
    (error) => isSealaneError(error, 'ERR_SEALANE_PROTOCOL') && /257 rows/.test(error.message),
  );
});

test('whatever is written into the memory is read as sensible numbers, or refused', () => {
  const port = new PortFigures({ kind: FIGURES_KIND_SUBSCRIBER, port: 1, rows: 2, latencies: true });
  port.addRow(newRow(1));
  const bytes = figuresBytes([port, port]);
  const writes = fc.array(fc.tuple(fc.integer({ min: 0, max: bytes / 4 - 1 }), fc.integer()), {
    maxLength: 40,
  });
  const begin = fc.array(
    fc.tuple(fc.integer({ min: 0, max: (FIGURES_HEADER_BYTES + 64) / 4 }), fc.nat(4_000)),
  );
  fc.assert(
    fc.property(writes, begin, (anywhere, atBegin) => {
      const buffer = new ArrayBuffer(bytes);
      new FiguresMemory(buffer).place(port);
      const words = new Int32Array(buffer);
      for (const [at, value] of [...anywhere, ...atBegin]) words[at] = value;
      words[FIGURES_GENERATION_AT / 4] = 2;
      readHostile(buffer);
      port.moveAway();
    }),
    { numRuns: 300 },
  );
  for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY, 2 ** 60, 0.5]) {
    const buffer = new ArrayBuffer(bytes);
    new FiguresMemory(buffer).place(port)?.cells.fill(value);
    readHostile(buffer);
  }
});
