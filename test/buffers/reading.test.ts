// Looking at the bytes of frames: of memory that the sender made, and of whatever else came.
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { BufferMemory, Window } from 'sealane';
import { Memfd } from 'sealane/internal';
import { Stage, until } from '../services/nodes.test.helper.js';
import { descriptorsOpen } from './marks.test.helper.js';

const BYTES = 3 * 4_096 + 5;

async function pair(stage: Stage) {
  const service = await stage.service();
  const publisher = await service.bufferPublisher<number>();
  const subscriber = await service.bufferSubscriber<number>({ allow: 'any' });
  await publisher.connected();
  await subscriber.connected();
  return { publisher, subscriber };
}

test('a frame shows the bytes of its memory until it is released', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t));
  using one = BufferMemory.allocate(BYTES);
  using two = BufferMemory.allocate(7);
  one.bytes.fill(1);
  two.bytes.fill(2);
  publisher.send(0, [one.descriptor, two.descriptor]);
  const frame = subscriber.receive();
  assert.ok(frame !== undefined);
  const look = frame.read();
  assert.equal(look.bytes.length, BYTES);
  assert.deepEqual(look.bytes, one.bytes);
  assert.deepEqual(frame.read(1).bytes, two.bytes);
  assert.equal(frame.read().bytes, look.bytes);
  one.bytes[9] = 77;
  assert.equal(look.bytes[9], 77, 'it is the memory of the sender, and no copy');
  look.bytes[10] = 88;
  assert.equal(one.bytes[10], 1, 'nobody else sees what a receiver writes');
  look.end();
  look.end();
  frame.release();
  assert.equal(look.bytes.length, 0);
  assert.throws(() => frame.read(), { code: 'ERR_SEALANE_CLOSED' });
});

test('a buffer of a pool is mapped once, and shows every frame as it was sent', async (t) => {
  const service = await new Stage(t).service();
  using memory = BufferMemory.allocate(BYTES);
  await using pool = await service.bufferPool<number>([memory.descriptor]);
  await using subscriber = await service.bufferSubscriber<number>();
  await pool.connected();
  await subscriber.connected();
  let shown: Uint8Array | undefined;
  for (let value = 1; value <= 20; value++) {
    memory.bytes.fill(value);
    pool.acquire()?.send(value);
    using frame = value % 2 === 0 ? subscriber.receive() : subscriber.receiveHot();
    assert.ok(frame !== undefined);
    using look = frame.read();
    shown ??= look.bytes;
    assert.equal(look.bytes, shown);
    assert.ok(look.bytes.every((byte) => byte === value));
    look.bytes.fill(0xff, value, value + 100);
    assert.ok(memory.bytes.every((byte) => byte === value));
  }
  const last = subscriber.receive();
  assert.equal(last, undefined);
  subscriber.close();
  assert.equal(shown?.length, 0);
});

test('only what can not be cut off is looked at', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t));
  const file = openSync('/dev/null', 'r');
  using unsealed = Memfd.create('sealane-test', 10);
  publisher.send(0, [file, unsealed.fd]);
  using frame = subscriber.receive();
  assert.ok(frame !== undefined);
  assert.throws(() => frame.read(), { code: 'ERR_SEALANE_WRONG_DESCRIPTOR' });
  assert.throws(() => frame.read(1), { code: 'ERR_SEALANE_NOT_SEALED' });
  for (const index of [2, -1, 0.5, '0' as never])
    assert.throws(() => frame.read(index), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  closeSync(file);
});

test('descriptors that were taken are no more the frame’s, which still says what it is', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t));
  using memory = BufferMemory.allocate(8);
  publisher.send(7, memory.descriptor);
  const frame = subscriber.receive();
  assert.ok(frame !== undefined);
  const object = frame.object();
  const taken = frame.take();
  assert.equal(taken.length, 1);
  const uses = [
    () => frame.read(),
    () => frame.descriptors,
    () => frame.sizes,
    () => frame.object(),
    () => object.descriptor,
    () => frame.take(),
  ];
  for (const use of uses) assert.throws(use, { code: 'ERR_SEALANE_CLOSED', message: /were taken/ });
  assert.deepEqual([frame.meta, frame.token, frame.publisher.pid], [7, 1, process.pid]);
  frame.release();
  for (const use of uses) assert.throws(use, { code: 'ERR_SEALANE_CLOSED', message: /frame is closed/ });
  assert.throws(() => frame.meta, { code: 'ERR_SEALANE_CLOSED' });
  for (const fd of taken) closeSync(fd);
});

