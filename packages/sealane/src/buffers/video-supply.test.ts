// A supply of empty buffers, with a real pool and a device that only notes what it is given: the cameras are in test/vm.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Memfd } from '../os/index.js';
import { Node } from '../services/node.js';
import './service.js';
import type { FrameMetadata } from './frame-metadata.js';
import { type FramePool, Supply } from './video-supply.js';

const COUNT = 4;
const AHEAD = 3;

const metadata = { width: 1, height: 1 } as FrameMetadata;

class Device {
  closed = false;
  stopped = 0;
  readonly queued: number[] = [];

  queue(index: number): void {
    this.queued.push(index);
  }

  stop(): void {
    this.stopped += 1;
  }
}

/** A pool of four buffers, a subscriber that has what is sent, and the supply of a device from it. */
async function stage(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'sealane-'));
  const node = await Node.create({ name: 'camera', directory });
  const memfds = Array.from({ length: COUNT }, () => Memfd.sealed('plane', Uint8Array.of(1)));
  t.after(() => {
    node.close();
    for (const memfd of memfds) memfd.close();
    rmSync(directory, { recursive: true });
  });
  const service = await node
    .service('pictures')
    .publishSubscribe({ overflow: false, bufferSize: COUNT, maxBorrowed: COUNT });
  const pool = await service.bufferPool<FrameMetadata>(memfds.map(({ fd }) => fd));
  const subscriber = await service.bufferSubscriber<FrameMetadata>();
  await subscriber.connected();
  const device = new Device();
  return { pool, subscriber, device, ...supplyOf(pool, device) };
}

function supplyOf(pool: FramePool, device: Device) {
  const came: { times: number; next: () => void } = { times: 0, next: () => undefined };
  const onCome = () => {
    came.times += 1;
    came.next();
  };
  const supply = new Supply({ filler: device, pool, count: COUNT, ahead: AHEAD, onCome });
  const coming = () =>
    new Promise<void>((resolve) => {
      came.next = resolve;
    });
  return { supply, came, coming };
}

test('a device has as many empty buffers as it should, and the next one as soon as a receiver gives it back', async (t) => {
  const { pool, subscriber, device, supply, coming, came } = await stage(t);
  assert.equal(supply.none, true);
  supply.fill();
  assert.deepEqual([device.queued, supply.none], [[0, 1, 2], false]);
  for (const index of [0, 1, 2]) await supply.take(index).sendAsync(metadata, {});
  assert.equal(supply.none, true);
  supply.fill();
  supply.fill();
  assert.deepEqual([device.queued, came.times], [[0, 1, 2, 3], 0], 'it waits once');
  const [first, second] = [await subscriber.next(), await subscriber.next()];
  const next = coming();
  second.release();
  await next;
  assert.deepEqual(device.queued.slice(4), [1]);
  supply.fill();
  first.release();
  await coming();
  assert.deepEqual(device.queued.slice(5), [0]);
  supply.end();
  assert.equal(device.stopped, 1);
  assert.deepEqual(
    [pool.acquire(), pool.acquire(), pool.acquire()].map((buffer) => buffer !== undefined),
    [true, true, true],
  );
  assert.equal(pool.acquire(), undefined, 'the subscriber has one');
});

test('a wait that the end of the supply finds leaves the buffer with the pool, whichever is first', async (t) => {
  const { pool, device, supply, came } = await stage(t);
  const all = Array.from({ length: COUNT }, () => pool.acquire());
  supply.fill();
  all[0]?.release();
  supply.end();
  supply.end();
  for (const buffer of all) buffer?.release();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([device.queued, came.times, pool.figures.usedSlots], [[], 0, 0]);
});

test('what goes wrong while it waits is told with the next look: a pool that closes, or gives out what it has not', async (t) => {
  const { pool, supply, coming } = await stage(t);
  for (let index = 0; index < COUNT; index++) pool.acquire();
  supply.fill();
  const next = coming();
  pool.close();
  await next;
  assert.throws(() => supply.fill(), { code: 'ERR_SEALANE_CLOSED' });
  const released: number[] = [];
  const foreign = { index: COUNT, sendAsync: async () => 1, release: () => released.push(COUNT) };
  const wrong = supplyOf({ acquire: () => undefined, acquireAsync: async () => foreign }, new Device());
  wrong.supply.fill();
  await wrong.coming();
  assert.throws(() => wrong.supply.fill(), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  assert.deepEqual(released, [COUNT]);
});

test('a device that says it filled a buffer which it did not have lies', async (t) => {
  const { supply } = await stage(t);
  assert.throws(() => supply.take(0), { code: 'ERR_SEALANE_PROTOCOL' });
});
