// Sizes of pictures, against a count that goes byte by byte; odd sizes, limits, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  fourcc,
  fourccName,
  leastPlaneBytes,
  pictureLayout,
  pictureLayoutOfStride,
  pixelFormat,
  pixelFormats,
  planeRows,
  rowBytes,
} from './formats.js';

const invalid = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
const side = fc.integer({ min: 1, max: 65_535 });
const anyFormat = fc.constantFrom(...pixelFormats());

function sizes(name: string, width: number, height: number) {
  const { planes, bytes } = pictureLayout(fourcc(name), width, height);
  return [bytes, planes.map(({ offset, stride }) => [offset, stride])];
}

test('codes and names are the same thing', () => {
  assert.equal(fourcc('XR24'), 0x34325258);
  assert.equal(fourccName(0x34325258), 'XR24');
  assert.equal(fourcc('R8'), 0x20203852);
  assert.equal(fourccName(fourcc('R8')), 'R8');
  assert.equal(fourccName(1), '?\0\0\0'.replace(/\0/g, '?'));
  for (const format of pixelFormats()) assert.equal(pixelFormat(fourcc(format.name)), format);
  assert.equal(new Set(pixelFormats().map((format) => format.fourcc)).size, pixelFormats().length);
});

test('pictures of usual sizes take what is in everybody’s tables', () => {
  assert.deepEqual(sizes('XR24', 1_920, 1_080), [8_294_400, [[0, 7_680]]]);
  assert.deepEqual(sizes('RG24', 640, 360), [691_200, [[0, 1_920]]]);
  assert.deepEqual(sizes('YUYV', 640, 480), [614_400, [[0, 1_280]]]);
  const nv12 = [
    [0, 1_920],
    [2_073_600, 1_920],
  ];
  assert.deepEqual(sizes('NV12', 1_920, 1_080), [3_110_400, nv12]);
  const p010 = [
    [0, 3_840],
    [4_147_200, 3_840],
  ];
  assert.deepEqual(sizes('P010', 1_920, 1_080), [6_220_800, p010]);
});

test('chroma of odd sizes is rounded up', () => {
  const nv12 = [
    [0, 5],
    [15, 6],
  ];
  assert.deepEqual(sizes('NV12', 5, 3), [27, nv12]);
  const yu12 = [
    [0, 5],
    [15, 3],
    [21, 3],
  ];
  assert.deepEqual(sizes('YU12', 5, 3), [27, yu12]);
  assert.deepEqual(sizes('YUYV', 5, 3), [36, [[0, 12]]]);
  const nv24 = [
    [0, 5],
    [15, 10],
  ];
  assert.deepEqual(sizes('NV24', 5, 3), [45, nv24]);
});

test('the least bytes of a plane are one more than where its last byte lies', () => {
  const small = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(anyFormat, small, small, fc.integer({ min: 0, max: 9 }), (format, width, height, padding) => {
      for (const plane of format.planes) {
        const stride = rowBytes(plane, width) + padding;
        let last = 0;
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) {
            const group = Math.floor(x / plane.groupPixels) * plane.groupBytes;
            last = Math.max(last, Math.floor(y / plane.rowDivisor) * stride + group + plane.groupBytes);
          }
        assert.equal(leastPlaneBytes(plane, width, height, stride), last);
      }
    }),
  );
});

