// Video devices as far as they go without one: what is none is refused. test/vm has the rest, with a real driver.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { addon } from '../native/addon.js';
import { VideoDevice } from './video-device.js';
import * as structures from './video-structures.js';

const openDescriptors = () => readdirSync('/proc/self/fd').length;

test('what is no video device is refused, and left closed', () => {
  const before = openDescriptors();
  assert.throws(() => VideoDevice.open('/dev/null'), { code: 'ERR_SEALANE_WRONG_DESCRIPTOR' });
  assert.throws(() => VideoDevice.open('/nowhere/video0'), {
    code: 'ERR_SEALANE_SYSTEM',
    errnoName: 'ENOENT',
    message:
      /^opening \/nowhere\/video0 \(video devices of this machine: (none|\/dev\/video\d+(, \/dev\/video\d+)*)\) failed/,
  });
  for (const path of ['', 'a\0b', 7 as unknown as string])
    assert.throws(() => VideoDevice.open(path), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  assert.equal(openDescriptors(), before);
});

test('each structure has the size that the number of its request says', () => {
  const sizeOf = (request: number) => (request >>> 16) & 0x3fff;
  const made: [number, Buffer][] = [
    [structures.VIDIOC_QUERYCAP, structures.capabilityRequest()],
    [structures.VIDIOC_ENUM_FMT, structures.formatQuestion(1)],
    [structures.VIDIOC_S_FMT, structures.formatRequest(640, 480, 0)],
    [structures.VIDIOC_REQBUFS, structures.buffersRequest(4)],
    [structures.VIDIOC_QBUF, structures.bufferRequest(1)],
    [structures.VIDIOC_DQBUF, structures.bufferRequest()],
    [structures.VIDIOC_EXPBUF, structures.exportRequest(0, 0)],
    [structures.VIDIOC_STREAMON, structures.streamRequest()],
    [structures.VIDIOC_STREAMOFF, structures.streamRequest()],
  ];
  for (const [request, bytes] of made)
    assert.equal(bytes.length, sizeOf(request), `0x${request.toString(16)}`);
});

test('only requests of video devices reach the kernel, with the bytes that belong to them', () => {
  const tiocgwinsz = 0x5413;
  assert.throws(() => addon().videoAsk(0, tiocgwinsz, new Uint8Array(0)), TypeError);
  assert.throws(() => addon().videoAsk(0, structures.VIDIOC_QUERYCAP, new Uint8Array(103)), TypeError);
  assert.throws(() => addon().videoAsk(0, 2 ** 32, new Uint8Array(0)), TypeError);
});
