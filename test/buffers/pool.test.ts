// Pools: each buffer is handed over once, a frame is a sample, and its release gives the buffer back.
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type BufferPool, type BufferSubscriber, bytesMetadata, type ServiceOptions } from 'sealane';
import { Domain, Memfd } from 'sealane/internal';
import { Liar } from '../services/liar.test.helper.js';
import { Stage, until } from '../services/nodes.test.helper.js';
import { marksOpen, plane, planeIn } from './marks.test.helper.js';

type Meta = { readonly frame: number };

const POOL = 7;

/** Numbers as bytes. */
const numbersMetadata = {
  encode: (meta: number[]) => Uint8Array.from(meta),
  decode: (bytes: Uint8Array) => [...bytes],
};

/** Memory for a pool, closed with the test: the pool has duplicates. */
function planes(t: TestContext, count: number, planesEach = 1): number[][] {
  const memfds: Memfd[] = [];
  t.after(() => {
    for (const memfd of memfds) memfd.close();
  });
  return Array.from({ length: count }, (_, index) =>
    Array.from({ length: planesEach }, (__, number) => {
      const memfd = plane(POOL, index, number);
      memfds.push(memfd);
      return memfd.fd;
    }),
  );
}

async function pair(t: TestContext, buffers = 4, settings: ServiceOptions = {}, planesEach = 1) {
  const stage = new Stage(t);
  const service = await stage.service(settings);
  const pool = await service.bufferPool<Meta>(planes(t, buffers, planesEach));
  const subscriber = await service.bufferSubscriber<Meta>();
  await pool.connected();
  await subscriber.connected();
  return { stage, service, pool, subscriber };
}

function send(pool: BufferPool<Meta>, frame: number): number {
  const buffer = pool.acquire();
  assert.ok(buffer !== undefined, `a buffer is free for frame ${frame}`);
  buffer.send({ frame });
  return buffer.index;
}

function next(subscriber: BufferSubscriber<Meta>) {
  const frame = subscriber.receive();
  assert.ok(frame !== undefined);
  return frame;
}

test('frames arrive in the buffers they were sent in, each of which is handed over once', async (t) => {
  const { pool, subscriber } = await pair(t, 4, {}, 3);
  assert.equal(pool.size, 4);
  const known = new Map<number, readonly number[]>();
  for (let frame = 1; frame <= 100; frame++) {
    const index = send(pool, frame);
    using received = next(subscriber);
    assert.deepEqual(received.meta, { frame });
    assert.equal(received.token, frame);
    assert.equal(received.buffer, index);
    assert.deepEqual(
      received.descriptors.map(planeIn),
      [0, 1, 2].map((number) => [POOL, index, number]),
    );
    const before = known.get(index) ?? received.descriptors;
    assert.deepEqual(received.descriptors, before, 'the same descriptors as last time');
    known.set(index, before);
  }
});

test('a buffer is free again when nobody needs its frame', async (t) => {
  const { pool, subscriber, service } = await pair(t, 3, { overflow: false });
  const other = await service.bufferSubscriber<Meta>();
  await pool.connected(2);
  await other.connected();
  const sent = [send(pool, 1), send(pool, 2), send(pool, 3)];
  assert.deepEqual([...sent].sort(), [0, 1, 2]);
  assert.equal(pool.acquire(), undefined);
  const [one, two] = [next(subscriber), next(subscriber)];
  one.release();
  assert.equal(pool.acquire(), undefined, 'the other subscriber has it');
  next(other).release();
  assert.equal(pool.acquire()?.index, sent[0]);
  assert.throws(() => one.descriptors, { code: 'ERR_SEALANE_CLOSED' });
  assert.throws(() => one.meta, { code: 'ERR_SEALANE_CLOSED' });
  two.release();
  two.release();
  other.close();
  let free = pool.acquire();
  await until(() => {
    free ??= pool.acquire();
    return free !== undefined;
  });
  assert.equal(free?.index, sent[1]);
});

test('a buffer that was not sent is given back, and one that was sent can not be sent again', async (t) => {
  const { pool, subscriber } = await pair(t, 1, { overflow: false });
  const buffer = pool.acquire();
  assert.ok(buffer !== undefined);
  assert.deepEqual(buffer.descriptors.map(planeIn), [[POOL, 0, 0]]);
  assert.equal(pool.acquire(), undefined);
  buffer.release();
  buffer.release();
  assert.throws(() => buffer.send({ frame: 1 }), { code: 'ERR_SEALANE_CLOSED' });
  const again = pool.acquire();
  assert.equal(again?.send({ frame: 1 }), 1);
  assert.throws(() => again?.send({ frame: 2 }), { code: 'ERR_SEALANE_CLOSED' });
  assert.deepEqual(next(subscriber).meta, { frame: 1 });
  assert.equal(subscriber.receive(), undefined);
});

