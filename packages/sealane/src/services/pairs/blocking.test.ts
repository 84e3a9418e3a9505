/** Waiting for a sample with the thread blocked: how long it looks, when it sleeps, and what it serves meanwhile. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isSealaneError } from '../../base/errors.js';
import { PortFigures } from '../../shm/figures.js';
import { FIGURES_KIND_SUBSCRIBER } from '../../shm/layout.js';
import { freshDirectory } from '../domain/domain.test.helper.js';
import { Node } from '../node.js';
import { SubscriberPort } from '../samples/subscriber-port.js';
import { ControlLoop } from './control.js';

/** Thrown in place of a sleep, which it would never end. */
class Asleep extends Error {}

/** Looks, as any; does not sleep. */
class Sleepless extends ControlLoop {
  override wait(ms: number): void {
    if (ms > 0) throw new Asleep();
    super.wait(ms);
  }
}

/** Nobody is told of anything. */
const deaf = { onGone: () => undefined, onMissed: () => undefined };

/** A port without publishers that tells when it would sleep. */
function lonelyPort(): { readonly port: SubscriberPort; readonly loop: ControlLoop } {
  const loop = new Sleepless();
  const figures = new PortFigures({ kind: FIGURES_KIND_SUBSCRIBER, port: 1, rows: 1, latencies: true });
  return { port: new SubscriberPort({ maxBorrowed: 1, loop, figures, ...deaf }), loop };
}

test('a subscriber sleeps when it has looked for as long as it was told', () => {
  const { port, loop } = lonelyPort();
  for (const spinMs of [0, 0.02, 5]) {
    const began = performance.now();
    assert.throws(() => port.receiveBlocking(Number.POSITIVE_INFINITY, spinMs), Asleep);
    assert.ok(performance.now() - began >= spinMs);
  }
  port.close();
  loop.close();
});

test('a subscriber that looks for all of its time does not sleep, and does not look for longer', () => {
  const { port, loop } = lonelyPort();
  const began = performance.now();
  assert.equal(port.receiveBlocking(20, Number.POSITIVE_INFINITY), undefined);
  assert.ok(performance.now() - began >= 20);
  assert.equal(port.receiveBlocking(0, 0), undefined);
  port.close();
  loop.close();
});

const PUBLISHER = `
const { parentPort, workerData } = require('node:worker_threads');
import(workerData.module).then(async ({ Node }) => {
  const node = await Node.create({ name: 'publisher', directory: workerData.directory });
  const service = await node.service('x').publishSubscribe();
  const publisher = await service.publisher();
  await publisher.connected();
  publisher.sendCopy(new Uint8Array([7]));
  await require('node:events').once(parentPort, 'message');
  node.close();
});
`;

for (const spinMs of [0, Number.POSITIVE_INFINITY]) {
  test(`a thread that waits with spinMs ${spinMs} is connected meanwhile, and receives what is sent`, async (t) => {
    const directory = freshDirectory(t);
    await using node = await Node.create({ name: 'subscriber', directory });
    const service = await node.service('x').publishSubscribe();
    const subscriber = await service.subscriber();
    const module = new URL('../index.js', import.meta.url).href;
    const worker = new Worker(PUBLISHER, { eval: true, workerData: { directory, module } });
    const sample = subscriber.receiveBlocking({ spinMs });
    assert.deepEqual([...(sample?.bytes ?? [])], [7]);
    sample?.release();
    worker.postMessage('end');
    await once(worker, 'exit');
  });
}

test('a time that is none is refused', async (t) => {
  await using node = await Node.create({ name: 'subscriber', directory: freshDirectory(t) });
  const subscriber = await (await node.service('x').publishSubscribe()).subscriber();
  for (const wrong of [-1, Number.NaN, '1'] as number[]) {
    for (const options of [{ timeoutMs: wrong }, { spinMs: wrong }]) {
      const refused = (error: unknown) => isSealaneError(error, 'ERR_SEALANE_INVALID_ARGUMENT');
      assert.throws(() => subscriber.receiveBlocking(options), refused);
    }
  }
});
