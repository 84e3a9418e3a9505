// Subscribers of buffers in a WaitSet: a thread that does nothing but wait gets frames, errors and ends as it gets samples.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type BufferSubscriber, type BufferSubscriberOptions, WaitSet } from 'sealane';
import { Stage } from '../services/nodes.test.helper.js';
import { checkMarked, type Mark, plane, sendMarked } from './marks.test.helper.js';

const script = '../buffers/peer.test.helper.js';

/** A publisher and a subscriber of this thread, each in a node of its own. */
async function pair(t: TestContext, options: BufferSubscriberOptions<Mark> = {}) {
  const stage = new Stage(t);
  const publisher = await (await stage.service()).bufferPublisher<Mark>();
  const subscriber = await (await stage.service()).bufferSubscriber<Mark>(options);
  await publisher.connected();
  await subscriber.connected();
  return { publisher, subscriber };
}

/** Takes one frame, and checks it. */
function receiveOne(subscriber: BufferSubscriber<Mark>): number {
  using frame = subscriber.receive();
  assert.ok(frame !== undefined);
  checkMarked(frame);
  return frame.token;
}

test('publishers and pools of other processes send to a thread that only waits, with each port reported for its own', async (t) => {
  const stage = new Stage(t);
  const roles = ['send', 'pool'] as const;
  const ports = [];
  for (const service of roles) ports.push(await (await stage.service({}, service)).bufferSubscriber<Mark>());
  using set = new WaitSet();
  const received = new Map(ports.map((port) => [set.attach(port), { port, frames: 0 }]));
  for (const role of roles) stage.peer(role, { script, service: role });
  set.run(({ type, attachment }) => {
    assert.equal(type, 'port');
    const got = received.get(attachment);
    assert.ok(got !== undefined);
    receiveOne(got.port);
    got.frames += 1;
    if (got.frames === 200) attachment.detach();
  });
  assert.deepEqual(
    [...received.values()].map(({ frames }) => frames),
    [200, 200],
  );
});

test('a frame is reported at once and only once; left unread, again after a while', async (t) => {
  const { publisher, subscriber } = await pair(t);
  using set = new WaitSet();
  const attachment = set.attach(subscriber, { name: 'frames' });
  assert.deepEqual(set.wait({ timeoutMs: 0 }), []);
  for (let frame = 1; frame <= 3; frame++) {
    sendMarked(publisher, { sender: 1, frame, planes: 2 });
    assert.deepEqual(set.wait(), [{ type: 'port', attachment, unread: false }]);
    assert.equal(receiveOne(subscriber), frame);
    assert.deepEqual(set.wait({ timeoutMs: 0 }), []);
  }
  sendMarked(publisher, { sender: 1, frame: 4, planes: 2 });
  assert.deepEqual(set.wait(), [{ type: 'port', attachment, unread: false }]);
  assert.deepEqual(set.wait(), [{ type: 'port', attachment, unread: true }]);
  assert.equal(receiveOne(subscriber), 4);
});

test('the end of the last publisher is reported where receiving fails of it, once', async (t) => {
  const { publisher, subscriber } = await pair(t, { whenAlone: 'fail' });
  using set = new WaitSet();
  const attachment = set.attach(subscriber);
  sendMarked(publisher, { sender: 1, frame: 1, planes: 1 });
  publisher.close();
  assert.deepEqual(set.wait(), [{ type: 'port', attachment, unread: false }]);
  assert.equal(receiveOne(subscriber), 1);
  assert.deepEqual(set.wait(), [{ type: 'port', attachment, unread: false }]);
  assert.throws(() => subscriber.receive(), { code: 'ERR_SEALANE_CONNECTION_LOST' });
  assert.deepEqual(set.wait({ timeoutMs: 150 }), []);
});

test('frames that are not allowed are reported as others, and each is told with its token', async (t) => {
  const { publisher, subscriber } = await pair(t, { allow: 'dma-buf' });
  using set = new WaitSet();
  const attachment = set.attach(subscriber);
  const memfd = plane(1, 1, 0);
  for (let sequence = 1; sequence <= 3; sequence++) {
    publisher.send({ sender: 1, frame: 1, planes: 1 }, memfd.fd);
    assert.deepEqual(set.wait(), [{ type: 'port', attachment, unread: false }]);
    assert.throws(() => subscriber.receive(), { code: 'ERR_SEALANE_WRONG_DESCRIPTOR', sequence });
  }
  memfd.close();
});

test('a deadline passes while no frame comes, and a subscriber that is closed is reported and detached', async (t) => {
  const { publisher, subscriber } = await pair(t);
  using set = new WaitSet();
  const attachment = set.attachDeadline(subscriber, 20);
  assert.deepEqual(
    set.wait().map(({ type }) => type),
    ['deadline'],
  );
  sendMarked(publisher, { sender: 1, frame: 1, planes: 1 });
  assert.deepEqual(set.wait(), [{ type: 'port', attachment, unread: false }]);
  subscriber.close();
  assert.deepEqual(set.wait(), [{ type: 'closed', attachment }]);
  assert.deepEqual([attachment.attached, set.size], [false, 0]);
  assert.throws(() => set.attach(subscriber), { code: 'ERR_SEALANE_CLOSED' });
});

test('what sends can not be waited for', async (t) => {
  const { publisher } = await pair(t);
  using set = new WaitSet();
  const port = publisher as unknown as BufferSubscriber<Mark>;
  assert.throws(() => set.attach(port), { code: 'ERR_SEALANE_INVALID_ARGUMENT', message: /port/ });
});
