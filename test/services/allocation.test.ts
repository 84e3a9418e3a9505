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
