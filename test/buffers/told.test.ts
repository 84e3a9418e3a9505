// In the middle of a send others may have their turn: listeners of diagnostics, and whoever waits for the same subscriber. They may close the
// publisher, and what they send does not overtake.
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type TestContext, test } from 'node:test';
import { BufferMemory, type BufferPublisher, type ServiceOptions } from 'sealane';
import { Domain } from 'sealane/internal';
import { Liar } from '../services/liar.test.helper.js';
import { Stage } from '../services/nodes.test.helper.js';

type Meta = { readonly frame: number };

const SETTINGS: ServiceOptions = { bufferSize: 4, maxBorrowed: 2 };

/** A publisher of buffers, a subscriber, and before that one a liar, which is found out at the next send. */
async function deceived(t: TestContext, overflow: boolean) {
  const stage = new Stage(t);
  const node = await stage.node();
  const service = await node.service('stage').publishSubscribe({ ...SETTINGS, overflow });
  const publisher = await service.bufferPublisher<Meta>();
  const domain = Domain.open({ directory: stage.directory });
  const target = { domain, publisherNode: node, publisherService: service, publisher };
  const liar = await Liar.connect(target, { buffers: true });
  t.after(() => liar[Symbol.dispose]());
  const subscriber = await service.bufferSubscriber<Meta>();
  await publisher.connected(2);
  await subscriber.connected();
  const memory = BufferMemory.allocate(1);
  t.after(() => memory.close());
  for (let frame = 1; frame <= 4; frame++) {
    assert.equal(publisher.send({ frame }, memory.descriptor), 2);
    subscriber.receive()?.release();
  }
  Atomics.store(liar.words, liar.head, -1);
  const received = () => {
    const tokens: number[] = [];
    for (let frame = subscriber.receive(); frame !== undefined; frame = subscriber.receive()) {
      tokens.push(frame.token);
      frame.release();
    }
    return tokens;
  };
  return { publisher, memory, received };
}

/** Listens until the first connection has ended. */
function once(t: TestContext, told: () => void): void {
  const end = () => unsubscribe('sealane:disconnected', listener);
  const listener = () => {
    end();
    told();
  };
  subscribe('sealane:disconnected', listener);
  t.after(end);
}

type Sends = (publisher: BufferPublisher<Meta>, frame: number, fd: number) => Promise<number>;

const WAYS: readonly [string, Sends][] = [
  ['send', async (publisher, frame, fd) => publisher.send({ frame }, fd)],
  ['sendAsync', (publisher, frame, fd) => publisher.sendAsync({ frame }, fd)],
];

for (const overflow of [true, false])
  for (const [name, send] of WAYS) {
    const where = `${name}, in a service that ${overflow ? 'overflows' : 'waits'},`;

    test(`${where} finds a liar: who is told of it sends nothing that overtakes`, async (t) => {
      const { publisher, memory, received } = await deceived(t, overflow);
      let code: unknown;
      once(t, () => {
        try {
          publisher.send({ frame: 0 }, memory.descriptor);
        } catch (error) {
          ({ code } = error as { code: unknown });
        }
      });
      assert.equal(await send(publisher, 5, memory.descriptor), 1);
      assert.equal(code, 'ERR_SEALANE_BUSY');
      assert.equal(await send(publisher, 6, memory.descriptor), 1);
      assert.deepEqual(received(), [5, 6]);
    });

    test(`${where} finds a liar: who is told of it may close the publisher`, async (t) => {
      const { publisher, memory } = await deceived(t, overflow);
      once(t, () => publisher.close());
      const outcome = await send(publisher, 5, memory.descriptor).catch(({ code }) => code);
      assert.equal(outcome, overflow ? 0 : 'ERR_SEALANE_CLOSED');
      assert.equal(publisher.figures.usedSlots, 0);
    });
  }

test('a publisher that is closed at any moment while its sample waits for room says so, or how many got it', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  for (let moment = 0; moment < 8; moment++) {
    const service = await node.service(`s${moment}`).publishSubscribe({ bufferSize: 1, overflow: false });
    const publisher = await service.publisher();
    const [subscriber, other] = [await service.subscriber(), await service.subscriber()];
    await publisher.connected(2);
    await subscriber.connected();
    await other.connected();
    publisher.sendCopy(new Uint8Array(1));
    other.receive()?.release();
    const sent = publisher.loan(1).sendAsync();
    const outcome = sent.catch(({ code }) => code);
    assert.ok(subscriber.receive() !== undefined);
    other.receive()?.release();
    // Serves the wake-up here and now: from here on both go on in turns.
    assert.equal(other.receiveBlocking({ timeoutMs: 5 }), undefined);
    for (let turns = 0; turns < moment; turns++) await undefined;
    publisher.close();
    assert.ok([1, 2, 'ERR_SEALANE_CLOSED'].includes(await outcome), String(await outcome));
    service.close();
  }
});
