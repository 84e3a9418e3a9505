// Processes that die, sockets that are gone, and users without descriptors: frames stay with their descriptors, buffers come back, nothing is left.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Peer, Stage, until } from '../services/nodes.test.helper.js';
import { checkMarked, drain, type Mark, marksOpen, plane, sendMarked } from './marks.test.helper.js';

const script = '../buffers/peer.test.helper.js';

for (const role of ['send', 'pool'] as const)
  test(`a publisher that is killed at any moment leaves no descriptor, and no frame with another's (${role})`, async (t) => {
    const stage = new Stage(t);
    const subscriber = await (await stage.service()).bufferSubscriber<Mark>();
    for (let round = 1; round <= 8; round++) {
      const peer = stage.peer(role, { script });
      assert.equal(await peer.line(), '"connected"');
      for (let received = 0; received < round * 5; received++) {
        using frame = await subscriber.next();
        checkMarked(frame);
      }
      await peer.kill();
      await until(() => subscriber.figures.publishers.length === 0);
      drain(subscriber);
      assert.equal(subscriber.receive(), undefined);
      await until(() => marksOpen() === 0);
    }
  });

test('a subscriber that is killed while it holds frames of a pool gives them back', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ overflow: false });
  const memfds = [0, 1].map((index) => plane(1, index, 0));
  const pool = await service.bufferPool<Mark>(memfds.map(({ fd }) => fd));
  for (let round = 0; round < 3; round++) {
    const peer = stage.peer('hold', { script, settings: { overflow: false } });
    assert.equal(await peer.line(), '"connected"');
    for (const held of [1, 2]) {
      const buffer = pool.acquire();
      assert.equal(buffer?.send({ sender: 1, frame: buffer.index, planes: 1 }), 1);
      assert.equal(await peer.line(), String(held));
    }
    assert.equal(pool.acquire(), undefined, 'it holds all');
    await peer.kill();
    await until(() => pool.figures.usedSlots === 0);
  }
  pool.close();
  for (const memfd of memfds) memfd.close();
  await until(() => marksOpen() === 0);
});

test('a subscriber that is stopped, or gone, keeps no publisher waiting', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const publisher = await service.bufferPublisher<Mark>();
  const peer = stage.peer('hold', { script });
  assert.equal(await peer.line(), '"connected"');
  peer.child.kill('SIGSTOP');
  for (let frame = 1; frame <= 1_000; frame++) sendMarked(publisher, { sender: 1, frame, planes: 4 });
  assert.equal(marksOpen(), 0);
  assert.ok((publisher.figures.subscribers[0]?.lost ?? 0) > 900);
  await peer.kill();
  await until(() => publisher.figures.subscribers.length === 0);
  assert.equal(sendMarked(publisher, { sender: 1, frame: 1, planes: 4 }), 0);
});

test('where the socket of a node is gone, pairs go on, and nobody new connects', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const publisher = await service.bufferPublisher<Mark>();
  const subscriber = await service.bufferSubscriber<Mark>();
  await publisher.connected();
  await subscriber.connected();
  const nodes = join(stage.directory, 'domains', 'default', 'nodes');
  for (const name of readdirSync(nodes)) if (name.endsWith('.sock')) rmSync(join(nodes, name));
  const late = await service.bufferSubscriber<Mark>();
  sendMarked(publisher, { sender: 1, frame: 1, planes: 2 });
  assert.deepEqual(drain(subscriber).received, [1]);
  assert.deepEqual(late.figures.publishers, []);
  await until(() => marksOpen() === 0);
});

test('a service that is gone is an error for whoever opens it', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  const service = await node.service('gone').publishSubscribe();
  const publisher = await service.bufferPublisher<Mark>();
  service.close();
  assert.throws(() => publisher.send({ sender: 1, frame: 1, planes: 1 }, 0), { code: 'ERR_SEALANE_CLOSED' });
  await assert.rejects(node.service('gone').openPublishSubscribe(), { code: 'ERR_SEALANE_NO_SERVICE' });
});

test('where this user may have no more descriptors under way, a frame is lost and told of, and the next ones arrive', async (t) => {
  // The count is by user and root is exempt, so root becomes a user that nothing else runs as.
  const id = 20_000 + (process.pid % 40_000);
  const directory = mkdtempSync(join(tmpdir(), 'sealane-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o777);
  const user =
    process.geteuid?.() === 0 ? ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups'] : [];
  const wrapper = ['sh', '-c', 'ulimit -n 400; exec "$@"', 'sh', ...user];
  const peer = new Peer(
    { directory: join(directory, 'own'), role: 'crowd', service: 'x', script },
    { wrapper },
  );
  t.after(() => peer.kill());
  assert.deepEqual(JSON.parse(await peer.line()), {
    before: 1,
    during: 0,
    after: 1,
    first: 1,
    lost: 2,
    all: true,
  });
});
