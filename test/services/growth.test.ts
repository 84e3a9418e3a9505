// Memory that grows: larger samples than ever before arrive whole while everything runs, old segments are given back, limits hold.
import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Publisher, PublisherOptions, Sample, ServiceOptions, Subscriber } from 'sealane';
import { type Holdings, holdings } from './kernel.test.helper.js';
import { bytesOf, joined, Stage, text, until } from './nodes.test.helper.js';
import { fillPayload, MIN_PAYLOAD_BYTES, payloadProblem } from './payload.test.helper.js';

const GROWING = { payload: 'growing', maxBytes: 1 << 20 } as const;
const SEED = 5;

interface Pair {
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;
}

async function pair(stage: Stage, settings: ServiceOptions = {}, options: PublisherOptions = {}) {
  const service = await stage.service({ ...GROWING, ...settings });
  const publisher = await service.publisher(options);
  const subscriber = await service.subscriber();
  await joined([publisher], [subscriber]);
  return { service, publisher, subscriber };
}

/** Sends a sample of that size which proves itself; returns how many got it. */
function send(publisher: Publisher, bytes: number): number {
  using loan = publisher.loan(bytes);
  assert.equal(loan.bytes.length, bytes);
  fillPayload(loan.bytes, SEED, publisher.figures.sent + 1);
  return loan.send();
}

/** The next sample is there, and whole. */
function take(subscriber: Subscriber): Sample {
  const sample = subscriber.receive();
  assert.ok(sample !== undefined, 'a sample is there');
  assert.equal(payloadProblem(sample.bytes, sample.header.sequence), undefined);
  return sample;
}

function pass({ publisher, subscriber }: Pair, bytes: number): void {
  assert.equal(send(publisher, bytes), 1);
  const sample = take(subscriber);
  assert.equal(sample.bytes.length, bytes);
  assert.equal(sample.missed, 0);
  sample.release();
}

/** Once the publisher has one segment only, so have all: mappings and descriptors are as they were. */
async function settled(publisher: Publisher, before: Holdings): Promise<void> {
  await until(() => publisher.figures.segments === 1);
  await until(() => JSON.stringify(holdings()) === JSON.stringify(before));
}

for (const strategy of ['powerOfTwo', 'bestFit'] as const)
  test(`samples of any sizes in any order arrive whole, and one segment is left (${strategy})`, async (t) => {
    const both = await pair(new Stage(t), {}, { strategy });
    const before = holdings();
    for (const bytes of [16, 4_096, 4_097, 100, 65_536, 20, 65_537, 70_000, 1 << 20, 16, 1 << 20])
      pass(both, bytes);
    await settled(both.publisher, before);
    assert.equal(both.publisher.figures.roomBytes, 1 << 20);
    assert.equal(both.subscriber.figures.missed, 0);
    pass(both, 1 << 20);
  });

test('the next segment has room as its strategy says', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service(GROWING);
  for (const [strategy, initialBytes, bytes, room] of [
    ['powerOfTwo', 100, 5_000, 8_192],
    ['powerOfTwo', 100, 8_192, 8_192],
    ['powerOfTwo', 100, 1_000_000, 1 << 20],
    ['bestFit', 100, 5_000, 5_056],
    ['bestFit', 100, 1 << 20, 1 << 20],
  ] as const) {
    await using publisher = await service.publisher({ strategy, initialBytes });
    assert.equal(publisher.figures.roomBytes, initialBytes);
    send(publisher, bytes);
    assert.equal(publisher.figures.roomBytes, room);
  }
  await using usual = await service.publisher();
  assert.equal(usual.figures.roomBytes, 4_096);
});

test('a static publisher has room for its initial bytes, and no more', async (t) => {
  const both = await pair(new Stage(t), {}, { strategy: 'static', initialBytes: 5_000 });
  pass(both, 5_000);
  assert.throws(() => both.publisher.loan(5_001), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /a sample of 5001 bytes was asked for, and initialBytes allows 0 to 5000/,
  });
  assert.equal(both.publisher.figures.segments, 1);
});

