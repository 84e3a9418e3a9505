// A producer without a free buffer waits for one, without looking by itself: whoever gives one back wakes it, and so does the death of whoever has one.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { BufferFrame, BufferPool, ServiceOptions } from 'sealane';
import { type Peer, Stage } from '../services/nodes.test.helper.js';
import { type Mark, plane } from './marks.test.helper.js';

const script = '../buffers/free.test.helper.js';
const settings: ServiceOptions = { overflow: false };
const ROUNDS = 5_000;

/** A pool of buffers in a service, closed with the test. */
async function poolOf(t: TestContext, buffers: number, options: ServiceOptions = settings) {
  const stage = new Stage(t);
  const service = await stage.service(options);
  const memfds = Array.from({ length: buffers }, (_, index) => plane(1, index, 0));
  t.after(() => {
    for (const memfd of memfds) memfd.close();
  });
  const pool = await service.bufferPool<Mark>(memfds.map(({ fd }) => fd));
  return { stage, service, pool };
}

function sendAll(pool: BufferPool<Mark>): number[] {
  const sent: number[] = [];
  for (let buffer = pool.acquire(); buffer !== undefined; buffer = pool.acquire()) {
    buffer.send({ sender: 1, frame: buffer.index, planes: 1 });
    sent.push(buffer.index);
  }
  return sent;
}

/** A process that keeps all frames of the pool. */
async function keeper(stage: Stage, pool: BufferPool<Mark>): Promise<{ peer: Peer; sent: number[] }> {
  const peer = stage.peer('keep', { script, settings });
  assert.equal(await peer.line(), '"connected"');
  const sent = sendAll(pool);
  for (const index of sent.keys()) assert.equal(await peer.line(), String(index + 1));
  return { peer, sent };
}

