// A camera of the kernel's own, vivid: its formats, its pictures, and what becomes of an exported buffer when the camera is closed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeDescriptor, Mapping, VideoDevice } from 'sealane/internal';
import { CAMERA, nextFrame } from './camera.test.helper.js';
import { openDescriptors } from './devices.test.helper.js';

const skip = process.env.SEALANE_VM === '1' ? false : 'not in the virtual machine: npm run test:vm';

/** V4L2_PIX_FMT_BGR24: in vivid's list, and of a size that is easy to tell. */
const BGR24 = 0x33524742;
const WIDTH = 640;
const HEIGHT = 360;
const BUFFERS = 4;

test('a camera says what it is, and takes a format that it offers', { skip }, () => {
  using camera = VideoDevice.open(CAMERA);
  assert.equal(camera.capabilities.driver, 'vivid');
  assert.ok(camera.formats().includes(BGR24));
  const format = camera.setFormat({ width: WIDTH, height: HEIGHT, pixelFormat: BGR24 });
  assert.equal(format.pixelFormat, BGR24);
  assert.ok(format.bytesPerLine >= format.width * 3);
  assert.ok(format.imageBytes >= format.bytesPerLine * format.height);
});

test('pictures lie in buffers that were exported once, and none is all zeros', { skip }, () => {
  const before = openDescriptors();
  {
    using camera = VideoDevice.open(CAMERA);
    const { imageBytes } = camera.setFormat({ width: WIDTH, height: HEIGHT, pixelFormat: BGR24 });
    const count = camera.requestBuffers(BUFFERS);
    assert.ok(count >= 2);
    const descriptors = Array.from({ length: count }, (_, index) => camera.exportBuffer(index));
    const mappings = descriptors.map((fd) => Mapping.sharedReadOnly(fd, 0, imageBytes));
    for (let index = 0; index < count; index++) camera.queue(index);
    camera.start();
    let last = -1;
    for (let frame = 0; frame < 3 * count; frame++) {
      const { index, bytes, sequence, timestampNs, clock, damaged } = nextFrame(camera);
      assert.equal(bytes, imageBytes);
      assert.equal(damaged, false);
      assert.ok(sequence > last);
      assert.equal(clock, 'monotonic');
      assert.ok(timestampNs > 0n);
      last = sequence;
      const picture = mappings[index]?.bytes ?? new Uint8Array(0);
      assert.ok(new Set(picture.subarray(0, WIDTH * 3)).size > 1, 'the test pattern has bars of colour');
      camera.queue(index);
    }
    camera.stop();
    for (const mapping of mappings) mapping.close();
    for (const fd of descriptors) closeDescriptor(fd);
  }
  assert.equal(openDescriptors(), before);
});

test('an exported buffer keeps its picture when the camera is closed', { skip }, () => {
  const camera = VideoDevice.open(CAMERA);
  const { imageBytes } = camera.setFormat({ width: WIDTH, height: HEIGHT, pixelFormat: BGR24 });
  const count = camera.requestBuffers(BUFFERS);
  for (let index = 0; index < count; index++) camera.queue(index);
  camera.start();
  const { index } = nextFrame(camera);
  const fd = camera.exportBuffer(index);
  camera.close();
  using mapping = Mapping.sharedReadOnly(fd, 0, imageBytes);
  closeDescriptor(fd);
  assert.ok(mapping.bytes.some((byte) => byte !== 0));
});

test('what the driver refuses is told with its error number', { skip }, () => {
  using camera = VideoDevice.open(CAMERA);
  assert.throws(() => camera.queue(0), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EINVAL', syscall: 'ioctl' });
  assert.throws(() => camera.exportBuffer(9), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EINVAL' });
  camera.close();
  assert.throws(() => camera.formats(), { code: 'ERR_SEALANE_CLOSED' });
});
