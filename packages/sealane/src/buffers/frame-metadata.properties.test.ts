// Metadata of frames as bytes: what goes in comes out, what a peer made up is refused, and nothing of it is believed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../base/errors.js';
import { fourcc, pictureLayout, pixelFormats } from './formats.js';
import { frameMetadata } from './frame-codec.js';
import { FRAME_BYTES, FRAME_MAX_PLANES } from './frame-layout.js';
import {
  completeFrameMetadata,
  decodeFrameMetadata,
  encodeFrameMetadata,
  type FrameMetadata,
  type FrameMetadataInput,
} from './frame-metadata.js';

const invalid = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
const protocol = { code: 'ERR_SEALANE_PROTOCOL' };
const u8 = fc.integer({ min: 0, max: 255 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const count = fc.maxSafeInteger().map(Math.abs);

function picture(name: string, width: number, height: number): FrameMetadataInput {
  const { planes } = pictureLayout(fourcc(name), width, height);
  return {
    width,
    height,
    fourcc: fourcc(name),
    planes: planes.map((plane) => ({ descriptor: 0, ...plane })),
  };
}

const anyPlane = fc
  .record({
    descriptor: fc.constantFrom(0, 1),
    offset: fc.integer({ min: 0, max: 2 ** 40 }),
    stride: fc.integer({ min: 0, max: 0xffff_ffff }),
    bytes: fc.integer({ min: 1, max: 2 ** 52 }),
  })
  .map((plane) => ({ ...plane }));

const anyFence = fc.constantFrom(undefined, 2, 3);

/** All that can be said of a frame: of a format that nobody knows, or of one that is known. */
const anyFrame: fc.Arbitrary<FrameMetadata> = fc
  .record({
    known: fc.option(fc.constantFrom(...pixelFormats()), { nil: undefined }),
    width: fc.integer({ min: 1, max: 65_535 }),
    height: fc.integer({ min: 1, max: 65_535 }),
    modifier: u64,
    planes: fc.array(anyPlane, { minLength: 1, maxLength: FRAME_MAX_PLANES }),
    color: fc.record({
      primaries: u8,
      transfer: u8,
      matrix: u8,
      range: fc.constantFrom('unknown', 'limited', 'full' as const),
    }),
    sequence: count,
    timestampNs: u64,
    clock: fc.constantFrom('unknown', 'realtime', 'monotonic', 'boottime' as const),
    damaged: fc.boolean(),
    acquire: anyFence,
    release: anyFence,
  })
  .map(({ known, acquire, release, ...frame }) => ({
    ...frame,
    fourcc: 0x0102_0304,
    ...(known === undefined ? {} : { ...picture(known.name, frame.width, frame.height), modifier: 0n }),
    color: { ...frame.color } as FrameMetadata['color'],
    clock: frame.clock as FrameMetadata['clock'],
    fences: {
      ...(acquire === undefined ? {} : { acquire }),
      ...(release === undefined ? {} : { release }),
    },
  }));

test('what is said of a frame comes out of its bytes as it went in', () => {
  fc.assert(
    fc.property(anyFrame, (frame) => {
      const bytes = encodeFrameMetadata(frame);
      assert.equal(bytes.length, FRAME_BYTES);
      assert.deepEqual(decodeFrameMetadata(bytes), frame);
      assert.deepEqual(frameMetadata.decode(frameMetadata.encode(frame)), frame);
    }),
  );
});

test('whatever is changed in the bytes is refused, or would have been encoded like that', () => {
  const change = fc.record({ at: fc.nat(FRAME_BYTES - 1), value: u8 });
  fc.assert(
    fc.property(anyFrame, fc.array(change, { minLength: 1, maxLength: 8 }), (frame, changes) => {
      const bytes = encodeFrameMetadata(frame);
      for (const { at, value } of changes) bytes[at] = value;
      requireHonest(bytes);
    }),
    { numRuns: 1_000 },
  );
});

test('bytes of any kind and length end in a frame that is right, or in an error of the protocol', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2 * FRAME_BYTES }), requireHonest));
  for (const length of [0, FRAME_BYTES - 1, FRAME_BYTES + 1])
    assert.throws(() => decodeFrameMetadata(new Uint8Array(length)), protocol);
});

function requireHonest(bytes: Uint8Array): void {
  let frame: FrameMetadata;
  try {
    frame = decodeFrameMetadata(bytes);
  } catch (error) {
    assert.ok(isSealaneError(error));
    assert.ok(['ERR_SEALANE_PROTOCOL', 'ERR_SEALANE_VERSION_MISMATCH'].includes(error.code), error.code);
    return;
  }
  assert.deepEqual(Buffer.from(encodeFrameMetadata(frame)), Buffer.from(bytes));
}

