// The data path allocates nothing: what the hot tier does a hundred thousand times leaves the heap as it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SampleReceiver, SampleSender } from 'sealane';
import { Stage } from './nodes.test.helper.js';

const ROUNDS = 100_000;
/** Half of what the smallest object of V8 takes, a round: one that allocates is far beyond. */
const MOST_BYTES = 8 * ROUNDS;

function rounds(count: number, sender: SampleSender, receiver: SampleReceiver): void {
  for (let index = 0; index < count; index++) {
    const loan = sender.loan(64);
    loan.bytes[0] = index;
    loan.send();
    const sample = receiver.receive();
    if (sample?.bytes[0] !== (index & 0xff)) throw new Error(`round ${index} got another sample`);
    sample.release();
  }
}

for (const timestamps of [true, false]) {
  test(`the hot tier allocates nothing ${timestamps ? 'with' : 'without'} timestamps`, async (t) => {
    const service = await new Stage(t).service({ maxBytes: 64 });
    const publisher = await service.publisher({ timestamps });
    const subscriber = await service.subscriber();
    await subscriber.connected();
    rounds(ROUNDS, publisher.hot, subscriber.hot);
    const before = process.memoryUsage().heapUsed;
    rounds(ROUNDS, publisher.hot, subscriber.hot);
    const grown = process.memoryUsage().heapUsed - before;
    assert(grown < MOST_BYTES, `${grown} bytes in ${ROUNDS} rounds`);
  });
}

test('notifying and draining allocate nothing', async (t) => {
  const stage = new Stage(t);
  const services = [await stage.node(), await stage.node()].map((node) => node.service('events').event());
  const [here, there] = [await services[0], await services[1]];
  assert(here !== undefined && there !== undefined);
  const [notifier, listener] = [await here.notifier(), await there.listener()];
  await listener.connected();
  let sum = 0;
  const count = (_id: number, times: number) => {
    sum += times;
  };
  const work = () => {
    for (let index = 0; index < ROUNDS; index++) {
      notifier.notify(index & 1_023);
      notifier.notifyOne(5);
      listener.drain(count);
    }
  };
  work();
  const before = process.memoryUsage().heapUsed;
  work();
  const grown = process.memoryUsage().heapUsed - before;
  assert(grown < MOST_BYTES, `${grown} bytes in ${ROUNDS} rounds`);
  assert.equal(sum, 4 * ROUNDS);
});
