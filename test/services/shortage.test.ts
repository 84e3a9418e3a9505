// What happens when descriptors run out: whoever lacks them waits without using a processor, goes on when there are some, and leaks none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Node } from 'sealane';
import { ownDescriptors, Stage } from './nodes.test.helper.js';

const fewDescriptors = { wrapper: ['sh', '-c', 'ulimit -n 400; exec "$@"', 'sh'] };

test('a node without a descriptor to accept with does not keep a processor busy, and accepts once there is one', async (t) => {
  const stage = new Stage(t);
  const peer = stage.peer('exhausted', { left: 0 }, fewDescriptors);
  await peer.line();
  const subscriber = await (await stage.service()).subscriber();
  peer.tell('measure');
  const share = Number(await peer.line());
  assert.ok(share < 0.5, `it used ${share} of a processor`);
  assert.equal(subscriber.figures.publishers.length, 0);
  peer.tell('go on');
  await subscriber.connected();
});

test('a thread that only sends accepts again too, once it has descriptors', async (t) => {
  const stage = new Stage(t);
  const [relieve, stop] = [stage.flag('relieve'), stage.flag('stop')];
  const peer = stage.peer('sendStarved', { relieve: relieve.path, stop: stop.path }, fewDescriptors);
  await peer.line();
  const subscriber = await (await stage.service()).subscriber();
  relieve.raise();
  await subscriber.connected();
  stop.raise();
});

test('a subscriber without descriptors for the memory of a publisher is told so, and connects once it has some', async (t) => {
  const stage = new Stage(t);
  const peer = stage.peer('starvedSubscriber', {}, fewDescriptors);
  await peer.line();
  const publisher = await (await stage.service()).publisher();
  assert.equal(await peer.line(), 'ERR_SEALANE_EXHAUSTED');
  peer.tell('go on');
  assert.equal(await peer.line(), 'connected');
  await publisher.connected();
});

test('a node that can not be made leaves no descriptor and nothing that keeps the event loop alive', async (t) => {
  const stage = new Stage(t);
  await stage.node();
  const [before, alive] = [ownDescriptors(), process.getActiveResourcesInfo().length];
  const { directory } = stage;
  const wrong = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
  await assert.rejects(Node.create({ name: 'x'.repeat(257), directory }), wrong);
  await assert.rejects(Node.create({ name: 'x', directory, attributes: { key: '\ud800' } }), wrong);
  assert.deepEqual(ownDescriptors(), before);
  assert.equal(process.getActiveResourcesInfo().length, alive);
});