test('a frame is mapped into a window as an object, and what is mapped outlives it', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t));
  using one = BufferMemory.allocate(4_096);
  using two = BufferMemory.allocate(8_192);
  two.bytes.fill(2);
  publisher.send(0, [one.descriptor, two.descriptor]);
  const frame = subscriber.receive();
  assert.ok(frame !== undefined);
  using window = Window.reserve(3 * Window.pageSize);
  const object = frame.object(1);
  assert.deepEqual([object.size, object.seals], [8_192, two.seals]);
  window.map(0, object);
  assert.equal(frame.object().size, 4_096);
  for (const index of [2, -1, 0.5, '0' as never])
    assert.throws(() => frame.object(index), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  frame.release();
  assert.throws(() => object.descriptor, { code: 'ERR_SEALANE_CLOSED' });
  assert.throws(() => window.map(8_192, object), { code: 'ERR_SEALANE_CLOSED' });
  assert.ok(window.view(0, 8_192).every((byte) => byte === 2));
});

test('what is mapped of a pool shows the next frame in the same buffer', async (t) => {
  const service = await new Stage(t).service();
  using memory = BufferMemory.allocate(4_096);
  await using pool = await service.bufferPool<number>([memory.descriptor]);
  await using subscriber = await service.bufferSubscriber<number>();
  await pool.connected();
  await subscriber.connected();
  using window = Window.reserve(Window.pageSize);
  for (const value of [1, 2]) {
    memory.bytes.fill(value);
    pool.acquire()?.send(value);
    using frame = value === 1 ? subscriber.receive() : subscriber.receiveHot();
    assert.ok(frame !== undefined);
    assert.deepEqual(frame.sizes, [4_096]);
    if (value === 1) window.map(0, frame.object(), { access: 'read' });
    assert.equal(frame.object().descriptor, frame.descriptors[0]);
    assert.equal(window.view(0, 1)[0], value);
  }
});

test('sizes are what the kernel says, and of what can shrink, or is no memory, none', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t));
  const file = openSync('/proc/self/exe', 'r');
  using unsealed = Memfd.create('sealane-test', 10);
  using memory = BufferMemory.allocate(BYTES);
  publisher.send(0, [memory.descriptor, file, unsealed.fd]);
  closeSync(file);
  const frame = subscriber.receive();
  assert.ok(frame !== undefined);
  assert.deepEqual(frame.sizes, [BYTES, 0, 0]);
  assert.equal(frame.sizes, frame.sizes);
  assert.throws(() => frame.object(1), { code: 'ERR_SEALANE_WRONG_DESCRIPTOR' });
  assert.throws(() => frame.object(2), { code: 'ERR_SEALANE_NOT_SEALED' });
  frame.release();
  assert.throws(() => frame.sizes, { code: 'ERR_SEALANE_CLOSED' });
});

test('who receives memory of a buffer can neither write into it nor cut it off', () => {
  using memory = BufferMemory.allocate(4_096, { prefault: true });
  using window = Window.reserve(4_096);
  assert.throws(() => window.map(0, memory, { access: 'read-write' }), { code: 'ERR_SEALANE_SYSTEM' });
  window.map(0, memory);
  memory.bytes[5] = 5;
  assert.equal(window.view(0, 10)[5], 5);
  assert.throws(() => ftruncateSync(memory.descriptor, 0), { code: 'EPERM' });
  memory.close();
  assert.equal(memory.bytes.length, 0);
  assert.throws(() => memory.descriptor, { code: 'ERR_SEALANE_CLOSED' });
  for (const bytes of [0, -1, 1.5, Number.NaN, '8' as never])
    assert.throws(() => BufferMemory.allocate(bytes), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('a thousand frames that were looked at leave no descriptor behind', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t));
  using memory = BufferMemory.allocate(BYTES);
  const before = descriptorsOpen();
  for (let sent = 0; sent < 1_000; sent++) {
    publisher.send(sent, memory.descriptor);
    using frame = subscriber.receive();
    assert.equal(frame?.read().bytes.length, BYTES);
  }
  // What earlier tests had may be closed meanwhile.
  await until(() => descriptorsOpen() <= before);
});
