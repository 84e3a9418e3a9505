// Whether a frame fits its descriptors: every number that it or its sizes can't be is refused, and none passes by comparing with nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fourcc } from './formats.js';
import { type FrameSizes, requireFrameFits } from './frame-fit.js';
import { completeFrameMetadata, type FrameMetadata } from './frame-metadata.js';

const invalid = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
const plane = { descriptor: 1, offset: 16, stride: 16, bytes: 32 };
const frame = completeFrameMetadata({
  ...{ width: 4, height: 2, fourcc: fourcc('XR24'), planes: [plane] },
  fences: { acquire: 2 },
});

test('a frame fits its descriptors, or is refused before anybody looks at its pixels', () => {
  requireFrameFits(frame, [0, 48, 0]);
  requireFrameFits(frame, { sizes: [0, 48, 0] });
  const short = { code: 'ERR_SEALANE_SIZE_MISMATCH', message: /32 bytes at 16 of descriptor 1, which has/ };
  for (const size of [47, 16, 0]) assert.throws(() => requireFrameFits(frame, [99, size, 0]), short);
  assert.throws(() => requireFrameFits(frame, { sizes: [99, 47, 0] }), short);
  const missing = { code: 'ERR_SEALANE_WRONG_DESCRIPTOR' };
  assert.throws(() => requireFrameFits(frame, [99]), { ...missing, message: /plane 0/ });
  assert.throws(() => requireFrameFits(frame, [99, 48]), { ...missing, message: /acquire fence/ });
});

test('sizes that are none are refused, and fit nothing', () => {
  const wrong = [Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -1, 47.5, '48', 48n, {}, null, undefined];
  for (const size of wrong) {
    const sizes = [99, size, 0] as number[];
    assert.throws(() => requireFrameFits(frame, sizes), { ...invalid, message: /sizes\[1\]/ });
    assert.throws(() => requireFrameFits(frame, { sizes }), { ...invalid, message: /sizes\[1\]/ });
  }
  for (const sizes of [undefined, null, 48, '048', {}, { sizes: 48 }, new Map([[1, 48]])])
    assert.throws(() => requireFrameFits(frame, sizes as FrameSizes), { ...invalid, message: /sizes/ });
});

test('metadata that no codec of frames has checked is refused where its numbers mean nothing', () => {
  const planes = (change: object) => [{ ...plane, ...change }];
  const wrong: object[] = [
    { planes: { length: 1 } },
    { planes: [null] },
    { planes: planes({ offset: -48 }) },
    { planes: planes({ offset: '0' }) },
    { planes: planes({ bytes: Number.NaN }) },
    { planes: planes({ descriptor: 'length' }) },
    { fences: undefined },
  ];
  for (const change of wrong)
    assert.throws(() => requireFrameFits({ ...frame, ...change } as FrameMetadata, [99, 48, 0]), invalid);
  assert.throws(() => requireFrameFits(undefined as never, [48]), invalid);
  const fences = { release: Number.NaN };
  assert.throws(() => requireFrameFits({ ...frame, fences }, [99, 48]), {
    code: 'ERR_SEALANE_WRONG_DESCRIPTOR',
  });
});
