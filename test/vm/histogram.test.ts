// A WebAssembly guest, compiled from C, counts the pixels of a camera's picture where the camera has put them. Skipped where the machine
// that boots this one can't compile for WebAssembly.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DmaBuf, type Mappable } from 'sealane';
import { takePicture } from './camera.test.helper.js';
import { inMachine } from './graphics.test.helper.js';

const GUEST = '/programs/histogram.wasm';
const EXAMPLE = fileURLToPath(new URL('../../../examples/dist/histogram/guest.js', import.meta.url));
/** V4L2_PIX_FMT_XBGR32. */
const XR24 = 0x34325258;
const WIDTH = 640;
const HEIGHT = 360;

/** What the example offers; its project is compiled apart from this one. */
interface Example {
  readonly Histogram: {
    start(
      module: Uint8Array,
      frameBytes: number,
    ): Promise<{ count(frame: Mappable): Uint32Array } & Disposable>;
  };
}

/** The same count in JavaScript. */
function countHere(pixels: Uint8Array): Uint32Array {
  const counts = new Uint32Array(256);
  for (let at = 0; at < pixels.length; at += 4) {
    const [first = 0, second = 0, third = 0] = pixels.subarray(at, at + 3);
    const level = (77 * first + 150 * second + 29 * third) >> 8;
    counts[level] = (counts[level] ?? 0) + 1;
  }
  return counts;
}

test('a guest counts the pixels of a camera’s picture in the camera’s own buffer', inMachine, async (t) => {
  if (!existsSync(GUEST)) return t.skip('clang or lld is missing on the machine that boots this one');
  const { Histogram } = (await import(EXAMPLE)) as Example;
  const { format, descriptor } = takePicture(WIDTH, HEIGHT, XR24);
  using buffer = DmaBuf.take(descriptor);
  const bytes = WIDTH * HEIGHT * 4;
  assert.deepEqual([format.bytesPerLine, buffer.size], [WIDTH * 4, bytes], 'a picture without gaps');
  using guest = await Histogram.start(readFileSync(GUEST), bytes);
  const counts = guest.count(buffer);
  using mapping = buffer.map('read');
  assert.deepEqual(counts, countHere(mapping.bytes));
  assert.ok(counts.filter((count) => count > 0).length >= 8, 'the test pattern has eight bars');
});
