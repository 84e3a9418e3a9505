/** What a publisher sent before it ended is received, to the last sample, and then its memory is given back. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Node, type PubSubService, type ServiceOptions } from 'sealane';
import { holdings } from './kernel.test.helper.js';
import { Stage, text } from './nodes.test.helper.js';

async function freshService(
  t: TestContext,
  settings: ServiceOptions = {},
): Promise<{ ours: PubSubService; theirs: PubSubService }> {
  const directory = mkdtempSync(join(tmpdir(), 'sealane-'));
  const nodes = [await Node.create({ name: 'a', directory }), await Node.create({ name: 'b', directory })];
  t.after(() => {
    for (const node of nodes) node.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const [ours, theirs] = await Promise.all(nodes.map((node) => node.service('s').publishSubscribe(settings)));
  assert.ok(ours !== undefined && theirs !== undefined);
  return { ours, theirs };
}

for (const release of ['at once', 'at the end'] as const)
  test(`samples of a publisher that has ended are received and released ${release}`, async (t) => {
    const { ours, theirs } = await freshService(t);
    const subscriber = await ours.subscriber();
    const publisher = await theirs.publisher();
    await publisher.connected();
    await subscriber.connected();
    for (const byte of [1, 2, 3]) publisher.sendCopy(Uint8Array.of(byte));
    const lost = ours.events();
    publisher.close();
    const held = [];
    for (const byte of [1, 2, 3]) {
      const sample = await subscriber.next();
      assert.equal(sample.bytes[0], byte);
      if (release === 'at once') sample.release();
      else held.push(sample);
    }
    assert.equal(subscriber.receive(), undefined);
    for await (const event of lost) if (event.type === 'lost') break;
    assert.equal(subscriber.receive(), undefined);
    assert.equal(subscriber.figures.publishers.length, 0);
    for (const sample of held) sample.release();
    assert.equal(subscriber.receive(), undefined);
    const { slotMappings, controlMappings } = holdings();
    assert.deepEqual({ slotMappings, controlMappings }, { slotMappings: 0, controlMappings: 0 });
  });

test('a subscriber that learns of the end first receives all the same', async (t) => {
  const { ours, theirs } = await freshService(t);
  const subscriber = await ours.subscriber();
  const publisher = await theirs.publisher();
  await publisher.connected();
  await subscriber.connected();
  for (const byte of [1, 2, 3]) publisher.sendCopy(Uint8Array.of(byte));
  const following = ours.events();
  publisher.close();
  for await (const event of following) if (event.type === 'departed') break;
  await new Promise((resolve) => setImmediate(resolve));
  for (const byte of [1, 2, 3]) {
    const sample = subscriber.receive();
    assert.equal(sample?.bytes[0], byte);
    sample?.release();
  }
  assert.equal(subscriber.receive(), undefined);
  assert.equal(subscriber.figures.publishers.length, 0);
});

test('what a publisher sent is received although it ended while it waited for room', async (t) => {
  const { ours, theirs } = await freshService(t, { bufferSize: 1, overflow: false });
  const subscriber = await ours.subscriber();
  const publisher = await theirs.publisher();
  await publisher.connected();
  await subscriber.connected();
  publisher.sendCopy(Uint8Array.of(1));
  const waiting = assert.rejects(publisher.hot.loan(1).sendAsync(), { code: 'ERR_SEALANE_CLOSED' });
  const following = ours.events();
  publisher.close();
  await waiting;
  for await (const event of following) if (event.type === 'departed') break;
  await new Promise((resolve) => setImmediate(resolve));
  using sample = subscriber.receive();
  assert.equal(sample?.bytes[0], 1);
});

test('samples that are held when their subscriber is closed end with it, and their release does nothing', async (t) => {
  const { ours, theirs } = await freshService(t);
  const subscriber = await ours.subscriber();
  const publisher = await theirs.publisher();
  await publisher.connected();
  await subscriber.connected();
  publisher.sendCopy(Uint8Array.of(1));
  publisher.sendCopy(Uint8Array.of(2, 2));
  const [checked, hot] = [await subscriber.next(), subscriber.hot.receive()];
  subscriber.close();
  for (const sample of [checked, hot]) {
    assert.throws(() => sample?.bytes, { code: 'ERR_SEALANE_CLOSED' });
    assert.throws(() => sample?.userHeader, { code: 'ERR_SEALANE_CLOSED' });
    assert.throws(() => sample?.header, { code: 'ERR_SEALANE_CLOSED' });
    sample?.release();
  }
  assert.equal(subscriber.figures.borrowed, 0);
});

for (const action of ['wait', 'drop', 'retry'] as const)
  test(`a publisher that its own handler closes and that then is to ${action} reaches nobody any more`, async (t) => {
    const { ours, theirs } = await freshService(t, { bufferSize: 1, overflow: false });
    const subscriber = await ours.subscriber();
    const closing = () => {
      publisher.close();
      return action;
    };
    const publisher = await theirs.publisher({ whenFull: closing });
    await publisher.connected();
    await subscriber.connected();
    publisher.sendCopy(Uint8Array.of(1));
    assert.equal(await publisher.loan(1).sendAsync(), 0);
    assert.throws(() => publisher.loan(1), { code: 'ERR_SEALANE_CLOSED' });
    assert.equal((await subscriber.next()).bytes[0], 1);
  });

test('a publisher that was asked for a connection, sent and left before its answer is read, is received all the same', async (t) => {
  const stage = new Stage(t);
  const peer = stage.peer('sendAndLeave');
  await peer.line();
  const service = await stage.service();
  const subscriber = await service.subscriber();
  // The event loop does not turn from the request until the publisher's file is gone.
  while (service.ports().some(({ kind }) => kind === 'publisher'))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  assert.equal(text(await subscriber.next()), 'sent');
});
