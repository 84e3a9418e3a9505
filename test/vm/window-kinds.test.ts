// One window over every kind of object: a blob of a broker, buffers of udmabuf and of a heap, a camera's picture; as a range and inside a guest.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Blob, Broker, connect, DmaBuf, type Mappable, type WasmMemory, Window } from 'sealane';
import { takePicture } from './camera.test.helper.js';
import { heap, mappedBuffers, PAGE, udmabuf } from './devices.test.helper.js';
import { inMachine } from './graphics.test.helper.js';

const GUEST_PAGE = 65_536;
/** V4L2_PIX_FMT_BGR24. */
const BGR24 = 0x33524742;

interface GuestMemory extends WasmMemory {
  grow(pages: number): number;
}
interface Wasm {
  readonly Memory: new (limits: { initial: number }) => GuestMemory;
}
const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;

/** Runs `work` with a blob of one page of sevens. */
async function withBlob(work: (blob: Blob) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-window-'));
  try {
    const socket = join(folder, 'broker.sock');
    await using _broker = await Broker.start({ socket });
    await using bus = await connect({ socket });
    await bus.put(new Uint8Array(PAGE).fill(7), { name: 'sevens' });
    using blob = await bus.get('sevens');
    work(blob);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Maps all into the window, one behind the other with a page between; where each lies. */
function mapAll(window: Window, objects: readonly Mappable[]): number[] {
  let next = PAGE;
  return objects.map((object) => {
    const offset = next;
    next += window.map(offset, object).span + PAGE;
    return offset;
  });
}

function filled(buffer: DmaBuf, value: number): DmaBuf {
  using mapping = buffer.map('read-write');
  mapping.bytes.fill(value);
  return buffer;
}

for (const where of ['a range', 'a guest']) {
  test(`a blob, buffers and a picture lie side by side in the window of ${where}`, inMachine, async () => {
    const before = mappedBuffers();
    await withBlob((blob) => {
      using fromHeap = filled(heap.make(2 * PAGE), 8);
      using fromMemory = filled(udmabuf.make(PAGE), 9);
      using picture = DmaBuf.take(takePicture(640, 360, BGR24).descriptor);
      using original = picture.map('read');
      const bytes = Math.ceil((picture.size + 10 * PAGE) / GUEST_PAGE) * GUEST_PAGE;
      const memory = new wasm.Memory({ initial: 1 + bytes / GUEST_PAGE });
      using window =
        where === 'a guest' ? Window.over(memory, { offset: GUEST_PAGE, bytes }) : Window.reserve(bytes);
      const offsets = mapAll(window, [blob, fromHeap, fromMemory, picture]);
      if (where === 'a guest') memory.grow(4);
      const view = window.bytes;
      assert.deepEqual(
        offsets.slice(0, 3).map((at) => [view[at - 1], view[at]]),
        [
          [0, 7],
          [0, 8],
          [0, 9],
        ],
      );
      const at = offsets[3] ?? 0;
      assert.equal(Buffer.compare(view.subarray(at, at + picture.size), original.bytes), 0);
      assert.ok(original.bytes.some((byte) => byte !== 0));
      assert.deepEqual(
        window.mappings.map(({ kind }) => kind),
        ['memory', 'dma-buf', 'dma-buf', 'dma-buf'],
      );
      for (const offset of offsets) window.unmap(offset);
      assert.ok(window.bytes.every((byte) => byte === 0));
    });
    assert.equal(mappedBuffers(), before);
  });
}
