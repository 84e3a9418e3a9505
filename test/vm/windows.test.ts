// Windows with real DMA-BUFs in them, beside memory. Skipped where the kernel has no such devices.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { DmaBuf, type WasmMemory, Window } from 'sealane';
import { duplicate, Memfd } from 'sealane/internal';
import { EXPORTERS, heap, mappedBuffers, needs, PAGE } from './devices.test.helper.js';

const GUEST_PAGE = 65_536;

/** WebAssembly as these tests need it: the types of Node.js don't tell of it. */
interface GuestMemory extends WasmMemory {
  grow(pages: number): number;
}
interface Wasm {
  readonly Memory: new (limits: { initial: number }) => GuestMemory;
}
const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;

for (const exporter of EXPORTERS) {
  test(`a buffer of ${exporter.name} lies in a window beside memory`, needs(exporter), () => {
    using window = Window.reserve(8 * PAGE);
    using buffer = exporter.make(2 * PAGE);
    using other = buffer.map('read-write');
    using blob = Memfd.sealed('beside', new Uint8Array(PAGE).fill(7));
    other.bytes.fill(42);
    const mapping = window.map(PAGE, buffer);
    window.map(4 * PAGE, blob);
    assert.deepEqual([mapping.kind, mapping.access, mapping.bytes], ['dma-buf', 'read-write', 2 * PAGE]);
    const { bytes } = window;
    assert.deepEqual(
      [0, PAGE, 3 * PAGE - 1, 3 * PAGE, 4 * PAGE].map((at) => bytes[at]),
      [0, 42, 42, 0, 7],
    );
    bytes[PAGE] = 43;
    assert.equal(other.bytes[0], 43);
    window.unmap(PAGE);
    assert.deepEqual([bytes[PAGE], other.bytes[0]], [0, 43]);
  });

  test(`a part of a buffer of ${exporter.name}, and reading only`, needs(exporter), () => {
    using window = Window.reserve(4 * PAGE);
    using buffer = exporter.make(3 * PAGE);
    using other = buffer.map('read-write');
    for (let page = 0; page < 3; page++) other.bytes.fill(page + 1, page * PAGE, (page + 1) * PAGE);
    window.map(0, buffer, { access: 'read', objectOffset: PAGE, bytes: PAGE });
    window.map(PAGE, buffer, { objectOffset: 2 * PAGE, populate: true });
    assert.deepEqual([window.bytes[0], window.bytes[PAGE], window.bytes[2 * PAGE]], [2, 3, 0]);
  });

  test(`a mapping of ${exporter.name} in a window outlives its descriptor`, needs(exporter), () => {
    using window = Window.reserve(PAGE);
    const buffer = exporter.make(PAGE);
    window.map(0, buffer);
    buffer.close();
    window.bytes[3] = 9;
    assert.equal(window.bytes[3], 9);
  });

  test(
    `a guest reads and writes a buffer of ${exporter.name}, also after its growth`,
    needs(exporter),
    () => {
      const memory = new wasm.Memory({ initial: 4 });
      using window = Window.over(memory, { offset: GUEST_PAGE, bytes: 2 * GUEST_PAGE });
      using buffer = exporter.make(2 * PAGE);
      using other = buffer.map('read-write');
      other.bytes.fill(42);
      window.map(PAGE, buffer);
      const read = () => new Uint8Array(memory.buffer)[GUEST_PAGE + PAGE];
      assert.equal(read(), 42);
      memory.grow(100);
      other.bytes[0] = 43;
      assert.equal(read(), 43);
      new Uint8Array(memory.buffer)[GUEST_PAGE + PAGE] = 44;
      assert.equal(other.bytes[0], 44);
      window.unmap(PAGE);
      assert.deepEqual([read(), other.bytes[0]], [0, 44]);
    },
  );

  test(
    `what can't be had of a buffer of ${exporter.name} is refused, and nothing changes`,
    needs(exporter),
    () => {
      using window = Window.reserve(4 * PAGE);
      using buffer = exporter.make(2 * PAGE);
      const memory = new wasm.Memory({ initial: 1 });
      using guest = Window.over(memory, { offset: 0, bytes: GUEST_PAGE });
      const invalid = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
      assert.throws(() => window.map(0, buffer, { access: 'private' }), invalid);
      assert.throws(() => guest.map(0, buffer, { access: 'read' }), invalid);
      assert.throws(() => window.map(0, buffer, { bytes: 3 * PAGE }), invalid);
      assert.throws(() => window.map(3 * PAGE, buffer), invalid);
      assert.throws(() => window.map(0, { ...bare(buffer), size: 10 * PAGE }, { bytes: 10 * PAGE }), invalid);
      assert.deepEqual([window.mappings, guest.mappings], [[], []]);
      assert.ok(window.bytes.every((byte) => byte === 0));
    },
  );

  test(`windows with buffers of ${exporter.name} leave nothing mapped`, needs(exporter), () => {
    using buffer = exporter.make(PAGE);
    const before = mappedBuffers();
    for (let round = 0; round < 50; round++) {
      using window = Window.reserve(2 * PAGE);
      window.map(0, buffer);
      window.map(PAGE, buffer);
    }
    assert.equal(mappedBuffers(), before);
  });
}

test('a window that a worker leaves behind leaves nothing mapped', needs(heap), async () => {
  using buffer = heap.make(PAGE);
  const before = mappedBuffers();
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    (async () => {
      const { Window } = await import('sealane');
      const window = (globalThis.kept = Window.reserve(2 * Window.pageSize));
      window.map(0, { descriptor: workerData, size: 1, seals: 0 });
      window.bytes[0] = 1;
      parentPort.postMessage('ready');
      setInterval(() => {}, 1000);
    })()`;
  const fd = duplicate(buffer.fd);
  const worker = new Worker(program, { eval: true, workerData: fd });
  await new Promise((resolve) => worker.once('message', resolve));
  assert.equal(mappedBuffers(), before + 1);
  await worker.terminate();
  DmaBuf.take(fd).close();
  assert.equal(mappedBuffers(), before);
});

function bare({ descriptor, size, seals }: DmaBuf): { descriptor: number; size: number; seals: number } {
  return { descriptor, size, seals };
}