/** Whether something has happened until the event loop has turned a few times. */
async function settles(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => {
    settled = true;
  };
  promise.then(note, note);
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

test('a buffer that is free is got at once', async (t) => {
  const { pool } = await poolOf(t, 2);
  const [one, two] = [await pool.acquireAsync(), pool.acquireBlocking()];
  assert.deepEqual([one.index, two?.index], [0, 1]);
});

test('a release in another process wakes who waits for a buffer, and no timer runs meanwhile', async (t) => {
  const { stage, pool } = await poolOf(t, 3);
  const { peer, sent } = await keeper(stage, pool);
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  for (const index of sent) {
    const waiting = pool.acquireAsync();
    assert.equal(await settles(waiting), false);
    assert.equal(timers(), before);
    peer.tell('release');
    assert.equal((await waiting).index, index);
  }
});

test('the death of who holds the buffers wakes who waits for one', async (t) => {
  const { stage, pool } = await poolOf(t, 2);
  const { peer } = await keeper(stage, pool);
  const both = [pool.acquireAsync(), pool.acquireAsync()];
  assert.equal(await settles(Promise.race(both)), false);
  await peer.kill();
  const got = await Promise.all(both);
  assert.deepEqual(got.map(({ index }) => index).sort(), [0, 1]);
});

test('who waits longest gets the first buffer that comes back', async (t) => {
  const { stage, pool } = await poolOf(t, 2);
  const { peer } = await keeper(stage, pool);
  const got: string[] = [];
  const names = ['first', 'second', 'third'];
  const all = names.map(async (name) => {
    const buffer = await pool.acquireAsync();
    got.push(name);
    buffer.release();
  });
  peer.tell('release');
  await Promise.all(all);
  assert.deepEqual(got, names);
});

test('what this side gives back itself is noticed: buffers unsent, for nobody, and out of the history', async (t) => {
  const { pool } = await poolOf(t, 2, { overflow: false, history: 1 });
  const [one, two] = [pool.acquire(), pool.acquire()];
  const [first, second] = [pool.acquireAsync(), pool.acquireAsync()];
  assert.equal(await settles(Promise.race([first, second])), false);
  one?.release();
  assert.equal((await first).index, one?.index);
  two?.send({ sender: 1, frame: 2, planes: 1 });
  assert.equal(await settles(second), false, 'the history has it');
  await (await first).sendAsync({ sender: 1, frame: 1, planes: 1 });
  assert.equal((await second).index, two?.index);
});

test('a subscriber that connects while somebody waits wakes it, too', async (t) => {
  const { stage, service, pool } = await poolOf(t, 1);
  const buffer = pool.acquire();
  const waiting = pool.acquireAsync();
  const peer = stage.peer('keep', { script, settings });
  await pool.connected();
  assert.equal(service.settings.overflow, false);
  buffer?.send({ sender: 1, frame: 1, planes: 1 });
  assert.deepEqual([await peer.line(), await peer.line()], ['"connected"', '1']);
  assert.equal(await settles(waiting), false);
  peer.tell('release');
  assert.equal((await waiting).index, 0);
});

test('with overflow, what waits gives way at once, and what is held is waited for', async (t) => {
  const { service, pool } = await poolOf(t, 2, { maxBorrowed: 2 });
  const subscriber = await service.bufferSubscriber<Mark>();
  await subscriber.connected();
  for (const frame of [0, 1]) pool.acquire()?.send({ sender: 1, frame, planes: 1 });
  const held = subscriber.receive() as BufferFrame<Mark>;
  const buffer = await pool.acquireAsync();
  const waiting = pool.acquireAsync();
  assert.equal(await settles(waiting), false);
  const { buffer: index } = held;
  held.release();
  assert.equal((await waiting).index, index);
  assert.notEqual(buffer.index, index);
});

test('waiting ends with the signal, and with the pool', async (t) => {
  const { pool } = await poolOf(t, 1);
  pool.acquire();
  const controller = new AbortController();
  const aborted = pool.acquireAsync({ signal: controller.signal });
  const closed = pool.acquireAsync();
  controller.abort();
  await assert.rejects(aborted, { code: 'ERR_SEALANE_ABORTED' });
  await assert.rejects(pool.acquireAsync({ signal: AbortSignal.abort() }), { code: 'ERR_SEALANE_ABORTED' });
  pool.close();
  await assert.rejects(closed, { code: 'ERR_SEALANE_CLOSED', message: /buffer pool/ });
  await assert.rejects(pool.acquireAsync(), { code: 'ERR_SEALANE_CLOSED' });
  assert.throws(() => pool.acquireBlocking(), { code: 'ERR_SEALANE_CLOSED' });
});

test('who waits with the thread blocked gets a buffer back, nothing in time, or an error where nobody else has one', async (t) => {
  const stage = new Stage(t);
  const subscriber = await (await stage.service(settings)).bufferSubscriber<Mark>();
  const peer = stage.peer('wait', { script, settings, buffers: 2 });
  const frames = [await subscriber.next(), await subscriber.next()];
  assert.equal(await peer.line(), '"none"');
  frames[1]?.release();
  assert.equal(await peer.line(), String(frames[1]?.buffer));
  const { pool, service } = await poolOf(t, 1);
  const own = await service.bufferSubscriber<Mark>();
  await own.connected();
  sendAll(pool);
  assert.throws(() => pool.acquireBlocking(), {
    code: 'ERR_SEALANE_LIMIT_EXCEEDED',
    message: /every buffer is with this very thread/,
  });
  assert.equal(pool.acquireBlocking({ timeoutMs: 0 }), undefined);
  assert.throws(() => pool.acquireBlocking({ timeoutMs: -1 }), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

for (const buffers of [1, 3])
  test(`no wake-up is lost in thousands of waits for one of ${buffers}`, async (t) => {
    const { stage, pool } = await poolOf(t, buffers);
    const peer = stage.peer('echo', { script, settings });
    assert.equal(await peer.line(), '"connected"');
    for (let frame = 1; frame <= ROUNDS; frame++) {
      const buffer = await pool.acquireAsync();
      buffer.send({ sender: 1, frame, planes: 1 });
    }
  });

for (const spinMs of [0, 0.02])
  test(`no wake-up is lost with the thread blocked, after looking for ${spinMs} ms`, async (t) => {
    const stage = new Stage(t);
    const subscriber = await (await stage.service(settings)).bufferSubscriber<Mark>();
    const peer = stage.peer('fill', { script, settings, buffers: 1, frames: ROUNDS, spinMs });
    for (let frame = 1; frame <= ROUNDS; frame++) {
      using received = await subscriber.next();
      assert.equal(received.meta.frame, frame);
    }
    assert.deepEqual([await peer.line(), await peer.line()], ['"connected"', '"sent"']);
  });
