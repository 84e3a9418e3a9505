// The side channel: every frame arrives with exactly its own descriptors, or is told of as lost; what is not taken is closed.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type BufferFrame,
  type BufferPublisher,
  type BufferSubscriber,
  bytesMetadata,
  fourcc,
  frameMetadata,
  latest,
  type ServiceOptions,
} from 'sealane';
import { Memfd } from 'sealane/internal';
import { Stage, until } from '../services/nodes.test.helper.js';
import {
  checkMarked,
  descriptorsOpen,
  drain,
  type Mark,
  marksOpen,
  plane,
  planeIn,
  sendMarked,
} from './marks.test.helper.js';

async function connected(
  publisher: BufferPublisher<Mark>,
  subscriber: BufferSubscriber<Mark>,
): Promise<void> {
  await publisher.connected();
  await subscriber.connected();
}

async function pair(stage: Stage, settings: ServiceOptions = {}) {
  const service = await stage.service(settings);
  const publisher = await service.bufferPublisher<Mark>();
  const subscriber = await service.bufferSubscriber<Mark>();
  await connected(publisher, subscriber);
  const send = (frame: number, planes = 1) => sendMarked(publisher, { sender: 1, frame, planes });
  return { service, publisher, subscriber, send };
}

/** What is closed on another thread is gone some time later. */
const marksLeft = (count: number) => until(() => marksOpen() === count);

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test('frames of one to four planes arrive with their own descriptors, in order', async (t) => {
  const { subscriber, send } = await pair(new Stage(t));
  for (let frame = 1; frame <= 20; frame++) {
    assert.equal(send(frame, 1 + (frame % 4)), 1);
    using received = subscriber.receive();
    assert.ok(received !== undefined);
    checkMarked(received);
    assert.equal(received.token, frame);
    assert.equal(received.lost, undefined);
    assert.equal(received.buffer, undefined);
    assert.equal(received.publisher.pid, process.pid);
    assert.ok(received.timestampNs > 0n);
  }
  await marksLeft(0);
});

test('the receiver owns the descriptors: taken ones stay open, the others go with the frame', async (t) => {
  const { subscriber, send } = await pair(new Stage(t));
  send(1, 2);
  const frame = await subscriber.next();
  const taken = frame.take();
  frame.release();
  frame.release();
  assert.deepEqual(taken.map(planeIn), [
    [1, 1, 0],
    [1, 1, 1],
  ]);
  assert.throws(() => frame.descriptors, { code: 'ERR_SEALANE_CLOSED' });
  assert.throws(() => frame.meta, { code: 'ERR_SEALANE_CLOSED' });
  for (const fd of taken) closeSync(fd);
  await marksLeft(0);
});

test('frames that are forgotten are closed when they are collected, and what was taken of others stays open', async (t) => {
  const { subscriber, send } = await pair(new Stage(t));
  const next = () => {
    const frame = subscriber.receive();
    assert.ok(frame !== undefined);
    return frame;
  };
  for (let frame = 1; frame <= 100; frame++) {
    send(frame, 2);
    next().read(1);
  }
  send(101, 2);
  const held = next();
  send(102, 1);
  const taken = next().take();
  assert.equal(subscriber.receive(), undefined);
  await until(() => {
    collect();
    return marksOpen() === 3;
  });
  assert.equal(held.descriptors.length, 2);
  held.release();
  for (const fd of taken) closeSync(fd);
  await marksLeft(0);
});

test('frames that gave way are told of with their tokens, and their descriptors are closed', async (t) => {
  const { subscriber, publisher, send } = await pair(new Stage(t), { bufferSize: 3 });
  for (let frame = 1; frame <= 9; frame++) assert.equal(send(frame), 1);
  assert.deepEqual(drain(subscriber), { received: [7, 8, 9], lost: range(1, 6) });
  assert.equal(publisher.figures.subscribers[0]?.lost, 6);
  await marksLeft(0);
});

test('a subscriber that reads nothing has few descriptors under way, loses frames, and goes on', async (t) => {
  const { subscriber, publisher, send } = await pair(new Stage(t), { bufferSize: 2 });
  const before = descriptorsOpen() - marksOpen();
  const reached = range(1, 500).map((frame) => send(frame, 4));
  assert.ok(reached.includes(0), 'it counts as full in the end');
  await until(() => descriptorsOpen() - marksOpen() === before && marksOpen() <= 12);
  const { received, lost } = drain(subscriber);
  assert.equal(received.length, 2);
  assert.deepEqual([...lost, ...received], range(1, received[1] ?? 0));
  assert.equal(send(501, 4), 1);
  const rest = drain(subscriber);
  assert.deepEqual([...rest.lost, ...rest.received], range((received[1] ?? 0) + 1, 501));
  assert.equal(publisher.figures.subscribers[0]?.lost, 498);
  await marksLeft(0);
});

