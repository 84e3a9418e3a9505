// Pictures of a real camera, and buffers of a heap and of udmabuf, go over the bus from process to process: what arrives is the sender's memory, is
// what was said of it, and stays while it is held, whoever closes or dies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BufferSubscriber, DmaBuf, fourcc, frameMetadata, V4l2Source, Window } from 'sealane';
import { duplicate } from 'sealane/internal';
import { until } from '../services/nodes.test.helper.js';
import { CAMERA } from './camera.test.helper.js';
import { openDescriptors, PAGE } from './devices.test.helper.js';
import { graphics, inMachine } from './graphics.test.helper.js';
import { cast, type Plane, type Said, type Told } from './orders.test.helper.js';
import { requirePattern, rowsOf, timeOf } from './pattern.test.helper.js';
import { bufferOf, inodeOf, type Picture, requireOpen, Screen, watch } from './screen.test.helper.js';

const [WIDTH, HEIGHT] = [320, 180];
const XR24 = fourcc('XR24');
const PICTURES = 200;

/** Of a picture of the camera, beside when it was taken. */
const SAID = {
  ...{ width: WIDTH, height: HEIGHT, fourcc: XR24, modifier: 0n, clock: 'monotonic', damaged: false },
  // Those of sRGB.
  color: { primaries: 1, transfer: 13, matrix: 0, range: 'full' },
  planes: [{ descriptor: 0, offset: 0, stride: 4 * WIDTH, bytes: 4 * WIDTH * HEIGHT }],
  fences: {},
};

/** Has a graphics driver import the picture that its metadata describes, and hand its buffer out again: it is the same. */
function requireShown(picture: Picture): void {
  const { width, height, fourcc: code, planes } = picture.meta;
  const [fd = -1] = picture.descriptors;
  const { stride = 0, offset = 0 } = planes[0] ?? {};
  const { said, descriptor } = graphics(['import', 'cirrus', width, height, code, stride, offset], fd);
  assert.ok(descriptor !== undefined, JSON.stringify(said));
  assert.ok(said.again === said.handle && Number(said.framebuffer) > 0, JSON.stringify(said));
  using exported = DmaBuf.take(descriptor);
  assert.equal(inodeOf(exported.fd), inodeOf(fd));
}

test(
  'hundreds of pictures of another process’s camera arrive in its own buffers, and are what is said of them',
  inMachine,
  async (t) => {
    const { sender, camera, subscriber, screen } = await watch(t, { service: 'many', perSecond: 50 });
    const received = new Map<number, Told>();
    let last: Uint8Array = new Uint8Array(0);
    let next: number | undefined;
    while (received.size < PICTURES) {
      using picture = await subscriber.next();
      const { token, meta, buffer = -1, lost } = picture;
      assert.equal(inodeOf(picture.descriptors[0] ?? -1), camera.inodes[buffer], 'the camera’s own buffer');
      const { sequence, timestampNs, ...said } = meta;
      assert.deepEqual(said, SAID);
      received.set(token, { index: buffer, sequence, ns: String(timestampNs) });
      assert.equal(lost?.first ?? token, next ?? lost?.first ?? token);
      next = token + 1;
      screen.look(picture, requirePattern);
      const time = screen.look(picture, timeOf);
      assert.notEqual(Buffer.compare(time, last), 0, 'another picture than the last');
      last = time;
    }
    const told = await sender.close();
    for (const [token, said] of received) assert.deepEqual(said, told[token - 1]);
    const buffers = new Set([...received.values()].map(({ index }) => index));
    assert.equal(buffers.size, camera.inodes.length, 'each was filled again and again');
  },
);