test('nothing grows beyond maxBytes, of the service or the publisher', async (t) => {
  const stage = new Stage(t);
  const { service, publisher } = await pair(stage);
  const message =
    /^a sample of 1048577 bytes was asked for, and maxBytes allows 0 to 1048576: send less, or raise/;
  const wrong = { code: 'ERR_SEALANE_INVALID_ARGUMENT', message };
  assert.throws(() => publisher.loan((1 << 20) + 1), wrong);
  assert.throws(() => publisher.sendCopy(new Uint8Array((1 << 20) + 1)), wrong);
  for (const bytes of [-1, 1.5, 2 ** 53, Number.NaN])
    assert.throws(() => publisher.loan(bytes), { message: /bytes must be an integer from 0 to 1048576/ });
  const lower = await service.publisher({ maxBytes: 10_000 });
  assert.throws(() => lower.loan(10_001), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  lower.loan(9_000).release();
  assert.equal(lower.figures.roomBytes, 10_000);
  assert.equal(publisher.figures.segments, 1);
});

test('options of growth are checked, and refused where memory does not grow', async (t) => {
  const stage = new Stage(t);
  const growing = await stage.service(GROWING);
  const wrong = (name: string) => ({ code: 'ERR_SEALANE_INVALID_ARGUMENT', message: new RegExp(name) });
  for (const [option, values] of [
    ['initialBytes', [0, -1, 1.5, (1 << 20) + 1, '1']],
    ['maxSegments', [0, 65, 1.5, '8']],
    ['strategy', ['fit', 1, null, {}]],
  ] as const)
    for (const value of values) {
      const options = { [option]: value } as PublisherOptions;
      await assert.rejects(growing.publisher(options), wrong(`options.${option}`));
    }
  for (const payload of ['bounded', 'fixed'] as const) {
    const service = await stage.service({ payload }, payload);
    for (const option of [{ initialBytes: 1 }, { maxSegments: 1 }, { strategy: 'static' as const }])
      await assert.rejects(service.publisher(option), wrong('be left out'));
  }
});

test('where samples have a fixed size, a loan has it, and nothing else is taken', async (t) => {
  const stage = new Stage(t);
  const { service, publisher, subscriber } = await pair(stage, { payload: 'fixed', maxBytes: 100 });
  const wrong = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
  for (const loan of [publisher.loan(), publisher.hot.loan(100)]) {
    assert.equal(loan.bytes.length, 100);
    loan.send();
    assert.equal(subscriber.receive()?.bytes.length, 100);
  }
  assert.equal(publisher.sendCopy(new Uint8Array(100)), 1);
  for (const bytes of [0, 99, 101]) {
    assert.throws(() => publisher.loan(bytes), { ...wrong, message: /all samples of the service have 100/ });
    assert.throws(() => publisher.sendCopy(new Uint8Array(bytes)), wrong);
  }
  await assert.rejects(service.publisher({ maxBytes: 99 }), wrong);
  const bounded = await (await stage.service({ payload: 'bounded' }, 'y')).publisher();
  assert.throws(() => bounded.loan(), { ...wrong, message: /got undefined/ });
});

test('segments stay while somebody holds a sample, a loan or the history of them, and go afterwards', async (t) => {
  const both = await pair(new Stage(t), { history: 1 });
  const { publisher, subscriber } = both;
  const before = holdings();
  send(publisher, 1_000);
  const held = take(subscriber);
  using loan = publisher.loan(2_000);
  fillPayload(loan.bytes, SEED, 3);
  pass(both, 10_000);
  assert.equal(publisher.figures.segments, 2);
  assert.equal(payloadProblem(held.bytes, 1), undefined);
  loan.send();
  take(subscriber).release();
  held.release();
  // The history is of the old segment now.
  pass(both, 100_000);
  await until(() => publisher.figures.segments === 1);
  await settled(publisher, before);
});

test('a view of a segment that was given back is empty, and its sample closed', async (t) => {
  const both = await pair(new Stage(t));
  send(both.publisher, 1_000);
  const sample = take(both.subscriber);
  const view = sample.bytes;
  sample.release();
  pass(both, 10_000);
  await until(() => view.length === 0);
  assert.throws(() => sample.bytes, { code: 'ERR_SEALANE_CLOSED' });
});

test('a late subscriber gets a history that lies in several segments', async (t) => {
  const stage = new Stage(t);
  const { service, publisher } = await pair(stage, { history: 4, bufferSize: 4 });
  const sizes = [100, 5_000, 20, 40_000, 300_000];
  for (const bytes of sizes) send(publisher, bytes);
  const late = await service.subscriber();
  await late.connected();
  for (const bytes of sizes.slice(1)) {
    const sample = take(late);
    assert.deepEqual([sample.bytes.length, sample.missed], [bytes, 0]);
    sample.release();
  }
});

test('the last segment has room for everything, so that no sample is refused for want of one', async (t) => {
  const { publisher, subscriber } = await pair(
    new Stage(t),
    { maxBorrowed: 8, bufferSize: 8 },
    { strategy: 'bestFit', maxSegments: 3 },
  );
  const held = [];
  for (const bytes of [100, 5_000, 6_000, 7_000, 8_000, 1 << 20]) {
    send(publisher, bytes);
    held.push(take(subscriber));
  }
  assert.deepEqual([publisher.figures.segments, publisher.figures.roomBytes], [3, 1 << 20]);
  for (const [index, sample] of held.entries())
    assert.equal(payloadProblem(sample.bytes, index + 1), undefined);
  for (const sample of held) sample.release();
  await until(() => publisher.figures.segments === 1);
});

test('a segment that one ArrayBuffer does not hold, or that is one too many, is refused, and what is there goes on', async (t) => {
  if (constants.MAX_LENGTH > 2 ** 33) return t.skip('an ArrayBuffer of this Node.js holds any segment');
  const settings = { maxBytes: 2 ** 32, bufferSize: 1, maxBorrowed: 1, maxSubscribers: 1, maxLoaned: 2 };
  const both = await pair(new Stage(t), settings, { maxSegments: 2 });
  const limit = { code: 'ERR_SEALANE_LIMIT_EXCEEDED' };
  pass(both, 100);
  assert.throws(() => both.publisher.loan(2 ** 31), { ...limit, message: /in one ArrayBuffer/ });
  using first = both.publisher.loan(100);
  pass(both, 10_000);
  assert.throws(() => both.publisher.loan(20_000), { ...limit, message: /which is maxSegments/ });
  first.release();
  pass(both, 20_000);
  pass(both, 100);
});

test('a loan more than maxLoaned makes no segment', async (t) => {
  const { publisher } = await pair(new Stage(t), { maxLoaned: 1 });
  using _loan = publisher.loan(10);
  assert.throws(() => publisher.loan(100_000), { code: 'ERR_SEALANE_LIMIT_EXCEEDED', message: /maxLoaned/ });
  assert.equal(publisher.figures.segments, 1);
});

test('who reads nothing is told of so many segments, and then gets no samples of others until it reads', async (t) => {
  const both = await pair(new Stage(t), { bufferSize: 1 }, { strategy: 'bestFit' });
  const { publisher, subscriber } = both;
  const before = holdings();
  const got: number[] = [];
  for (let count = 1; count <= 100; count++) got.push(send(publisher, 4_096 + 64 * count));
  const reached = got.lastIndexOf(1) + 1;
  assert.ok(reached > 0 && reached <= 32, `${reached} descriptors were under way`);
  assert.deepEqual(got, [...Array(reached).fill(1), ...Array(100 - reached).fill(0)]);
  assert.equal(publisher.figures.subscribers[0]?.lost, 99);
  const sample = take(subscriber);
  assert.deepEqual([sample.header.sequence, sample.missed], [reached, reached - 1]);
  sample.release();
  // It knows no segment now: the last one was never handed out to it.
  const { descriptors, slotMappings } = before;
  await settled(publisher, { ...before, descriptors: descriptors - 1, slotMappings: slotMappings - 1 });
  send(publisher, 20_000);
  const next = take(subscriber);
  assert.deepEqual([next.header.sequence, next.missed], [101, 100 - reached]);
  next.release();
  await settled(publisher, before);
});

test('a write into a sample of any segment is survived and told, also when the segment is gone by then', async (t) => {
  const both = await pair(new Stage(t));
  const { publisher, subscriber } = both;
  const before = holdings();
  for (const bytes of [1_000, 10_000, 100_000]) {
    send(publisher, bytes);
    const sample = take(subscriber);
    const { sequence } = sample.header;
    sample.bytes.fill(1);
    sample.release();
    // The next is of a larger segment, and this one is given back before anything is received.
    if (bytes < 100_000) {
      send(publisher, bytes * 10);
      await settled(publisher, before);
    } else send(publisher, bytes);
    assert.throws(() => subscriber.receive(), { code: 'ERR_SEALANE_SAMPLE_MODIFIED', sequence });
    take(subscriber).release();
  }
  pass(both, 1 << 20);
});

test('sizes and steps at random: what arrives is whole, in order, and nothing is left', async (t) => {
  const stage = new Stage(t);
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        bytes: fc.integer({ min: MIN_PAYLOAD_BYTES, max: 40_000 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), bytes: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), bytes: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('turn' as const), bytes: fc.constant(0) }) },
  );
  let number = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.constantFrom('powerOfTwo' as const, 'bestFit' as const),
      fc.integer({ min: 1, max: 5 }),
      fc.boolean(),
      fc.integer({ min: 0, max: 2 }),
      async (steps, strategy, maxSegments, overflow, history) => {
        const before = holdings();
        await using node = await stage.node();
        const service = await node.service(`random-${number++}`).publishSubscribe({
          ...{ payload: 'growing', maxBytes: 40_000, bufferSize: 3, maxBorrowed: 3, overflow, history },
        });
        const publisher = await service.publisher({
          ...{ strategy, maxSegments, initialBytes: 64, whenFull: 'drop' },
        });
        const subscriber = await service.subscriber();
        await joined([publisher], [subscriber]);
        const held: { sample: Sample; sequence: number }[] = [];
        let last = 0;
        for (const { do: what, bytes } of steps) {
          if (what === 'send') send(publisher, bytes);
          else if (what === 'turn') await new Promise((resolve) => setImmediate(resolve));
          else if (what === 'release') held.splice(bytes, 1)[0]?.sample.release();
          else if (held.length < 3) {
            const sample = subscriber.receive();
            if (sample === undefined) continue;
            const { sequence } = sample.header;
            assert.equal(sequence, last + 1 + sample.missed);
            last = sequence;
            held.push({ sample, sequence });
          }
          for (const { sample, sequence } of held)
            assert.equal(payloadProblem(sample.bytes, sequence), undefined);
          assert.ok(publisher.figures.segments <= maxSegments);
        }
        node.close();
        await until(() => JSON.stringify(holdings()) === JSON.stringify(before));
      },
    ),
    { numRuns: 60 },
  );
});

test('a loan of the garbage collector, of a segment that is gone, does no harm', async (t) => {
  const both = await pair(new Stage(t));
  const old = both.publisher.loan(10);
  old.release();
  pass(both, 100_000);
  await until(() => both.publisher.figures.segments === 1);
  assert.throws(() => old.bytes, { code: 'ERR_SEALANE_CLOSED' });
  old.release();
  assert.equal(both.publisher.figures.loaned, 0);
  assert.equal(both.publisher.sendCopy(bytesOf('still')), 1);
  assert.equal(text(both.subscriber.receive()), 'still');
});