test('of frames that nobody reads yet, as many are under way as leave room for four of 32 descriptors', async (t) => {
  for (const [planes, most] of [
    [1, 29],
    [2, 15],
    [3, 10],
    [4, 8],
  ] as const) {
    const { subscriber, publisher, send } = await pair(new Stage(t), { bufferSize: 64 });
    const reached = range(1, most + 3).map((frame) => send(frame, planes));
    assert.deepEqual(reached, [...Array(most).fill(1), 0, 0, 0]);
    assert.deepEqual(drain(subscriber), { received: range(1, most), lost: [] });
    publisher.close();
  }
});

test('a subscriber whose event loop turns keeps only descriptors of frames that can still be received', async (t) => {
  const { subscriber, send } = await pair(new Stage(t), { bufferSize: 2 });
  for (let frame = 1; frame <= 300; frame++) {
    send(frame);
    if (frame % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    await until(() => marksOpen() <= 3);
  }
  const { received, lost } = drain(subscriber);
  assert.deepEqual(received, [299, 300]);
  assert.deepEqual(lost, range(1, 298));
  await marksLeft(0);
});

test('late subscribers get the frames of the history, each with its own descriptors', async (t) => {
  const stage = new Stage(t);
  const { service, publisher, subscriber, send } = await pair(stage, { history: 3, bufferSize: 4 });
  for (let frame = 1; frame <= 10; frame++) send(frame, 2);
  assert.deepEqual(drain(subscriber).received, range(7, 10));
  await marksLeft(6);
  const late = await service.bufferSubscriber<Mark>();
  await late.connected();
  assert.deepEqual(drain(late), { received: [8, 9, 10], lost: [] });
  const later = await service.bufferSubscriber<Mark>({ history: 1 });
  await later.connected();
  send(11, 3);
  assert.deepEqual(drain(later), { received: [10, 11], lost: [] });
  assert.deepEqual(drain(late).received, [11]);
  publisher.close();
  drain(subscriber);
  await marksLeft(0);
});

test('late subscribers get the newest frames of a history that is too long to be handed over at once', async (t) => {
  const { service, publisher, send } = await pair(new Stage(t), { history: 16, bufferSize: 16 });
  for (let frame = 1; frame <= 16; frame++) send(frame, 4);
  const late = await service.bufferSubscriber<Mark>();
  await late.connected();
  assert.deepEqual(drain(late), { received: range(9, 16), lost: range(1, 8) });
  for (let frame = 17; frame <= 32; frame++) send(frame, frame % 2 === 0 ? 1 : 3);
  const later = await service.bufferSubscriber<Mark>();
  await later.connected();
  assert.deepEqual(drain(later), { received: range(18, 32), lost: [17] });
  publisher.close();
});

test('the latest frame only', async (t) => {
  const { subscriber, send } = await pair(new Stage(t), latest);
  for (let frame = 1; frame <= 5; frame++) send(frame);
  assert.deepEqual(drain(subscriber), { received: [5], lost: [1, 2, 3, 4] });
});

test('where nothing may give way, a publisher waits on the event loop until there is room', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ overflow: false, bufferSize: 2 });
  const publisher = await service.bufferPublisher<Mark>();
  const subscriber = await service.bufferSubscriber<Mark>();
  await connected(publisher, subscriber);
  const memfds = range(1, 6).map((frame) => plane(1, frame, 0));
  const sending = (async () => {
    for (const [index, memfd] of memfds.entries()) {
      await publisher.sendAsync({ sender: 1, frame: index + 1, planes: 1 }, memfd.fd);
      memfd.close();
    }
  })();
  const received: number[] = [];
  while (received.length < 6) {
    using frame = await subscriber.next();
    checkMarked(frame);
    received.push(frame.token);
  }
  await sending;
  assert.deepEqual(received, range(1, 6));
  await marksLeft(0);
});

