// Who finds whom, and who notices whose death: in either order, while event loops stand still, after kill -9, and without inotify.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { bytesOf, event, joined, Stage, text, texts, until } from './nodes.test.helper.js';

/** Starts a process in a user namespace that may have no inotify instance. */
const withoutInotify = {
  wrapper: [
    'unshare',
    ...['--user', '--map-root-user', 'sh', '-c'],
    ...['echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"', 'sh'],
  ],
  /** Why there can be none. */
  refusal(): string | undefined {
    const [command = '', ...words] = this.wrapper;
    const { status, stderr } = spawnSync(command, [...words, 'true'], { encoding: 'utf8' });
    return status === 0 ? undefined : `no user namespace with a limit of its own: ${stderr}`;
  },
};

test('a publisher finds a subscriber of another process that was there before it, and one that comes later', async (t) => {
  const stage = new Stage(t);
  const early = stage.peer('subscribe');
  await early.line();
  const publisher = await (await stage.service()).publisher();
  const late = stage.peer('subscribe');
  await late.line();
  await publisher.connected(2);
  for (const peer of [early, late]) peer.tell('connected');
  for (const peer of [early, late]) assert.equal(await peer.line(), 'connected');
  assert.equal(publisher.sendCopy(bytesOf('hello')), 2);
  for (const peer of [early, late]) {
    peer.tell('next');
    assert.equal(await peer.line(), 'hello');
  }
});

test('a subscriber that polls without a turn of its event loop finds a publisher that comes later', async (t) => {
  const stage = new Stage(t);
  const poller = stage.peer('busyPoll');
  await poller.line();
  const publisher = await (await stage.service()).publisher();
  await publisher.connected();
  publisher.sendCopy(bytesOf('a'));
  assert.equal(await poller.line(), 'a');
  publisher.close();
  const second = await (await stage.service()).publisher();
  await second.connected();
  second.sendCopy(bytesOf('end'));
  assert.equal(await poller.line(), 'end');
  assert.equal(await poller.line(), 'done');
});

test('so does one that always finds another sample', async (t) => {
  const stage = new Stage(t);
  const stop = stage.flag('stop');
  const slow = stage.peer('slowPoll', { settings: { bufferSize: 64 } });
  await slow.line();
  const flood = stage.peer('flood', { stop: stop.path });
  await flood.line();
  const publisher = await (await stage.service()).publisher();
  await publisher.connected();
  publisher.sendCopy(bytesOf('end'));
  assert.equal(await slow.line(), 'end');
  stop.raise();
  assert.match(await flood.line(), /stopped/);
});

for (const where of ['process', 'worker'] as const) {
  test(`a subscriber that blocks in receiveBlocking in a ${where} finds publishers that come and go`, async (t) => {
    const stage = new Stage(t);
    const blocked = where === 'process' ? stage.peer('block') : stage.worker('block');
    await blocked.line();
    for (const word of ['a', 'b', 'end']) {
      const publisher = await (await stage.service()).publisher();
      await publisher.connected();
      publisher.sendCopy(bytesOf(word));
      assert.equal(await blocked.line(), word);
      publisher.close();
    }
  });
}

test('a publisher that only sends is found by a subscriber that comes later, and notices its death', async (t) => {
  const stage = new Stage(t);
  const stop = stage.flag('stop');
  const sender = stage.peer('sendLoop', { stop: stop.path });
  const publisher = await sender.line();
  const service = await stage.service();
  const subscriber = await service.subscriber();
  const sample = await subscriber.next();
  assert.equal(sample.header.node, publisher);
  assert.equal(sample.header.pid, sender.pid);
  const killed = stage.peer('subscribe');
  const node = await killed.line();
  killed.tell('next');
  await killed.line();
  await killed.kill();
  await until(() => stage.filesOf(node).length === 0);
  stop.raise();
  assert.equal(await sender.line(), 'stopped 1');
});

test('kill -9 of a publisher is told at once, also while its samples wait, and its files go', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const events = service.events();
  const subscriber = await service.subscriber();
  const peer = stage.peer('publish');
  const node = await peer.line();
  await subscriber.connected();
  peer.tell('left behind');
  assert.equal(await peer.line(), '1');
  const connected = await event(events, 'connected');
  await peer.kill();
  const lost = await event(events, 'lost');
  assert.deepEqual(lost, { type: 'lost', port: subscriber.port, peer: connected.peer });
  assert.deepEqual([lost.peer.node, lost.peer.pid], [node, peer.pid]);
  assert.deepEqual(subscriber.figures.publishers, []);
  assert.deepEqual(await event(events, 'departed'), { type: 'departed', kind: 'publisher', node, port: 1 });
  await until(() => stage.filesOf(node).length === 0);
  assert.equal(text(subscriber.receive()), 'left behind');
  assert.equal(subscriber.receive(), undefined);
});

