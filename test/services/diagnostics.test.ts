// What services tell diagnostics: connections made, ended and refused, samples lost, peers that can't be had; beside real processes.
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type TestContext, test } from 'node:test';
import type { DegradedMessage, DisconnectedMessage, LostMessage, RefusedMessage } from 'sealane';
import { Liar } from './liar.test.helper.js';
import { bytesOf, joined, Stage, texts, until } from './nodes.test.helper.js';
import { Stage as LiarStage } from './stage.test.helper.js';

/** All that is told on a channel while the test runs. */
function listen<T>(t: TestContext, name: string): T[] {
  const messages: T[] = [];
  const add = (message: unknown) => void messages.push(message as T);
  subscribe(`sealane:${name}`, add);
  t.after(() => unsubscribe(`sealane:${name}`, add));
  return messages;
}

const DEBUG = { wrapper: ['env', 'NODE_DEBUG=sealane'] };

test('a connection is told when it is made and when the peer is killed, on both sides', async (t) => {
  const stage = new Stage(t);
  const [connected, disconnected] = [listen(t, 'connected'), listen(t, 'disconnected')];
  const node = await stage.node();
  const service = await node.service('x').publishSubscribe();
  const subscriber = await service.subscriber();
  const peer = stage.peer('publish', {}, DEBUG);
  const publisherNode = await peer.line();
  await subscriber.connected();
  const own = { part: 'services', service: 'x', node: node.id, kind: 'subscriber', port: subscriber.port };
  const message = { ...own, peer: { node: publisherNode, port: 1, pid: peer.pid } };
  assert.deepEqual(connected, [message]);
  peer.tell('connected');
  assert.equal(await peer.line(), 'connected');
  const theirs = `SEALANE ${peer.pid}: connected part=services service=x node=${publisherNode} kind=publisher port=1`;
  const ours = `peer.node=${node.id} peer.port=${subscriber.port} peer.pid=${process.pid}`;
  await until(() => peer.errors.length > 0);
  assert.deepEqual(peer.errors, [`${theirs} ${ours}`]);
  await peer.kill();
  await until(() => disconnected.length > 0);
  assert.deepEqual(disconnected, [message]);
  assert.equal(connected.length, 1);
});

test('a peer that lies is told of with its error', async (t) => {
  const stage = await LiarStage.make(t);
  const disconnected = listen<DisconnectedMessage>(t, 'disconnected');
  using liar = await Liar.connect(stage);
  liar.socket.send(new Uint8Array(100));
  await stage.workUntil('the lie is told of', () => disconnected.length > 0);
  const [message] = disconnected;
  assert.ok(message?.part === 'services' && message.kind === 'publisher');
  assert.equal(message.error?.code, 'ERR_SEALANE_PROTOCOL');
  assert.match(message.error?.message ?? '', /a packet that is no wake-up/);
});

test('a request that is none is told as refused, with who the kernel says sent it', async (t) => {
  const stage = await LiarStage.make(t);
  const refused = listen<RefusedMessage>(t, 'refused');
  await assert.rejects(Liar.connect(stage, { bufferSize: 60_000 }));
  const peer = { pid: process.pid, uid: process.geteuid?.() };
  const text = 'it asks for more than the service allows';
  const { id: node } = stage.publisherNode;
  assert.deepEqual(refused, [{ part: 'services', node, peer, reason: 'bad-request', text }]);
});

test('samples that gave way are told by the publisher, and found missing by the subscriber, in lumps', async (t) => {
  const stage = new Stage(t);
  const lost = listen<LostMessage>(t, 'lost');
  const service = await stage.service();
  const [publisher, subscriber] = [await service.publisher(), await service.subscriber()];
  await joined([publisher], [subscriber]);
  for (let count = 0; count < 1_000; count++) publisher.sendCopy(bytesOf(count));
  assert.equal(lost.length, 0, 'not in the middle of a send');
  await until(() => lost.length > 0);
  const [first] = lost.splice(0);
  const expected = publisher.figures.subscribers[0]?.lost;
  assert.deepEqual([first?.kind, first?.port, first?.samples], ['publisher', publisher.port, expected]);
  assert.equal(expected, 996);
  assert.equal(texts(subscriber).length, 4);
  await until(() => lost.length > 0);
  assert.deepEqual(
    lost.map(({ kind, port, peer, samples }) => [kind, port, peer.port, samples]),
    [['subscriber', subscriber.port, publisher.port, 996]],
  );
  publisher.sendCopy(bytesOf('x'));
  for (let count = 0; count < 5; count++) publisher.sendCopy(bytesOf(count));
  subscriber.close();
  assert.equal(lost.at(-1)?.samples, 2, 'what is untold is told before the connection is over');
});

test('samples that are dropped are told, also by a thread whose event loop does not turn', async (t) => {
  const stage = new Stage(t);
  const lost = listen<LostMessage>(t, 'lost');
  const service = await stage.service({ overflow: false });
  const publisher = await service.publisher({ whenFull: 'drop' });
  const subscriber = await service.subscriber();
  await joined([publisher], [subscriber]);
  let sent = 0;
  while (lost.length === 0) sent += 1 - publisher.sendCopy(bytesOf('x'));
  assert.ok((lost[0]?.samples ?? 0) > 0 && (lost[0]?.samples ?? 0) <= sent);
  await until(() => lost.reduce((sum, { samples }) => sum + samples, 0) === sent);
});

test('a subscriber without descriptors tells that it is degraded, and so does a node that can admit nobody', async (t) => {
  const stage = new Stage(t);
  const degraded = listen<DegradedMessage>(t, 'degraded');
  const few = { wrapper: ['sh', '-c', 'ulimit -n 400; NODE_DEBUG=sealane exec "$@"', 'sh'] };
  const peer = stage.peer('starvedSubscriber', {}, few);
  const node = await peer.line();
  const publisher = await (await stage.service()).publisher();
  assert.equal(await peer.line(), 'ERR_SEALANE_EXHAUSTED');
  const told = new RegExp(
    `^SEALANE \\d+: degraded .* node=${node} kind=subscriber .* error=ERR_SEALANE_EXHAUSTED`,
  );
  await until(() => peer.errors.some((line) => told.test(line)));
  peer.tell('go on');
  assert.equal(await peer.line(), 'connected');
  await publisher.connected();
  const exhausted = stage.peer('exhausted', { left: 0, service: 'y' }, few);
  const full = await exhausted.line();
  const subscriber = await (await stage.service({}, 'y')).subscriber();
  const own = new RegExp(`degraded part=services node=${full} error=ERR_SEALANE_EXHAUSTED`);
  await until(() => exhausted.errors.some((line) => own.test(line)));
  exhausted.tell('go on');
  await subscriber.connected();
  assert.equal(exhausted.errors.filter((line) => own.test(line)).length, 1, 'told once');
  assert.deepEqual(degraded, []);
});

test('a listener may close the port that it is told of', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const [publisher, subscriber] = [await service.publisher(), await service.subscriber()];
  const close = () => subscriber.close();
  subscribe('sealane:connected', close);
  t.after(() => unsubscribe('sealane:connected', close));
  await until(() => subscriber.closed && publisher.figures.subscribers.length === 0);
  assert.equal(publisher.sendCopy(bytesOf('x')), 0);
});

test('a listener may close the node that can admit nobody', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const peer = stage.peer(
    'closeWhenExhausted',
    {},
    {
      wrapper: ['sh', '-c', 'ulimit -n 400; exec "$@"', 'sh'],
    },
  );
  await peer.line();
  await service.subscriber();
  assert.equal(await peer.ended(), 0);
});
