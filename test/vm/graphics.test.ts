// What is received is what a graphics driver takes: imported, made a framebuffer, exported again, it is the same buffer. And what drivers and
// the kernel refuse is refused here, with nothing mapped.
import assert from 'node:assert/strict';
import { fstatSync } from 'node:fs';
import { test } from 'node:test';
import { DmaBuf, Window } from 'sealane';
import { Mapping, Memfd, SEAL_SHRINK } from 'sealane/internal';
import { takePicture } from './camera.test.helper.js';
import { heap, openDescriptors, PAGE, udmabuf } from './devices.test.helper.js';
import { graphics, inMachine } from './graphics.test.helper.js';

const WIDTH = 640;
const HEIGHT = 360;
const STRIDE = WIDTH * 4;
/** DRM_FORMAT_XRGB8888, and V4L2_PIX_FMT_XBGR32: blue, green, red, nothing. */
const XR24 = 0x34325258;

/** Has cirrus import a buffer; the buffer that it exports again. */
function throughCirrus(buffer: DmaBuf, stride = STRIDE): DmaBuf {
  const { said, descriptor } = graphics(['import', 'cirrus', WIDTH, HEIGHT, XR24, stride, 0], buffer.fd);
  assert.ok(descriptor !== undefined, JSON.stringify(said));
  assert.equal(said.again, said.handle, 'importing it again finds the same object');
  assert.ok(Number(said.framebuffer) > 0);
  return DmaBuf.take(descriptor);
}

function requireSame(exported: DmaBuf, buffer: DmaBuf): void {
  assert.equal(fstatSync(exported.fd).ino, fstatSync(buffer.fd).ino);
  assert.equal(exported.size, buffer.size);
}

for (const exporter of [heap, udmabuf]) {
  test(`a buffer of ${exporter.name} goes through a graphics driver and is the same`, inMachine, () => {
    const before = openDescriptors();
    {
      using buffer = exporter.make(Math.ceil((STRIDE * HEIGHT) / PAGE) * PAGE);
      using exported = throughCirrus(buffer);
      requireSame(exported, buffer);
      using written = buffer.map('read-write');
      using read = exported.map('read');
      written.bytes[STRIDE * HEIGHT - 1] = 42;
      assert.equal(read.bytes[STRIDE * HEIGHT - 1], 42);
    }
    assert.equal(openDescriptors(), before);
  });
}

test('a picture of a camera goes through a graphics driver and is the same', inMachine, () => {
  const { format, descriptor } = takePicture(WIDTH, HEIGHT, XR24);
  using buffer = DmaBuf.take(descriptor);
  assert.deepEqual([format.width, format.height, format.pixelFormat], [WIDTH, HEIGHT, XR24]);
  using exported = throughCirrus(buffer, format.bytesPerLine);
  requireSame(exported, buffer);
  using picture = exported.map('read');
  assert.ok(new Set(picture.bytes.subarray(0, STRIDE)).size > 1, 'the test pattern has bars of colour');
});

test('a driver refuses a buffer that is too small for its picture', inMachine, () => {
  using buffer = DmaBuf.allocate(STRIDE * HEIGHT - PAGE);
  const { said, descriptor } = graphics(['import', 'cirrus', WIDTH, HEIGHT, XR24, STRIDE, 0], buffer.fd);
  assert.deepEqual(said, { failed: 'framebuffer', errno: 'EINVAL' });
  assert.equal(descriptor, undefined);
});

test('a memfd where a DMA-BUF is demanded is refused, here and by the driver', inMachine, () => {
  const before = openDescriptors();
  const memory = Memfd.create('no buffer', PAGE);
  memory.seal(SEAL_SHRINK);
  const { said } = graphics(['import', 'cirrus', 16, 16, XR24, 64, 0], memory.fd);
  assert.deepEqual(said, { failed: 'import', errno: 'EINVAL' });
  const error = { code: 'ERR_SEALANE_WRONG_DESCRIPTOR', message: /not a DMA-BUF/ };
  assert.throws(() => DmaBuf.take(memory.release()), error);
  assert.equal(openDescriptors(), before);
});

for (const driver of ['vgem', 'virtio_gpu', 'cirrus']) {
  test(`a buffer that ${driver} exports is mapped`, inMachine, () => {
    const { said, descriptor } = graphics(['export', driver, 64, 64, 'read-write']);
    assert.ok(descriptor !== undefined, JSON.stringify(said));
    using buffer = DmaBuf.take(descriptor);
    using window = Window.reserve(buffer.size);
    window.map(0, buffer);
    window.bytes[5] = 42;
    using mapping = buffer.map('read');
    assert.equal(mapping.bytes[5], 42);
  });

  test(`a buffer that ${driver} exports for reading refuses to be written`, inMachine, () => {
    const { said, descriptor } = graphics(['export', driver, 64, 64, 'read']);
    assert.ok(descriptor !== undefined, JSON.stringify(said));
    using buffer = DmaBuf.take(descriptor);
    using window = Window.reserve(buffer.size);
    const refused = { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EACCES', message: /DMA-BUF/ };
    assert.throws(() => window.map(0, buffer), refused);
    assert.throws(() => buffer.map('read-write'), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EACCES' });
    window.map(0, buffer, { access: 'read' });
    assert.equal(window.bytes[0], 0);
  });
}

test(
  'a buffer that the processor can map in no way is an error, and the window stays as it was',
  inMachine,
  () => {
    const { said, descriptor } = graphics(['write-only', 'system', 2 * PAGE]);
    assert.ok(descriptor !== undefined, JSON.stringify(said));
    using buffer = DmaBuf.take(descriptor);
    assert.equal(buffer.size, 2 * PAGE);
    using window = Window.reserve(4 * PAGE);
    using beside = Memfd.sealed('beside', new Uint8Array(PAGE).fill(7));
    window.map(3 * PAGE, beside);
    const refused = { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EACCES', message: /DMA-BUF/ };
    for (const access of ['read', 'read-write'] as const) {
      assert.throws(() => window.map(0, buffer, { access }), refused);
      assert.throws(() => buffer.map(access), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EACCES' });
    }
    assert.throws(() => Mapping.private(buffer.fd, 0, PAGE), { code: 'ERR_SEALANE_SYSTEM' });
    assert.deepEqual([window.mappings.length, window.bytes[0], window.bytes[3 * PAGE]], [1, 0, 7]);
  },
);