test('kill -9 of a subscriber gives its samples back at once, and its files go', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ bufferSize: 2, maxBorrowed: 2 });
  const events = service.events();
  const publisher = await service.publisher();
  const peer = stage.peer('subscribe');
  const node = await peer.line();
  await publisher.connected();
  for (const word of ['a', 'b', 'c']) publisher.sendCopy(bytesOf(word));
  peer.tell('hold');
  await peer.line();
  assert.equal(publisher.figures.usedSlots, 2);
  await peer.kill();
  const lost = await event(events, 'lost');
  assert.equal(lost.peer.node, node);
  assert.equal(publisher.figures.usedSlots, 0);
  assert.deepEqual(publisher.figures.subscribers, []);
  await until(() => stage.filesOf(node).length === 0);
});

test('of all that are connected to a killed process, whoever sees it first removes its files', async (t) => {
  const stage = new Stage(t);
  const survivors = [stage.peer('subscribe'), stage.peer('subscribe'), stage.peer('publish')];
  const nodes = await Promise.all(survivors.map((peer) => peer.line()));
  const victim = stage.peer('holdAll', { subscribers: 3, publishers: 2 });
  const node = await victim.line();
  await victim.kill();
  await until(() => stage.filesOf(node).length === 0);
  assert.ok(nodes.every((other) => stage.filesOf(other).length > 0));
});

test('samples of a killed publisher stay as they are until they are released', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ maxBorrowed: 3 });
  const subscriber = await service.subscriber();
  const peer = stage.peer('publish');
  const node = await peer.line();
  await subscriber.connected();
  for (const word of ['one', 'two', 'three']) peer.tell(word);
  const held = [await subscriber.next(), await subscriber.next()];
  await peer
    .line()
    .then(() => peer.line())
    .then(() => peer.line());
  await peer.kill();
  await until(() => stage.filesOf(node).length === 0);
  held.push(await subscriber.next());
  assert.equal(subscriber.receive(), undefined);
  assert.deepEqual(
    held.map(({ bytes }) => Buffer.from(bytes).toString()),
    ['one', 'two', 'three'],
  );
  assert.deepEqual(
    held.map(({ header }) => [header.node, header.sequence]),
    [1, 2, 3].map((sequence) => [node, sequence]),
  );
  held[0]?.release();
  assert.throws(() => held[0]?.bytes, { code: 'ERR_SEALANE_CLOSED' });
  assert.deepEqual(held.slice(1).map(text), ['two', 'three']);
});

test('a service whose nodes were all killed can be created anew', async (t) => {
  const stage = new Stage(t);
  const peer = stage.peer('publish', { settings: { maxBytes: 10 } });
  await peer.line();
  const node = await stage.node();
  await assert.rejects(node.service('x').createPublishSubscribe(), { code: 'ERR_SEALANE_SERVICE_EXISTS' });
  await peer.kill();
  const service = await node.service('x').createPublishSubscribe({ maxBytes: 20 });
  assert.equal(service.settings.maxBytes, 20);
});

test('two publishers and many subscribers in several processes reach each other', async (t) => {
  const stage = new Stage(t);
  const settings = { maxSubscribers: 16 };
  const service = await stage.service(settings);
  const publishers = [await service.publisher(), await (await stage.service()).publisher()];
  const own = await Promise.all(Array.from({ length: 6 }, () => service.subscriber()));
  const others = [stage.peer('subscribe'), stage.peer('subscribe')];
  for (const peer of others) await peer.line();
  await Promise.all(publishers.map((publisher) => publisher.connected(8)));
  await Promise.all(own.map((subscriber) => subscriber.connected(2)));
  assert.deepEqual(
    publishers.map((publisher, index) => publisher.sendCopy(bytesOf(index))),
    [8, 8],
  );
  for (const subscriber of own) assert.deepEqual(texts(subscriber).sort(), ['0', '1']);
  for (const peer of others) {
    for (let count = 0; count < 2; count++) peer.tell('next');
    assert.deepEqual([await peer.line(), await peer.line()].sort(), ['0', '1']);
  }
});

test('where the user has no inotify instance left, folders are polled, and all find each other', async (t) => {
  const stage = new Stage(t);
  const reason = withoutInotify.refusal();
  if (reason !== undefined) return t.skip(reason);
  const peers = ['busyPoll', 'block', 'subscribe'].map((role) => stage.peer(role, {}, withoutInotify));
  for (const peer of peers) await peer.line();
  const service = await stage.service();
  const publisher = await service.publisher();
  await publisher.connected(3);
  publisher.sendCopy(bytesOf('end'));
  peers[2]?.tell('next');
  for (const peer of peers) assert.equal(await peer.line(), 'end');
});

test('a publisher and a subscriber of one process, in two nodes, connect without a turn of either', async (t) => {
  const stage = new Stage(t);
  const [first, second] = [await stage.service(), await stage.service()];
  const subscriber = await second.subscriber();
  const publisher = await first.publisher();
  while (publisher.figures.subscribers.length === 0 || subscriber.figures.publishers.length === 0) {
    publisher.sendCopy(new Uint8Array(0));
    subscriber.receive()?.release();
  }
  texts(subscriber);
  publisher.sendCopy(bytesOf('b'));
  assert.equal(text(subscriber.receive()), 'b');
  await joined([publisher], [subscriber]);
});
