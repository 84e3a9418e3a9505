// The codec for metadata of frames: where it compares instead of checking, it says what it would have said otherwise.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fourcc, pictureLayout } from './formats.js';
import { frameMetadata } from './frame-codec.js';
import { FRAME_BYTES } from './frame-layout.js';
import {
  completeFrameMetadata,
  decodeFrameMetadata,
  encodeFrameMetadata,
  type FrameMetadata,
  type FrameMetadataInput,
} from './frame-metadata.js';

const planes = pictureLayout(fourcc('NV12'), 64, 48).planes.map((plane) => ({ descriptor: 0, ...plane }));
const picture: FrameMetadataInput = { width: 64, height: 48, fourcc: fourcc('NV12'), planes };

/** Frames that differ from the picture, each in one thing. */
const others: readonly Partial<FrameMetadata>[] = [
  {},
  { sequence: 2 ** 53 - 1, timestampNs: 2n ** 64n - 1n, damaged: true },
  { sequence: 7 },
  { width: 62 },
  { height: 46 },
  { fourcc: 1 },
  { fourcc: 1, modifier: 2n ** 63n + 5n },
  { clock: 'monotonic' },
  { color: { primaries: 1, transfer: 2, matrix: 3, range: 'limited' } },
  { fences: { acquire: 2 } },
  { fences: { acquire: 2, release: 3 } },
  { planes: planes.map((plane) => ({ ...plane, offset: plane.offset + 2 ** 33 })) },
];

/** Wrong frames, each in one thing. */
const wrong: readonly object[] = [
  { width: 64.5 },
  { width: 64 + 2 ** 32 },
  { width: '64' },
  { width: 64n },
  { height: 0 },
  { sequence: -1 },
  { sequence: 2 ** 53 },
  { sequence: 0.5 },
  { timestampNs: 5 },
  { timestampNs: -1n },
  { timestampNs: 2n ** 64n },
  { clock: 'toString' },
  { clock: 'now' },
  { damaged: 1 },
  { color: { primaries: 256, transfer: 2, matrix: 2, range: 'unknown' } },
  { color: { primaries: 2, transfer: 2, matrix: 2, range: 'unknown', gamma: 1 } },
  { color: null },
  { fences: null },
  { fences: { acquire: 4 } },
  { fences: { acquire: -1 } },
  { fences: { fence: 1 } },
  { planes: [] },
  { planes: [...planes, ...planes, ...planes] },
  { planes: planes.map((plane) => ({ ...plane, width: 1 })) },
  { planes: planes.map(({ offset, ...plane }) => plane) },
  { planes: { length: 2 } },
  { planes: [null] },
  { colour: 1 },
];

test('what is written over any earlier frame is what is encoded otherwise', () => {
  for (const before of others)
    for (const now of others) {
      const into = new Uint8Array(FRAME_BYTES + 8).fill(9);
      assert.equal(frameMetadata.encodeInto({ ...picture, ...before }, into), FRAME_BYTES);
      assert.equal(frameMetadata.encodeInto({ ...picture, ...now }, into), FRAME_BYTES);
      assert.deepEqual(
        Buffer.from(into.subarray(0, FRAME_BYTES)),
        Buffer.from(encodeFrameMetadata({ ...picture, ...now })),
      );
    }
});

test('what is wrong is refused over a frame that is like it, as it is otherwise, and leaves that as it was', () => {
  const into = new Uint8Array(FRAME_BYTES);
  frameMetadata.encodeInto(picture, into);
  const before = into.slice();
  for (const change of wrong) {
    const frame = { ...picture, ...change } as FrameMetadataInput;
    assert.throws(() => frameMetadata.encodeInto(frame, into), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
    assert.deepEqual(into, before);
  }
  for (const none of [null, undefined])
    assert.throws(() => frameMetadata.encodeInto(none as unknown as FrameMetadataInput, into), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
    });
  assert.throws(() => frameMetadata.encodeInto(picture, new Uint8Array(FRAME_BYTES - 1)), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /meta must have room for 192 bytes.*maxBytes of the pool.*got 191/,
  });
});

test('an object that is used again says what a new one says, and is the same one where only number, time and damage differ', () => {
  for (const before of others)
    for (const now of others) {
      const used = decodeFrameMetadata(encodeFrameMetadata({ ...picture, ...before }));
      const bytes = encodeFrameMetadata({ ...picture, ...now });
      const frame = frameMetadata.decode(bytes, used);
      assert.deepEqual(frame, completeFrameMetadata({ ...picture, ...now }));
      const { sequence, timestampNs, damaged, ...rest } = now;
      const { sequence: _, timestampNs: __, damaged: ___, ...restBefore } = before;
      const alike = JSON.stringify(rest, text) === JSON.stringify(restBefore, text);
      assert.equal(frame === used, alike);
    }
});

function text(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value;
}

test('bytes that mean nothing are refused whatever was there before', () => {
  const good = encodeFrameMetadata(picture);
  for (let at = 0; at < FRAME_BYTES; at++)
    for (const bit of [1, 128]) {
      const bytes = Uint8Array.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ bit;
      const used = decodeFrameMetadata(good);
      const told = (decode: () => FrameMetadata) => {
        try {
          return decode();
        } catch (error) {
          return (error as { code?: unknown }).code;
        }
      };
      assert.deepEqual(
        told(() => frameMetadata.decode(bytes, used)),
        told(() => decodeFrameMetadata(bytes)),
        `bit ${bit} at ${at}`,
      );
    }
  assert.throws(() => frameMetadata.decode(good.subarray(1), decodeFrameMetadata(good)), {
    code: 'ERR_SEALANE_PROTOCOL',
  });
});
