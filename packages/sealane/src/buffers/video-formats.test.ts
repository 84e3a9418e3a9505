// Pictures of V4L2 in the words of DRM: formats both ways, colours, and drivers whose numbers don't fit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FilledBuffer, VideoFormat } from '../os/video-device.js';
import { fourcc, fourccName, pixelFormat } from './formats.js';
import { colorOfVideo, drmFormatOf, frameOfVideo, videoFormatOf } from './video-formats.js';

const VIDEO = [
  ...['GREY', 'Y16', 'RGBP', 'RGB3', 'BGR3', '422P', 'XR24', 'AR24', 'XB24', 'AB24', 'RX24', 'RA24'],
  ...['BX24', 'BA24', 'YUYV', 'YVYU', 'UYVY', 'VYUY', 'NV12', 'NV21', 'NV16', 'NV61', 'NV24', 'NV42'],
  ...['P010', 'P012', 'YU12', 'YV12'],
];
const format: VideoFormat = {
  ...{ width: 640, height: 360, pixelFormat: fourcc('NV12'), bytesPerLine: 704 },
  ...{ imageBytes: 704 * 540, colorSpace: 3 },
};
const filled: FilledBuffer = {
  ...{ index: 2, bytes: 704 * 540, sequence: 9, timestampNs: 5n, clock: 'monotonic', damaged: false },
};

test('every format has its other name, and back', () => {
  for (const name of VIDEO) {
    const drm = drmFormatOf(fourcc(name));
    assert.ok(drm !== undefined && pixelFormat(drm) !== undefined, name);
    assert.equal(fourccName(videoFormatOf(drm) ?? 0), name);
  }
  assert.equal(fourccName(drmFormatOf(fourcc('RGB3')) ?? 0), 'BG24');
  assert.equal(fourccName(drmFormatOf(fourcc('GREY')) ?? 0), 'R8');
  assert.equal(drmFormatOf(fourcc('MJPG')), undefined);
});

test('a picture is told with all its planes, in one descriptor', () => {
  const frame = frameOfVideo(format, filled);
  assert.deepEqual(frame.planes, [
    { descriptor: 0, offset: 0, stride: 704, bytes: 704 * 360 },
    { descriptor: 0, offset: 704 * 360, stride: 704, bytes: 704 * 180 },
  ]);
  assert.deepEqual(
    [frame.sequence, frame.timestampNs, frame.clock, frame.damaged],
    [9, 5n, 'monotonic', false],
  );
  assert.deepEqual(frame.color, { primaries: 1, transfer: 1, matrix: 1, range: 'limited' });
  assert.equal(frameOfVideo(format, { ...filled, bytes: 704 * 540 - 1 }).damaged, true);
});

test('colours are those that V4L2 means', () => {
  const yuv = { yuv: true };
  assert.deepEqual(colorOfVideo(7, yuv), { primaries: 1, transfer: 13, matrix: 6, range: 'full' });
  assert.deepEqual(colorOfVideo(8, { yuv: false }), { primaries: 1, transfer: 13, matrix: 0, range: 'full' });
  assert.deepEqual(colorOfVideo(0, yuv), { primaries: 2, transfer: 2, matrix: 2, range: 'unknown' });
});

test('a driver whose numbers don’t fit each other is not believed', () => {
  const wrong: Partial<VideoFormat>[] = [
    { width: 0 },
    { height: 70_000 },
    { bytesPerLine: 639 },
    { bytesPerLine: 0 },
    { imageBytes: 704 * 540 - 1 },
  ];
  for (const change of wrong)
    assert.throws(() => frameOfVideo({ ...format, ...change }, filled), { code: 'ERR_SEALANE_PROTOCOL' });
  assert.throws(() => frameOfVideo({ ...format, pixelFormat: fourcc('MJPG') }, filled), {
    code: 'ERR_SEALANE_UNSUPPORTED_PLATFORM',
    message: /MJPG/,
  });
});