test('a publisher that fails when a buffer is full keeps tokens and descriptors together', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ overflow: false, bufferSize: 2 });
  const publisher = await service.bufferPublisher<Mark>({ whenFull: 'fail' });
  const [one, other] = [await service.bufferSubscriber<Mark>(), await service.bufferSubscriber<Mark>()];
  await publisher.connected(2);
  for (const subscriber of [one, other]) await subscriber.connected();
  const send = (frame: number) => sendMarked(publisher, { sender: 1, frame, planes: 2 });
  assert.deepEqual([send(1), send(2)], [2, 2]);
  drain(one);
  for (let count = 0; count < 3; count++)
    assert.throws(() => send(99), { code: 'ERR_SEALANE_SUBSCRIBER_FULL' });
  assert.deepEqual(drain(other).received, [1, 2]);
  assert.equal(send(3), 2);
  for (const subscriber of [one, other]) assert.deepEqual(drain(subscriber), { received: [3], lost: [] });
  await marksLeft(0);
});

test('a descriptor that is closed before it is sent is an error, also where it was sent before, and the next frame arrives', async (t) => {
  const { publisher, subscriber, send } = await pair(new Stage(t));
  const memfd = plane(1, 1, 0);
  const { fd } = memfd;
  const mark = { sender: 1, frame: 1, planes: 1 };
  assert.equal(publisher.send(mark, fd), 1);
  assert.deepEqual(drain(subscriber), { received: [1], lost: [] });
  memfd.close();
  assert.throws(() => publisher.send(mark, fd), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EBADF' });
  assert.throws(() => publisher.send(mark, fd), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EBADF' });
  assert.equal(publisher.figures.loaned, 0);
  const { sent } = publisher.figures;
  assert.equal(send(sent + 1), 1, 'who closed them has the next frame sent at once');
  assert.deepEqual(drain(subscriber).received, [sent + 1]);
});

test('descriptors are taken as they were given, whatever the codec does to the array', async (t) => {
  const service = await new Stage(t).service();
  using memfd = plane(1, 1, 0);
  const given: number[] = [];
  const encode = () => {
    given.push(...Array<number>(5).fill(memfd.fd));
    return new Uint8Array(1);
  };
  const publisher = await service.bufferPublisher<unknown>({ metadata: { encode } });
  const subscriber = await service.bufferSubscriber<Uint8Array>({ metadata: bytesMetadata });
  await publisher.connected();
  await subscriber.connected();
  for (const send of [publisher.send.bind(publisher), publisher.sendAsync.bind(publisher)]) {
    given.splice(0, given.length, memfd.fd);
    assert.equal(await send(undefined, given), 1);
    using frame = subscriber.receive();
    assert.equal(frame?.descriptors.length, 1);
  }
  assert.equal(publisher.figures.loaned, 0);
});

test('a descriptor that is closed while its frame waits for room is an error', async (t) => {
  const service = await new Stage(t).service({ overflow: false, bufferSize: 1 });
  const memfd = plane(1, 1, 0);
  let subscriber: BufferSubscriber<Mark> | undefined;
  const publisher = await service.bufferPublisher<Mark>({
    whenFull: () => {
      // In this order: what is received would get the number that was closed.
      if (subscriber !== undefined) drain(subscriber);
      memfd.close();
      return 'retry';
    },
  });
  subscriber = await service.bufferSubscriber<Mark>();
  await connected(publisher, subscriber);
  const mark = { sender: 1, frame: 1, planes: 1 };
  assert.equal(publisher.send(mark, memfd.fd), 1);
  const { fd } = memfd;
  assert.throws(() => publisher.send(mark, fd), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EBADF' });
  assert.equal(publisher.figures.loaned, 0);
});

test('memory that grows and descriptors share a connection', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ payload: 'growing', maxBytes: 1 << 20 });
  const publisher = await service.bufferPublisher<Uint8Array>({ metadata: bytesMetadata });
  const subscriber = await service.bufferSubscriber<Uint8Array>({ metadata: bytesMetadata });
  await publisher.connected();
  await subscriber.connected();
  for (let frame = 1; frame <= 17; frame++) {
    using memfd = plane(1, frame, 0);
    publisher.send(new Uint8Array(2 ** frame).fill(frame), memfd.fd);
    using received = await subscriber.next();
    assert.equal(received.meta.length, 2 ** frame);
    assert.deepEqual(planeIn(received.descriptors[0] ?? -1), [1, frame, 0]);
  }
});

