// The two tiers of samples: objects that are used again, and checked ones that refuse any use after their end; and how they are released.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Publisher, Subscriber } from 'sealane';
import { bytesOf, joined, Stage, text, texts } from './nodes.test.helper.js';

const closed = { code: 'ERR_SEALANE_CLOSED' };

async function pair(t: TestContext, settings: object = {}) {
  const stage = new Stage(t);
  const service = await stage.service(settings);
  const publisher = await service.publisher();
  const subscriber = await service.subscriber();
  await joined([publisher], [subscriber]);
  return { stage, service, publisher, subscriber };
}

function send(publisher: Publisher, ...words: (string | number)[]): void {
  for (const word of words) publisher.sendCopy(bytesOf(word));
}

test('the hot tier uses one object for each slot, the checked tier a fresh one for each sample', async (t) => {
  const { publisher, subscriber } = await pair(t, { maxSubscribers: 1 });
  const hot = { loans: new Set<unknown>(), samples: new Set<unknown>(), views: new Set<unknown>() };
  const checked = { loans: new Set<unknown>(), samples: new Set<unknown>() };
  for (let count = 0; count < 100; count++) {
    const loan = publisher.hot.loan(8);
    hot.loans.add(loan);
    loan.send();
    const sample = subscriber.hot.receive();
    assert.ok(sample);
    hot.samples.add(sample);
    hot.views.add(sample.bytes);
    sample.release();
    checked.loans.add(publisher.loan(8));
    for (const one of checked.loans) (one as { release(): void }).release();
    send(publisher, count);
    checked.samples.add(subscriber.receive());
    for (const one of checked.samples) (one as { release(): void }).release();
  }
  const { slots } = publisher.figures;
  assert.ok(hot.loans.size <= slots && hot.samples.size <= slots && hot.views.size <= slots);
  assert.equal(checked.loans.size, 100);
  assert.equal(checked.samples.size, 100);
});

for (const tier of ['hot', 'checked'] as const) {
  test(`a loan of the ${tier} tier refuses any use once it was sent or released`, async (t) => {
    const { publisher } = await pair(t);
    const sender = tier === 'hot' ? publisher.hot : publisher;
    for (const end of ['send', 'release'] as const) {
      const loan = sender.loan(4);
      loan[end]();
      assert.throws(() => loan.bytes, closed);
      assert.throws(() => loan.userHeader, closed);
      assert.throws(() => loan.setSourceTimestamp(1n), closed);
      assert.throws(() => loan.send(), closed);
      await assert.rejects(loan.sendAsync(), closed);
      loan.release();
      loan[Symbol.dispose]();
      assert.equal(publisher.figures.loaned, 0);
    }
    const open = sender.loan(4);
    publisher.close();
    assert.throws(() => open.bytes, closed);
    assert.throws(() => open.send(), closed);
    open.release();
    assert.throws(() => sender.loan(1), closed);
    assert.throws(() => publisher.sendCopy(bytesOf('a')), closed);
  });

  test(`a sample of the ${tier} tier refuses any use once it was released or its subscriber closed`, async (t) => {
    const { publisher, subscriber } = await pair(t);
    const receiver = tier === 'hot' ? subscriber.hot : subscriber;
    send(publisher, 'a', 'b');
    const [first, second] = receiver.receiveBatch(2);
    assert.ok(first && second);
    const { bytes } = second;
    first.release();
    first.release();
    assert.equal(subscriber.figures.borrowed, 1);
    subscriber.close();
    for (const sample of [first, second]) {
      assert.throws(() => sample.bytes, closed);
      assert.throws(() => sample.userHeader, closed);
      assert.throws(() => sample.header, closed);
      sample.release();
      sample[Symbol.dispose]();
    }
    assert.equal(bytes.length, 0, 'a view of a closed subscriber is empty');
    for (const receive of [
      () => receiver.receive(),
      () => receiver.receiveBlocking(),
      () => receiver.receiveBatch(1),
    ])
      assert.throws(receive, closed);
    await assert.rejects(subscriber.next(), closed);
  });
}

test('a checked object refuses use also when its slot serves another sample, and does not end that', async (t) => {
  const { publisher, subscriber } = await pair(t, {
    maxSubscribers: 1,
    bufferSize: 1,
    maxBorrowed: 1,
    maxLoaned: 1,
  });
  const oldLoans = Array.from({ length: 8 }, () => {
    const loan = publisher.loan(1);
    loan.release();
    return loan;
  });
  const loan = publisher.loan(1);
  for (const old of oldLoans) {
    assert.throws(() => old.bytes, closed);
    assert.throws(() => old.send(), closed);
    old.release();
  }
  loan.bytes[0] = 5;
  assert.equal(loan.send(), 1);
  texts(subscriber);
  const oldSamples = Array.from({ length: 8 }, (_, count) => {
    send(publisher, count);
    const sample = subscriber.receive();
    sample?.release();
    return sample;
  });
  send(publisher, 'new');
  const sample = subscriber.receive();
  for (const old of oldSamples) {
    assert.throws(() => old?.bytes, closed);
    assert.throws(() => old?.header, closed);
    old?.release();
    old?.[Symbol.dispose]();
  }
  assert.equal(subscriber.figures.borrowed, 1);
  assert.equal(text(sample), 'new');
});

