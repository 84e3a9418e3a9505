// Worker threads: ports work in them, a worker may block, and one that ends in the middle of anything leaves nothing behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turned } from 'node:timers/promises';
import { bytesOf, joined, ownDescriptors, Stage, texts, until } from './nodes.test.helper.js';

test('ports work in workers: each gets what the others and the main thread send', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const [own, subscriber] = [await service.publisher(), await service.subscriber()];
  const readers = [stage.worker('subscribe'), stage.worker('subscribe')];
  const writer = stage.worker('publish');
  const ids = await Promise.all([...readers, writer].map((peer) => peer.line()));
  assert.equal(new Set(ids).size, 3);
  await own.connected(3);
  await subscriber.connected(2);
  for (const reader of readers) {
    reader.tell('connected');
    assert.equal(await reader.line(), 'connected');
  }
  own.sendCopy(bytesOf('main'));
  for (const reader of readers) {
    reader.tell('next');
    assert.equal(await reader.line(), 'main');
  }
  for (let reached = ''; reached !== '3'; reached = await writer.line()) writer.tell('worker');
  assert.ok(texts(subscriber).includes('worker'));
  for (const reader of readers) {
    reader.tell('next');
    assert.equal(await reader.line(), 'worker');
  }
});

/** What a worker is in the middle of when it is terminated. */
const MIDDLES: readonly [string, string, Record<string, unknown>][] = [
  ['blocks in receiveBlocking', 'block', {}],
  ['polls without a turn of its event loop', 'busyPoll', {}],
  ['sends without a turn of its event loop', 'sendLoop', { stop: '/nowhere' }],
  ['has samples borrowed and on loan', 'holdAll', {}],
  ['waits for samples', 'subscribe', {}],
  ['has idle ports', 'onlyNode', {}],
];

for (const [what, role, options] of MIDDLES) {
  test(`a worker that ${what} can be terminated, and leaves no descriptor and no file`, async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const publisher = await service.publisher();
    const subscriber = await service.subscriber();
    await joined([publisher], [subscriber]);
    const cycle = async () => {
      const peer = stage.worker(role, options);
      const node = await peer.line();
      await until(
        () =>
          subscriber.figures.publishers.length + publisher.figures.subscribers.length > 2 ||
          !stage.filesOf(node).some((name) => /\.(pub|sub)$/.test(name)),
      );
      await peer.worker.terminate();
      await until(() => stage.filesOf(node).length === 0);
      texts(subscriber);
      await until(
        () => subscriber.figures.publishers.length === 1 && publisher.figures.subscribers.length === 1,
      );
    };
    const before = ownDescriptors();
    for (let count = 0; count < 3; count++) await cycle();
    // A connection that the worker was making when it ended is served like any other: as the event loop turns.
    for (let turn = 0; turn < 1_000 && ownDescriptors().length > before.length; turn++) await turned();
    assert.deepEqual(ownDescriptors(), before);
    assert.equal(publisher.sendCopy(bytesOf('still')), 1);
    assert.deepEqual(texts(subscriber), ['still']);
  });
}

test('what a terminated worker left, that nobody was connected to, is removed by the next node to open the service', async (t) => {
  const stage = new Stage(t);
  const peer = stage.worker('onlyNode');
  const node = await peer.line();
  await peer.worker.terminate();
  assert.ok(stage.filesOf(node).length > 0, 'a terminated worker runs no more JavaScript');
  const service = await stage.service();
  assert.deepEqual(stage.filesOf(node), []);
  assert.deepEqual(service.ports(), []);
});

test('a worker that blocks a publisher of another thread stops doing so when it is terminated', async (t) => {
  const stage = new Stage(t);
  await stage.service({ bufferSize: 1, overflow: false });
  const slow = stage.worker('subscribe');
  const node = await slow.line();
  const sender = stage.worker('sendMany', { count: 50 });
  await sender.line();
  slow.tell('next');
  assert.equal(await slow.line(), '1');
  await slow.worker.terminate();
  assert.equal(await sender.line(), 'sent');
  await until(() => stage.filesOf(node).length === 0);
});

test('process.exit() with workers that block, poll and send ends the process with its code', async (t) => {
  const stage = new Stage(t);
  const peer = stage.peer('exitWithWorkers');
  assert.equal(await peer.line(), 'leaving');
  assert.equal(await peer.ended(), 7);
  const service = await stage.service();
  assert.deepEqual(service.ports(), []);
  assert.equal(stage.files().filter((name) => name.endsWith('.sock')).length, 1);
});