test('a slow subscriber does not keep the producer from its buffers: what waits gives way', async (t) => {
  const { pool, subscriber, service } = await pair(t, 4, { bufferSize: 4 });
  const quick = await service.bufferSubscriber<Meta>();
  await pool.connected(2);
  await quick.connected();
  for (let frame = 1; frame <= 50; frame++) {
    send(pool, frame);
    using received = next(quick);
    assert.equal(received.lost, undefined);
    assert.deepEqual(received.meta, { frame });
  }
  const late = next(subscriber);
  assert.equal(late.token, 47);
  assert.deepEqual(late.lost, { first: 1, last: 46 });
  late.release();
});

test('a subscriber that lies about what it took keeps no buffer', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  const service = await node.service('stage').publishSubscribe({ bufferSize: 4, maxBorrowed: 2 });
  const pool = await service.bufferPool<Meta>(planes(t, 4));
  const domain = Domain.open({ directory: stage.directory });
  const target = { domain, publisherNode: node, publisherService: service, publisher: pool };
  using liar = await Liar.connect(target, { buffers: true });
  for (let frame = 0; frame < 4; frame++) send(pool, frame);
  Atomics.store(liar.words, liar.head, -1);
  send(pool, 4);
  assert.deepEqual(pool.figures.subscribers, []);
});

test('what a subscriber holds is never filled again', async (t) => {
  const { pool, subscriber } = await pair(t, 3, { maxBorrowed: 2 });
  const held = [send(pool, 1), send(pool, 2)];
  const frames = [next(subscriber), next(subscriber)];
  for (let frame = 3; frame <= 20; frame++) assert.ok(!held.includes(send(pool, frame)));
  assert.deepEqual(
    frames.map(({ meta }) => meta.frame),
    [1, 2],
  );
});

test('the history keeps its buffers for late subscribers', async (t) => {
  const { pool, service, subscriber } = await pair(t, 4, { history: 2 });
  for (let frame = 1; frame <= 9; frame++) {
    send(pool, frame);
    next(subscriber).release();
  }
  const late = await service.bufferSubscriber<Meta>();
  await late.connected();
  for (const frame of [8, 9]) {
    using received = next(late);
    assert.deepEqual(received.meta, { frame });
    assert.deepEqual(received.descriptors.map(planeIn), [[POOL, received.buffer, 0]]);
  }
});

test('descriptors that are taken are duplicates, which outlive the pool', async (t) => {
  const { pool, subscriber } = await pair(t);
  const before = marksOpen();
  send(pool, 1);
  const frame = next(subscriber);
  const [fd = -1] = frame.take();
  assert.notDeepEqual([fd], frame.descriptors);
  frame.release();
  pool.close();
  pool.close();
  await until(() => marksOpen() === before - 4 + 1);
  assert.deepEqual(planeIn(fd), [POOL, frame.buffer, 0]);
  closeSync(fd);
  assert.throws(() => pool.acquire(), { code: 'ERR_SEALANE_CLOSED' });
});

test('hot frames are used again, and say what they should', async (t) => {
  const { pool, subscriber } = await pair(t, 2);
  const objects = new Set();
  for (let frame = 1; frame <= 50; frame++) {
    send(pool, frame);
    const received = subscriber.receiveHot();
    assert.ok(received !== undefined);
    objects.add(received);
    assert.deepEqual(received.meta, { frame });
    assert.equal(received.token, frame);
    received.release();
  }
  assert.equal(subscriber.receiveHot(), undefined);
  assert.ok(objects.size <= 2);
});

test('codecs write into the frame, and get back what they made of the last one in the same buffer, of hot frames only', async (t) => {
  const service = await new Stage(t).service();
  const pool = await service.bufferPool<number[]>(planes(t, 1), {
    maxBytes: 4,
    metadata: {
      ...numbersMetadata,
      encodeInto: (meta, into) => {
        assert.equal(into.length, 4);
        into.set(meta);
        return meta.length;
      },
    },
  });
  const given: (number[] | undefined)[] = [];
  const decode = (bytes: Uint8Array, used?: number[]) => {
    given.push(used);
    return [...bytes];
  };
  const subscriber = await service.bufferSubscriber<number[]>({ metadata: { ...numbersMetadata, decode } });
  await subscriber.connected();
  const metas: unknown[] = [];
  for (const meta of [[1, 2, 3], [4], [], [5, 6, 7, 8]]) {
    pool.acquire()?.send(meta);
    using frame = subscriber.receiveHot();
    metas.push(frame?.meta, frame?.meta);
  }
  assert.deepEqual(metas, [[1, 2, 3], [1, 2, 3], [4], [4], [], [], [5, 6, 7, 8], [5, 6, 7, 8]]);
  assert.deepEqual(given, [undefined, [1, 2, 3], [4], []]);
  pool.acquire()?.send([9]);
  using frame = subscriber.receive();
  assert.deepEqual([frame?.meta, given.at(-1)], [[9], undefined]);
});

