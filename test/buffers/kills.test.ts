// Publishers that die at the worst of moments, and long runs: what was published arrives, what was not is never seen, and no descriptor is left on either side.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesMetadata } from 'sealane';
import { Domain, encodeDescriptors } from 'sealane/internal';
import { Bait, Impostor } from '../services/impostor.test.helper.js';
import { Stage, until, WorkerPeer } from '../services/nodes.test.helper.js';
import {
  checkMarked,
  descriptorsOpen,
  drain,
  type Mark,
  marksOpen,
  plane,
  sendMarked,
} from './marks.test.helper.js';

const script = '../buffers/peer.test.helper.js';

const MOMENTS = [
  { moment: 'before', what: 'before the descriptors of a frame' },
  { moment: 'behind', what: 'between the descriptors of a frame and its metadata' },
  { moment: 'sent', what: 'behind the metadata of a frame' },
] as const;

for (const pooled of [false, true])
  for (const { moment, what } of MOMENTS)
    test(`a publisher that dies ${what} leaves all frames before that, and nothing else (${pooled ? 'a pool' : 'descriptors'})`, async (t) => {
      const stage = new Stage(t);
      const settings = { bufferSize: 8 };
      const service = await stage.service(settings);
      const subscriber = await service.bufferSubscriber<Mark>({ whenAlone: 'fail' });
      for (const packet of [1, 2, 7]) {
        const turns = packet % 2 === 0;
        const peer = stage.peer('die', { script, settings, pooled, moment, packet, turns });
        assert.equal(await peer.line(), '"connected"');
        assert.equal(await peer.ended(), null);
        assert.equal(peer.child.signalCode, 'SIGKILL');
        // What was sent may still have to come through the control loop.
        const frames = moment === 'sent' ? packet : packet - 1;
        for (let token = 1; token <= frames; token++) {
          using frame = await subscriber.next();
          checkMarked(frame);
          assert.equal(frame.token, token);
          assert.equal(frame.lost, undefined);
        }
        await assert.rejects(subscriber.next(), { code: 'ERR_SEALANE_CONNECTION_LOST' });
        await until(() => marksOpen() === 0);
      }
    });

test('a publisher that dies at any moment of many leaves no descriptor', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const subscriber = await service.bufferSubscriber<Mark>();
  let received = 0;
  for (let round = 0; round < 10; round++) {
    const peer = stage.peer(round % 2 === 0 ? 'send' : 'pool', { script });
    assert.equal(await peer.line(), '"connected"');
    const untilMs = performance.now() + Math.random() * 5;
    while (performance.now() < untilMs) received += drain(subscriber).received.length;
    await peer.kill();
    await until(() => subscriber.figures.publishers.length === 0);
    received += drain(subscriber).received.length;
    assert.equal(subscriber.receive(), undefined);
    await until(() => marksOpen() === 0);
  }
  assert.ok(received > 0);
});

for (const first of ['metadata', 'descriptors'] as const)
  test(`a publisher that sends the ${first} of a frame only, and is gone, is ${first === 'metadata' ? 'found out' : 'forgotten'}`, async (t) => {
    const stage = new Stage(t);
    const service = await stage.service({}, 'stage');
    using impostor = new Impostor(Domain.open({ directory: stage.directory }));
    const subscriber = await service.bufferSubscriber<Uint8Array>({ metadata: bytesMetadata });
    const { socket, request } = await impostor.asked();
    using bait = new Bait(request);
    bait.answer.set([1], 56);
    socket.send(bait.answer, bait.descriptors);
    await subscriber.connected();
    const memfd = plane(1, 1, 0);
    if (first === 'metadata') bait.send(0, 1);
    else socket.send(encodeDescriptors({ token: 1, count: 2 }), [memfd.fd, memfd.fd]);
    memfd.close();
    socket.close();
    if (first === 'metadata')
      await assert.rejects(subscriber.next(), { code: 'ERR_SEALANE_MISSING_DESCRIPTOR', sequence: 1 });
    await until(() => subscriber.figures.publishers.length === 0);
    assert.equal(subscriber.receive(), undefined);
    await until(() => marksOpen() === 0);
  });

test('ten thousand frames leave no descriptor behind, neither here nor in another process', async (t) => {
  const stage = new Stage(t);
  const settings = { bufferSize: 4, overflow: true };
  const service = await stage.service(settings);
  const publisher = await service.bufferPublisher<Mark>();
  const peers = [1, 2].map(() => stage.peer('count', { script, settings }));
  for (const peer of peers) assert.equal(await peer.line(), '"connected"');
  await publisher.connected(2);
  const before = descriptorsOpen();
  let reached = 0;
  for (let frame = 1; frame <= 10_000; frame++) {
    reached += sendMarked(publisher, { sender: 1, frame, planes: 1 + (frame % 4) });
    if (frame % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(descriptorsOpen(), before);
  publisher.close();
  for (const peer of peers) {
    const { frames, lost } = JSON.parse(await peer.line());
    assert.ok(frames > 100, `${frames} were received`);
    assert.ok(frames + lost <= 10_000);
    reached -= frames;
  }
  assert.ok(reached >= 0);
});

test('a thread that ends while it holds frames, and others wait for it, closes them all', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ bufferSize: 4, maxBorrowed: 4 });
  const publisher = await service.bufferPublisher<Mark>();
  for (let round = 0; round < 3; round++) {
    const worker = new WorkerPeer({
      directory: stage.directory,
      service: 'x',
      role: 'hold',
      script,
      settings: { bufferSize: 4, maxBorrowed: 4 },
    });
    assert.equal(await worker.line(), '"connected"');
    for (let frame = 1; frame <= 3; frame++) {
      sendMarked(publisher, { sender: 1, frame, planes: 4 });
      assert.equal(await worker.line(), String(frame));
    }
    assert.equal(marksOpen(), 12);
    for (let frame = 4; frame <= 5; frame++) sendMarked(publisher, { sender: 1, frame, planes: 4 });
    await worker.worker.terminate();
    await until(() => marksOpen() === 0);
    await until(() => publisher.figures.subscribers.length === 0);
  }
});