test('`using` releases samples, sent or not', async (t) => {
  const { publisher, subscriber } = await pair(t);
  for (let count = 0; count < 50; count++) {
    using unsent = publisher.loan(1);
    assert.equal(unsent.bytes.length, 1);
    using loan = publisher.loan(1);
    loan.send();
    using sample = subscriber.receive();
    assert.equal(sample?.bytes.length, 1);
  }
  assert.equal(publisher.figures.loaned, 0);
  assert.equal(subscriber.figures.borrowed, 0);
});

for (const most of [1, 2]) {
  test(`when all ${most} that may be out are forgotten, they come back through the garbage collector, with one warning`, async (t) => {
    const options = { settings: { maxBorrowed: most, maxLoaned: most }, most };
    const peer = new Stage(t).peer('forget', options, { flags: ['--expose-gc'] });
    const lines = [await peer.line(), await peer.line()];
    assert.match(lines[0] ?? '', /^SealaneWarning: a sample was forgotten/);
    assert.equal(lines[1], 'all came back');
    assert.equal(await peer.ended(), 0);
  });
}

async function collect(subscriber: Subscriber, count: number): Promise<string[]> {
  const words: string[] = [];
  for await (using sample of subscriber) {
    words.push(Buffer.from(sample.bytes).toString());
    if (words.length === count) break;
  }
  return words;
}

test('a loop over the samples ends with a break, and another one goes on where it was left', async (t) => {
  const { publisher, subscriber } = await pair(t, { bufferSize: 8 });
  send(publisher, 1, 2, 3, 4);
  assert.deepEqual(await collect(subscriber, 2), ['1', '2']);
  assert.equal(subscriber.figures.borrowed, 0);
  assert.equal(text(subscriber.receive()), '3');
  const rest = collect(subscriber, 3);
  send(publisher, 5);
  setImmediate(() => send(publisher, 6));
  assert.deepEqual(await rest, ['4', '5', '6']);
});

test('a loop that throws leaves the subscriber usable and nothing borrowed', async (t) => {
  const { publisher, subscriber } = await pair(t);
  send(publisher, 1, 2);
  const loop = async () => {
    for await (using sample of subscriber) throw new Error(text(sample));
  };
  await assert.rejects(loop(), /^Error: 1$/);
  await assert.rejects(loop(), /^Error: 2$/);
  assert.equal(subscriber.figures.borrowed, 0);
});

for (const what of ['subscriber', 'service', 'node'] as const) {
  test(`a loop that waits ends when its ${what} is closed`, async (t) => {
    const stage = new Stage(t);
    const node = await stage.node();
    const service = await node.service('x').publishSubscribe();
    const subscriber = await service.subscriber();
    const words = collect(subscriber, 1);
    setImmediate(() => ({ subscriber, service, node })[what].close());
    assert.deepEqual(await words, []);
    assert.equal(subscriber.closed, true);
  });
}

test('whoever waits is told when what it waits at is closed, and when its signal fires', async (t) => {
  const { publisher, subscriber, service } = await pair(t, { bufferSize: 1, overflow: false });
  const { signal } = new AbortController();
  const abort = new AbortController();
  const aborted = [
    subscriber.next({ signal: abort.signal }),
    subscriber.connected(9, { signal: abort.signal }),
    publisher.connected(9, { signal: abort.signal }),
  ];
  const receiving = [subscriber.next({ signal }), subscriber.next()];
  const connecting = [subscriber.connected(9), publisher.connected(9)];
  const results = Promise.allSettled([...aborted, ...receiving, ...connecting]);
  setImmediate(() => abort.abort(new Error('my reason')));
  for (const one of aborted) await assert.rejects(one, { code: 'ERR_SEALANE_ABORTED' });
  send(publisher, 'full');
  assert.equal(text(await receiving[0]), 'full');
  send(publisher, 'again');
  assert.equal(text(await receiving[1]), 'again');
  send(publisher, 'more');
  const sending = publisher.loan(0).sendAsync();
  setImmediate(() => service.close());
  await assert.rejects(sending, closed);
  for (const one of connecting) await assert.rejects(one, closed);
  await results;
});

test('receiveBlocking comes back after its time, at once with a sample, and refuses what is no time', async (t) => {
  const { publisher, subscriber } = await pair(t);
  for (const timeoutMs of [0, 0.5, 20]) {
    const before = performance.now();
    assert.equal(subscriber.receiveBlocking({ timeoutMs }), undefined);
    assert.ok(performance.now() - before >= timeoutMs);
  }
  send(publisher, 'a');
  assert.equal(text(subscriber.receiveBlocking()), 'a');
  for (const timeoutMs of [-1, Number.NaN, '1' as unknown as number])
    assert.throws(() => subscriber.receiveBlocking({ timeoutMs }), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('receiveBatch takes what is there, at most so many', async (t) => {
  const { publisher, subscriber } = await pair(t, { bufferSize: 8, maxBorrowed: 8 });
  assert.deepEqual(subscriber.receiveBatch(5), []);
  send(publisher, 1, 2, 3);
  assert.deepEqual(subscriber.receiveBatch(0), []);
  assert.deepEqual(subscriber.receiveBatch(2).map(text), ['1', '2']);
  assert.deepEqual(subscriber.hot.receiveBatch(2).map(text), ['3']);
  assert.throws(() => subscriber.receiveBatch(-1), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});