test('what nobody says has its default', () => {
  const frame = completeFrameMetadata(picture('XR24', 4, 2));
  assert.deepEqual(frame, {
    ...picture('XR24', 4, 2),
    modifier: 0n,
    color: { primaries: 2, transfer: 2, matrix: 2, range: 'unknown' },
    sequence: 0,
    timestampNs: 0n,
    clock: 'unknown',
    damaged: false,
    fences: {},
  });
});

test('the bytes are those that the specification draws', () => {
  const frame = {
    ...picture('NV12', 4, 2),
    sequence: 7,
    timestampNs: 0x0102_0304_0506n,
    clock: 'monotonic',
    damaged: true,
    color: { primaries: 1, transfer: 13, matrix: 6, range: 'limited' },
    fences: { acquire: 2 },
  } as const;
  const bytes = Buffer.from(encodeFrameMetadata(frame));
  const head = '534c464d 0100 0100 04000000 02000000 4e563132 02000000';
  const rest = `0000000000000000 0700000000000000 0605040302010000 02000000 010d0601 03 00 000000000000`;
  const planes = [
    '00000000 04000000 0000000000000000 0800000000000000 0000000000000000',
    '00000000 04000000 0800000000000000 0400000000000000 0000000000000000',
  ];
  const expected = [head, rest, ...planes]
    .join('')
    .replaceAll(' ', '')
    .padEnd(2 * FRAME_BYTES, '0');
  assert.equal(bytes.toString('hex'), expected);
});

test('a version of later times is told apart', () => {
  const bytes = encodeFrameMetadata(picture('XR24', 4, 2));
  bytes[4] = 2;
  assert.throws(() => decodeFrameMetadata(bytes), { code: 'ERR_SEALANE_VERSION_MISMATCH', message: /2/ });
});

test('planes that have no room for their pixels are refused on both sides', () => {
  const frame = picture('NV12', 5, 3);
  const [luma, chroma] = frame.planes;
  assert.ok(luma !== undefined && chroma !== undefined);
  const wrong: [RegExp, typeof frame.planes][] = [
    [/planes must be the 2 of NV12; got an array of 1/, [luma]],
    [/planes must be the 2 of NV12; got an array of 3/, [luma, chroma, chroma]],
    [
      /planes\[0\].stride must be 5 at least for 5 x 3 pixels of NV12; got 4/,
      [{ ...luma, stride: 4 }, chroma],
    ],
    [
      /planes\[1\].bytes must be 12 at least for 5 x 3 pixels of NV12; got 11/,
      [luma, { ...chroma, bytes: 11 }],
    ],
    [
      /planes\[1\].stride must be 6 at least for 5 x 3 pixels of NV12; got 5/,
      [luma, { ...chroma, stride: 5 }],
    ],
  ];
  for (const [message, planes] of wrong)
    assert.throws(() => encodeFrameMetadata({ ...frame, planes }), { ...invalid, message });
  // The last row needs nothing behind it.
  completeFrameMetadata({ ...frame, planes: [{ ...luma, stride: 8, bytes: 21 }, chroma] });
  // A modifier's planes are what its maker says.
  completeFrameMetadata({ ...frame, modifier: 1n, planes: [{ ...luma, stride: 0 }] });
  const bytes = encodeFrameMetadata(frame);
  bytes[64 + 16] = 1;
  assert.throws(() => decodeFrameMetadata(bytes), protocol);
});

test('wrong values are refused by their name', () => {
  const frame = picture('XR24', 4, 2);
  const plane = { descriptor: 0, offset: 0, stride: 16, bytes: 32 };
  const wrong: [RegExp, object][] = [
    [/width/, { width: 0 }],
    [/height/, { height: 65_536 }],
    [/fourcc/, { fourcc: -1 }],
    [/modifier/, { modifier: 0 }],
    [/modifier/, { modifier: 2n ** 64n }],
    [/sequence/, { sequence: 2 ** 53 }],
    [/timestampNs/, { timestampNs: -1n }],
    [/clock/, { clock: 'toString' }],
    [/damaged/, { damaged: 1 }],
    [/planes/, { planes: [] }],
    [/planes/, { planes: Array(5).fill(plane) }],
    [/planes\[0\].descriptor/, { planes: [{ ...plane, descriptor: 4 }] }],
    [/planes\[0\].bytes/, { planes: [{ ...plane, offset: Number.MAX_SAFE_INTEGER }] }],
    [/planes\[0\]/, { planes: [undefined] }],
    [/color.range/, { color: { primaries: 1, transfer: 1, matrix: 1, range: 'tv' } }],
    [/color.matrix/, { color: { primaries: 1, transfer: 1, matrix: 256, range: 'full' } }],
    [/fences.acquire/, { fences: { acquire: 4 } }],
    [/planes\[0\].descriptor must be none of its fences; got 0/, { fences: { release: 0 } }],
    [/metadata/, { size: 1 }],
  ];
  for (const [message, change] of wrong)
    assert.throws(() => encodeFrameMetadata({ ...frame, ...change } as FrameMetadataInput), {
      ...invalid,
      message,
    });
});