test('wrong arguments are refused, and nothing is sent', async (t) => {
  const { service, publisher, subscriber } = await pair(new Stage(t));
  using memfd = plane(1, 1, 0);
  const mark = { sender: 1, frame: 1, planes: 1 };
  const { fd } = memfd;
  assert.throws(() => publisher.send(mark, [fd, fd, fd, fd, fd]), {
    code: 'ERR_SEALANE_TOO_MANY_DESCRIPTORS',
    message: /5 descriptors/,
  });
  const wrong: [unknown, RegExp][] = [
    [[], /descriptors must be 1 to 4 descriptors; got an empty array/],
    [[fd, -1], /descriptors\[1\] must be an open descriptor.*got -1/],
    [['1'], /descriptors\[0\] must/],
    ...[-1, 1.5, undefined, null].map((one): [unknown, RegExp] => [one, /descriptors must/]),
  ];
  for (const [descriptors, message] of wrong)
    assert.throws(() => publisher.send(mark, descriptors as never), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
      message,
    });
  assert.throws(() => publisher.send(mark, 1_000_000), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EBADF' });
  assert.throws(() => publisher.send(undefined as never, fd), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  assert.throws(() => publisher.send({ text: 'x'.repeat(70_000) } as never, fd), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /65536/,
  });
  assert.equal(publisher.figures.sent, 0);
  assert.equal(publisher.figures.loaned, 0);
  assert.equal(subscriber.receive(), undefined);
  const kinds: [unknown, RegExp][] = [
    ['dmabuf', /got "dmabuf"/],
    [[], /got an empty array/],
    [['any', 'x'], /got "x"/],
    [3, /got 3/],
  ];
  for (const [allow, message] of kinds)
    await assert.rejects(service.bufferSubscriber({ allow: allow as never }), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
      message,
    });
  await assert.rejects(service.bufferSubscriber({ whenAlone: 'x' as never }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
  });
  await assert.rejects(service.bufferPublisher({ codec: 1 } as never), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /only the keys metadata, maxBytes/,
  });
});

test('a history whose descriptors can not be handed over at once is refused', async (t) => {
  const service = await new Stage(t).service({ history: 33, bufferSize: 40 });
  await assert.rejects(service.bufferPublisher(), { code: 'ERR_SEALANE_LIMIT_EXCEEDED', message: /33/ });
});

test('a frame of a kind that is not allowed is dropped with its token, and the connection stays', async (t) => {
  const { service, publisher, subscriber } = await pair(new Stage(t));
  const any = await service.bufferSubscriber<Mark>({ allow: 'any' });
  const device = await service.bufferSubscriber<Mark>({ allow: 'dma-buf' });
  await publisher.connected(3);
  for (const one of [any, device]) await one.connected();
  const pipe = openSync('/dev/null', 'r');
  using unsealed = Memfd.create('sealane-mark', 12);
  publisher.send({ sender: 1, frame: 1, planes: 1 }, pipe);
  publisher.send({ sender: 1, frame: 2, planes: 1 }, unsealed.fd);
  sendMarked(publisher, { sender: 1, frame: 3, planes: 1 });
  closeSync(pipe);
  assert.throws(() => subscriber.receive(), {
    code: 'ERR_SEALANE_WRONG_DESCRIPTOR',
    sequence: 1,
    message: /frame 1 was dropped.*character device.*sender.*dma-buf, sealed-memfd.*allow: 'any'/,
  });
  assert.throws(() => subscriber.receive(), { code: 'ERR_SEALANE_NOT_SEALED', sequence: 2 });
  assert.deepEqual(drain(subscriber), { received: [3], lost: [] });
  for (const token of [1, 2, 3])
    assert.throws(() => device.receive(), { code: 'ERR_SEALANE_WRONG_DESCRIPTOR', sequence: token });
  assert.equal(device.receive(), undefined);
  for (const token of [1, 2, 3]) {
    using frame = any.receive();
    assert.equal(frame?.token, token);
  }
  assert.equal(publisher.figures.subscribers.length, 3);
  unsealed.close();
  await marksLeft(0);
});

test('metadata that the codec can not read is an error of its frame, and its descriptors are closed', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const publisher = await service.bufferPublisher<Uint8Array>({ metadata: bytesMetadata });
  const subscriber = await service.bufferSubscriber<Mark>();
  await publisher.connected();
  await subscriber.connected();
  using memfd = plane(1, 1, 0);
  publisher.send(Uint8Array.of(0xff, 0xfe), memfd.fd);
  publisher.send(Buffer.from('{"sender":1,"frame":1,"planes":1}'), memfd.fd);
  assert.throws(() => subscriber.receive(), { code: 'ERR_SEALANE_PROTOCOL', sequence: 1 });
  assert.deepEqual(drain(subscriber).received, [2]);
  await marksLeft(1);
});