test('planes lie one behind the other, aligned, and without a byte too many', () => {
  const alignment = fc.integer({ min: 0, max: 16 }).map((bits) => 2 ** bits);
  fc.assert(
    fc.property(
      anyFormat,
      side,
      side,
      alignment,
      alignment,
      fc.maxSafeInteger().map((offset) => Math.abs(offset) % 2 ** 52),
      (format, width, height, strideAlignment, planeAlignment, offset) => {
        const options = { strideAlignment, planeAlignment, offset };
        const layout = pictureLayout(format.fourcc, width, height, options);
        let end = offset;
        layout.planes.forEach((plane, index) => {
          const shape = format.planes[index];
          assert.ok(shape !== undefined);
          assert.equal(plane.offset % planeAlignment, 0);
          assert.ok(plane.offset >= end && plane.offset - end < planeAlignment);
          assert.equal(plane.stride % strideAlignment, 0);
          assert.ok(plane.stride - rowBytes(shape, width) < strideAlignment);
          assert.equal(BigInt(plane.bytes), BigInt(plane.stride) * BigInt(planeRows(shape, height)));
          assert.equal(BigInt(plane.offset) + BigInt(plane.bytes), BigInt(plane.offset + plane.bytes));
          end = plane.offset + plane.bytes;
        });
        assert.equal(layout.bytes, end);
      },
    ),
  );
});

test('strides that follow from the first are those of a picture without gaps, or are refused', () => {
  fc.assert(
    fc.property(anyFormat, side, side, (format, width, height) => {
      const even = Math.max(2, width - (width % 2));
      const tight = pictureLayout(format.fourcc, even, height);
      assert.deepEqual(
        pictureLayoutOfStride(format.fourcc, even, height, tight.planes[0]?.stride ?? 0),
        tight,
      );
    }),
  );
});

test('a stride that is refused is told with the least that will do', () => {
  const refused: [name: string, stride: number, message: RegExp][] = [
    ['YU12', 5, /stride must be a multiple of 2 from 6 to 4294967295 for all planes of YU12 with 5 pixels/],
    ['YU12', 7, /multiple of 2 from 6/],
    ['NV12', 5, /stride must be an integer from 6 to 4294967295 for all planes of NV12 with 5 pixels/],
    ['XR24', 19, /from 20 to/],
    ['YUYV', 11, /from 12 to/],
    ['NV24', 0xffff_ffff, /from 5 to 2147483647/],
  ];
  for (const [name, stride, message] of refused)
    assert.throws(() => pictureLayoutOfStride(fourcc(name), 5, 3, stride), { ...invalid, message });
  fc.assert(
    fc.property(
      anyFormat,
      side,
      fc.integer({ min: 1, max: 600_000 }),
      ({ fourcc: code, planes }, width, stride) => {
        let least = 0;
        try {
          pictureLayoutOfStride(code, width, 1, stride);
        } catch (error) {
          least = Number(/from (\d+) to/.exec(String(error))?.[1]);
          assert.ok(least > stride || stride % 2 === 1, `${least}`);
          pictureLayoutOfStride(code, width, 1, least);
        }
        if (least > 0 && planes.length > 0)
          assert.throws(() => pictureLayoutOfStride(code, width, 1, least - 1), invalid);
      },
    ),
  );
});

test('what can’t be computed exactly is refused', () => {
  const XR24 = fourcc('XR24');
  for (const wrong of [0, -1, 65_536, 1.5, Number.NaN, '8' as unknown as number]) {
    assert.throws(() => pictureLayout(XR24, wrong, 1), invalid);
    assert.throws(() => pictureLayout(XR24, 1, wrong), invalid);
  }
  for (const wrong of [0, 3, 131_072, 0.5]) {
    assert.throws(() => pictureLayout(XR24, 1, 1, { strideAlignment: wrong }), invalid);
    assert.throws(() => pictureLayout(XR24, 1, 1, { planeAlignment: wrong }), invalid);
  }
  for (const offset of [-1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 3, 2 ** 53])
    assert.throws(() => pictureLayout(XR24, 1, 1, { offset }), invalid);
  assert.equal(pictureLayout(XR24, 1, 1, { offset: Number.MAX_SAFE_INTEGER - 4 }).bytes, 2 ** 53 - 1);
  assert.throws(() => pictureLayout(0, 1, 1), invalid);
  assert.throws(() => pictureLayout(XR24, 1, 1, { align: 4 } as never), invalid);
  for (const wrong of ['', 'ABCDE', 'é', 7 as unknown as string]) assert.throws(() => fourcc(wrong), invalid);
});
