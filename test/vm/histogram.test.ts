// A WebAssembly guest, compiled from C, counts the pixels of a picture of another process's camera where the camera has put them. Skipped where
// the machine that boots this one can't compile for WebAssembly.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Mappable } from 'sealane';
import { inMachine } from './graphics.test.helper.js';
import { requirePattern } from './pattern.test.helper.js';
import { bufferOf, watch } from './screen.test.helper.js';

const GUEST = '/programs/histogram.wasm';
const EXAMPLE = fileURLToPath(new URL('../../../examples/dist/histogram/guest.js', import.meta.url));
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

test(
  'a guest counts the pixels of a picture that came over the bus, in the camera’s own buffer',
  inMachine,
  async (t) => {
    if (!existsSync(GUEST)) return t.skip('clang or lld is missing on the machine that boots this one');
    const { Histogram } = (await import(EXAMPLE)) as Example;
    const size = { width: WIDTH, height: HEIGHT };
    const { subscriber, screen } = await watch(t, { service: 'counted', ...size, access: 'read-write' });
    using picture = await subscriber.next();
    screen.look(picture, requirePattern);
    using buffer = bufferOf(picture);
    const bytes = WIDTH * HEIGHT * 4;
    assert.deepEqual([picture.meta.planes[0]?.stride, buffer.size], [WIDTH * 4, bytes], 'without gaps');
    using guest = await Histogram.start(readFileSync(GUEST), bytes);
    const counts = guest.count(buffer);
    assert.deepEqual(counts, screen.look(picture, countHere));
    assert.ok(counts.filter((count) => count > 0).length >= 8, 'the test pattern has eight bars');
  },
);