test(
  'a picture that is held stays as it is while the camera fills the other buffers',
  inMachine,
  async (t) => {
    const { subscriber, screen } = await watch(t, {
      service: 'held',
      settings: { maxBorrowed: 3 },
      buffers: 6,
    });
    const held = [await subscriber.next(), await subscriber.next()];
    const buffers = held.map(({ buffer }) => buffer);
    const pictures = held.map((picture) => screen.copy(picture));
    for (let count = 0; count < 40; count++) {
      using other = await subscriber.next();
      assert.ok(!buffers.includes(other.buffer));
      for (const [index, picture] of held.entries())
        assert.equal(Buffer.compare(screen.copy(picture), pictures[index] ?? new Uint8Array(0)), 0);
    }
    for (const picture of held) picture.release();
    for (const missing = new Set(buffers); missing.size > 0; ) {
      using other = await subscriber.next();
      const index = buffers.indexOf(other.buffer);
      if (!missing.delete(other.buffer)) continue;
      assert.notEqual(Buffer.compare(screen.copy(other), pictures[index] ?? new Uint8Array(0)), 0);
    }
  },
);

test(
  'a picture outlives its camera and its pool, for windows and graphics drivers too',
  inMachine,
  async (t) => {
    const { sender, subscriber, screen } = await watch(t, { service: 'outlived' });
    const picture = await subscriber.next();
    const original = screen.copy(picture);
    await sender.close();
    await until(() => subscriber.figures.publishers.length === 0);
    assert.equal(Buffer.compare(screen.copy(picture), original), 0);
    screen.look(picture, requirePattern);
    requireShown(picture);
    {
      using buffer = bufferOf(picture);
      using window = Window.reserve(buffer.size + 2 * PAGE);
      const refused = { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EACCES' };
      assert.throws(() => window.map(PAGE, buffer), refused, 'the camera’s are for reading');
      assert.throws(() => buffer.map('read-write'), refused);
      window.map(PAGE, buffer, { access: 'read' });
      picture.release();
      const { bytes } = window;
      assert.deepEqual([bytes[PAGE - 1], bytes.at(-1)], [0, 0]);
      assert.equal(Buffer.compare(bytes.subarray(PAGE, PAGE + original.length), original), 0);
    }
    assert.throws(() => picture.descriptors, { code: 'ERR_SEALANE_CLOSED' });
  },
);

test(
  'a process that is killed while it holds pictures gives their buffers back, and the camera streams on',
  inMachine,
  async (t) => {
    const { holder } = cast();
    const settings = { maxBorrowed: 2 };
    const { subscriber, screen } = await watch(t, { service: 'killed', settings, buffers: 6 });
    const held = await holder.hold({ service: 'killed', settings, count: 2 });
    for (let count = 0; count < 20; count++) {
      using picture = await subscriber.next();
      const { token, buffer } = picture;
      assert.ok(!held.some((one) => one.buffer === buffer && one.token < token), 'it is held');
    }
    await holder.kill();
    for (const missing = new Set(held.map(({ buffer }) => buffer)); missing.size > 0; ) {
      using picture = await subscriber.next();
      screen.look(picture, requirePattern);
      missing.delete(picture.buffer ?? -1);
    }
  },
);

/** What a frame comes with, and which errors those get who allow one kind only. */
const MIXES: readonly { planes: readonly Plane[]; buffers?: string; memory?: string }[] = [
  ...(['heap', 'udmabuf'] as const).flatMap((kind) =>
    [1, 2, 3, 4].map((count) => ({
      planes: Array<Plane>(count).fill(kind),
      memory: 'ERR_SEALANE_WRONG_DESCRIPTOR',
    })),
  ),
  { planes: ['heap', 'udmabuf', 'heap'], memory: 'ERR_SEALANE_WRONG_DESCRIPTOR' },
  { planes: ['memfd'], buffers: 'ERR_SEALANE_WRONG_DESCRIPTOR' },
  {
    planes: ['udmabuf', 'memfd'],
    buffers: 'ERR_SEALANE_WRONG_DESCRIPTOR',
    memory: 'ERR_SEALANE_WRONG_DESCRIPTOR',
  },
  { planes: ['heap'], memory: 'ERR_SEALANE_WRONG_DESCRIPTOR' },
];

/** Fails unless the next frame is that one, whole, or is dropped with that error. */
async function requireNext(
  subscriber: BufferSubscriber<Said>,
  token: number,
  planes: readonly Plane[],
  code: string | undefined,
): Promise<void> {
  if (code !== undefined) return await assert.rejects(subscriber.next(), { code, sequence: token });
  using frame = await subscriber.next();
  assert.deepEqual([frame.token, frame.meta.values.length], [token, planes.length]);
  assert.deepEqual(frame.descriptors.map(inodeOf), frame.meta.inodes);
  for (const [index, kind] of planes.entries()) {
    if (kind === 'memfd') continue;
    using buffer = DmaBuf.take(duplicate(frame.descriptors[index] ?? -1));
    using mapping = buffer.map('read-write');
    using _access = buffer.cpuAccess('read');
    assert.ok(mapping.bytes.every((byte) => byte === frame.meta.values[index]));
  }
}

test(
  'frames of one to four planes arrive whole, or are refused with their token, by what each subscriber allows',
  inMachine,
  async () => {
    const { stage, sender } = cast();
    const service = await stage.service({}, 'planes');
    const before = openDescriptors();
    const buffers = await service.bufferSubscriber<Said>({ allow: 'dma-buf' });
    const memory = await service.bufferSubscriber<Said>({ allow: 'sealed-memfd' });
    const either = await service.bufferSubscriber<Said>();
    for (const [index, mix] of MIXES.entries()) {
      const token = index + 1;
      assert.equal(await sender.send({ service: 'planes', planes: mix.planes, subscribers: 3 }), 3);
      await requireNext(buffers, token, mix.planes, mix.buffers);
      await requireNext(memory, token, mix.planes, mix.memory);
      await requireNext(either, token, mix.planes, undefined);
    }
    for (const subscriber of [buffers, memory, either]) subscriber.close();
    await requireOpen(before);
  },
);

for (const from of ['heap', 'udmabuf'] as const)
  test(
    `a graphics driver takes a picture of ${from} that another process sent, as its metadata says`,
    inMachine,
    async () => {
      const { stage, sender } = cast();
      const receiving = await stage.service({}, from);
      using subscriber = await receiving.bufferSubscriber({ metadata: frameMetadata });
      const order = { service: from, from, width: 64, height: 48, sequence: 7 };
      const inode = await sender.picture(order);
      using screen = new Screen();
      using picture = await subscriber.next();
      const { width, height, sequence } = picture.meta;
      assert.deepEqual({ width, height, sequence }, { width: 64, height: 48, sequence: 7 });
      assert.equal(inodeOf(picture.descriptors[0] ?? -1), inode);
      requireShown(picture);
      screen.look(picture, (memory, said) => {
        for (let row = 0; row < height; row++)
          assert.ok(rowsOf(memory, said, row, 1).every((byte) => byte === row));
      });
    },
  );

test(
  'pictures stay with whoever holds them when their sender is killed, and the camera is free for others',
  inMachine,
  async (t) => {
    const { sender, subscriber, screen } = await watch(t, { service: 'orphans' });
    const picture = await subscriber.next();
    const original = screen.copy(picture);
    await sender.kill();
    await until(() => subscriber.figures.publishers.length === 0);
    {
      using camera = V4l2Source.open(CAMERA, { width: WIDTH, height: HEIGHT, formats: [XR24], buffers: 4 });
      assert.equal(camera.descriptors.length, 4);
    }
    assert.equal(Buffer.compare(screen.copy(picture), original), 0);
    screen.look(picture, requirePattern);
    requireShown(picture);
    picture.release();
    for (let rest = subscriber.receive(); rest !== undefined; rest = subscriber.receive()) {
      screen.look(rest, requirePattern);
      rest.release();
    }
  },
);