test('samples and buffers do not mix: each is refused by the other kind of publisher', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const degraded: string[] = [];
  void (async () => {
    for await (const { type, ...event } of service.events())
      if (type === 'degraded' && 'error' in event)
        degraded.push(`${event.error?.code}: ${event.error?.message}`);
  })();
  const plain = await service.publisher();
  const buffers = await service.bufferPublisher<Mark>();
  const [samples, frames] = [await service.subscriber(), await service.bufferSubscriber<Mark>()];
  for (const one of [samples, frames]) await one.connected();
  await until(() => degraded.length === 2);
  assert.match(
    degraded.join(),
    /with bufferSubscriber\(\).*with subscriber\(\)|with subscriber\(\).*with bufferSubscriber\(\)/,
  );
  for (const one of degraded) assert.match(one, /^ERR_SEALANE_SETTINGS_MISMATCH/);
  plain.sendCopy(new Uint8Array(3));
  sendMarked(buffers, { sender: 1, frame: 1, planes: 1 });
  assert.equal(samples.receive()?.bytes.length, 3);
  assert.deepEqual(drain(frames).received, [1]);
  assert.equal(samples.receive(), undefined);
});

test('a publisher that ends is told of: what it sent arrives, then the connection is lost', async (t) => {
  const stage = new Stage(t);
  const { service, publisher, send } = await pair(stage);
  const alone = await service.bufferSubscriber<Mark>({ whenAlone: 'fail' });
  assert.equal(alone.receive(), undefined, 'nobody was ever there');
  await alone.connected();
  send(1);
  publisher.close();
  const first = await alone.next();
  assert.equal(first.token, 1);
  first.release();
  await assert.rejects(alone.next(), { code: 'ERR_SEALANE_CONNECTION_LOST' });
  const another = await service.bufferPublisher<Mark>();
  await alone.connected();
  sendMarked(another, { sender: 2, frame: 1, planes: 1 });
  (await alone.next()).release();
  another.close();
  assert.throws(() => alone.receiveBlocking({ timeoutMs: 60_000 }), { code: 'ERR_SEALANE_CONNECTION_LOST' });
});

test('what is closed says so', async (t) => {
  const { service, publisher, subscriber, send } = await pair(new Stage(t));
  send(1);
  subscriber.close();
  publisher.close();
  const closed = { code: 'ERR_SEALANE_CLOSED' };
  assert.throws(() => send(2), closed);
  assert.throws(() => subscriber.receive(), closed);
  await assert.rejects(subscriber.next(), closed);
  for await (const _ of subscriber) assert.fail('nothing comes any more');
  service.close();
  await assert.rejects(service.bufferPublisher(), closed);
  await assert.rejects(service.bufferSubscriber(), closed);
  await assert.rejects(service.bufferPool([0]), closed);
  await marksLeft(0);
});

test('ten thousand frames leave no descriptor behind', async (t) => {
  const { subscriber, send } = await pair(new Stage(t), { history: 2 });
  send(1);
  drain(subscriber);
  // What earlier tests had is closed some time later.
  await marksLeft(1);
  const before = descriptorsOpen();
  let received = 1;
  for (let frame = 2; frame <= 10_000; frame++) {
    send(frame, 1 + (frame % 4));
    if (frame % 7 === 0) received += drain(subscriber).received.length;
    if (frame % 70 === 3) closeTaken(await subscriber.next());
  }
  received += drain(subscriber).received.length;
  assert.ok(received > 4_000, `${received} were received`);
  send(10_001);
  send(10_002);
  drain(subscriber);
  await until(() => descriptorsOpen() === before + 1);
});

/** Takes the descriptors of a frame, and closes them as anybody would. */
function closeTaken(frame: BufferFrame<Mark>): void {
  for (const fd of frame.take()) closeSync(fd);
  frame.release();
}

test('a publisher says of a picture what it knows, and a subscriber has all of it; each needs its half of a codec', async (t) => {
  const service = await new Stage(t).service();
  const { encode, decode } = frameMetadata;
  const publisher = await service.bufferPublisher({ metadata: { encode } });
  const subscriber = await service.bufferSubscriber({ metadata: { decode } });
  await publisher.connected();
  const planes = [{ descriptor: 0, offset: 0, stride: 4, bytes: 8 }];
  const memfd = plane(1, 1, 0);
  publisher.send({ width: 1, height: 2, fourcc: fourcc('XR24'), planes }, memfd.fd);
  memfd.close();
  using received = await subscriber.next();
  const { width, height, modifier, sequence, color } = received.meta;
  assert.deepEqual([width, height, modifier, sequence, color.range], [1, 2, 0n, 0, 'unknown']);
  assert.deepEqual(received.meta.planes, planes);
});