test('a codec that says it wrote what it can not have, throws, or gives the buffer back, sends nothing', async (t) => {
  const service = await new Stage(t).service();
  let encodeInto = (): number => 1;
  const pool = await service.bufferPool<number[]>(planes(t, 1), {
    maxBytes: 4,
    metadata: { ...numbersMetadata, encodeInto: () => encodeInto() },
  });
  const buffer = pool.acquire();
  for (const length of [5, -1, 0.5, Number.NaN, '1' as never, undefined as never]) {
    encodeInto = () => length;
    assert.throws(() => buffer?.send([]), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  }
  encodeInto = () => {
    throw new RangeError('no');
  };
  assert.throws(() => buffer?.send([]), RangeError);
  assert.equal(pool.acquire(), undefined, 'it is still the only one, and on loan');
  encodeInto = () => {
    buffer?.release();
    return 1;
  };
  assert.throws(() => buffer?.send([]), { code: 'ERR_SEALANE_CLOSED' });
  encodeInto = () => 1;
  assert.equal(pool.figures.sent, 0);
  assert.equal(pool.acquire()?.send([]), 0);
});

test('many buffers of many planes are handed over as frames need them', async (t) => {
  const { pool, subscriber } = await pair(t, 40, { bufferSize: 40, overflow: false, maxBorrowed: 40 }, 4);
  const frames = [];
  for (let frame = 1; frame <= 40; frame++) {
    send(pool, frame);
    frames.push(next(subscriber));
  }
  for (const { descriptors, buffer } of frames)
    assert.deepEqual(
      descriptors.map(planeIn),
      [0, 1, 2, 3].map((number) => [POOL, buffer, number]),
    );
  for (const frame of frames) frame.release();
});

for (const payload of ['growing', 'fixed'] as const)
  test(`pools work where payloads are ${payload}`, async (t) => {
    const stage = new Stage(t);
    const service = await stage.service({ payload, maxBytes: 10 });
    const pool = await service.bufferPool<Uint8Array>(planes(t, 2), { metadata: bytesMetadata });
    const subscriber = await service.bufferSubscriber<Uint8Array>({ metadata: bytesMetadata });
    await pool.connected();
    await subscriber.connected();
    for (let frame = 1; frame <= 10; frame++) {
      pool.acquire()?.send(new Uint8Array(10).fill(frame));
      using received = await subscriber.next();
      assert.deepEqual(received.meta, new Uint8Array(10).fill(frame));
    }
    const buffer = pool.acquire();
    assert.throws(() => buffer?.send(new Uint8Array(11)), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
    if (payload === 'fixed')
      assert.throws(() => buffer?.send(new Uint8Array(9)), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
    assert.equal(buffer?.send(new Uint8Array(10)), 1);
  });

test('a buffer of a kind that is not allowed drops its frames, each with its token', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  using unsealed = Memfd.create('sealane-mark', 12);
  const pool = await service.bufferPool<Meta>([unsealed.fd]);
  const subscriber = await service.bufferSubscriber<Meta>();
  const any = await service.bufferSubscriber<Meta>({ allow: ['any'] });
  await pool.connected(2);
  for (const one of [subscriber, any]) await one.connected();
  for (let frame = 1; frame <= 3; frame++) {
    send(pool, frame);
    assert.throws(() => subscriber.receive(), { code: 'ERR_SEALANE_NOT_SEALED', sequence: frame });
    assert.throws(() => subscriber.receiveHot() ?? assert.fail('nothing is there'), /nothing is there/);
    next(any).release();
  }
});

test('wrong pools are refused, and leave nothing open', async (t) => {
  const service = await new Stage(t).service({ history: 2 });
  const [[fd = -1] = []] = planes(t, 1);
  const before = marksOpen();
  const wrong = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
  for (const buffers of [[], [fd, fd], Array(257).fill(fd), [fd, fd, -1], [fd, fd, []], 3] as never[])
    await assert.rejects(service.bufferPool(buffers), wrong);
  await assert.rejects(service.bufferPool([fd, fd, [fd, fd, fd, fd, fd]]), {
    code: 'ERR_SEALANE_TOO_MANY_DESCRIPTORS',
  });
  await assert.rejects(service.bufferPool([fd, fd, 1_000_000]), { errnoName: 'EBADF' });
  await assert.rejects(service.bufferPool([fd, fd, fd], { maxBytes: 70_000 }), wrong);
  await assert.rejects(service.bufferPool([fd, fd, fd], { maxLoaned: 1 } as never), wrong);
  await until(() => marksOpen() === before);
});
