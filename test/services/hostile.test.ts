/** Subscribers that lie: only their own connection ends, and the honest pair of the same service does not notice. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { encodeConnect, Memfd, type UnixSocket } from 'sealane/internal';
import { answerTo, dial, LIAR, Liar, requestFor } from './liar.test.helper.js';
import { Stage, type StageOptions, untilTrue } from './stage.test.helper.js';

/** In both kinds of service. */
const KINDS: readonly [string, StageOptions][] = [
  ['an overflowing service', { settings: { overflow: true } }],
  ['a service that drops', { settings: { overflow: false }, whenFull: 'drop' }],
];

interface Lie {
  readonly what: string;
  /** What the publisher says of it. */
  readonly told: RegExp;
  /** Done once, after the pair has worked for a while. */
  readonly tell: (liar: Liar) => void;
}

/** The value of a word, moved. */
const moved = (liar: Liar, at: number, by: number) => (Atomics.load(liar.words, at) + by) | 0;

const LIES: readonly Lie[] = [
  {
    what: 'moves the head backwards',
    told: /a position that never was/,
    tell: (liar) => Atomics.store(liar.words, liar.head, moved(liar, liar.head, -1)),
  },
  {
    what: 'moves the head beyond the tail',
    // The publisher may fill that position before it looks; then its subscriber took more than it can have.
    told: /a position that never was|more than 6 samples at once/,
    tell: (liar) => Atomics.store(liar.words, liar.head, moved(liar, liar.tail, 1)),
  },
  {
    what: 'moves the head far away',
    told: /a position that never was/,
    tell: (liar) => Atomics.store(liar.words, liar.head, moved(liar, liar.tail, 2 ** 31 - 1)),
  },
  {
    what: 'gives back a slot that it does not have',
    told: /slot \d+, which it does not have/,
    tell: (liar) => liar.complete(liar.answer.shape.slots - 1),
  },
  {
    what: 'gives back a slot twice',
    told: /slot \d+, which it does not have/,
    tell: (liar) => {
      const slot = liar.take() ?? 0;
      liar.complete(slot, slot);
    },
  },
  {
    what: 'gives back a slot that is no slot',
    told: /a slot that never was/,
    tell: (liar) => liar.complete(liar.answer.shape.slots),
  },
  {
    what: 'gives back a negative slot',
    told: /a slot that never was/,
    tell: (liar) => liar.complete(-1),
  },
  {
    what: 'moves the tail of what came back far ahead',
    told: /a slot that never was/,
    tell: (liar) => Atomics.store(liar.words, liar.completionTail, liar.answer.completionCells + 1),
  },
  {
    what: 'moves the tail of what came back backwards',
    told: /a slot that never was/,
    tell: (liar) => Atomics.store(liar.words, liar.completionTail, moved(liar, liar.completionTail, -1)),
  },
  {
    what: 'sends wake-ups that nobody asked for',
    told: /wake-ups that nobody asked for/,
    tell: (liar) => {
      for (let count = 0; count < 100; count++) liar.socket.wake();
    },
  },
  {
    what: 'sends a packet of its own',
    told: /a packet that is no wake-up/,
    tell: (liar) => liar.socket.send(Uint8Array.of(1, 2, 3)),
  },
  {
    what: 'sends its request again',
    told: /a packet that is no wake-up/,
    tell: (liar) => liar.socket.send(new Uint8Array(64)),
  },
  {
    what: 'sends a huge packet',
    told: /a packet that is no wake-up/,
    tell: (liar) => liar.socket.send(new Uint8Array(100_000)),
  },
  {
    what: 'sends a wake-up with descriptors',
    told: /a packet that is no wake-up/,
    tell: (liar) => {
      using memfd = Memfd.create('unasked', 1);
      liar.socket.send(Uint8Array.of(119), Array(5).fill(memfd.fd));
    },
  },
];

const WAITING: [string, StageOptions] = ['a service that waits', { settings: { overflow: false } }];

for (const [kind, options] of [...KINDS, WAITING])
  for (const { what, told, tell } of LIES)
    test(`in ${kind}, a subscriber that ${what} loses its connection, and nobody else notices`, async (t) => {
      const stage = await Stage.make(t, options);
      using liar = await Liar.connect(stage);
      await stage.work(3);
      tell(liar);
      await stage.workUntil('the lie is told of', () => stage.lies(stage.publisherEvents).length > 0);
      assert.match(stage.lies(stage.publisherEvents).join('\n'), told);
      assert.match(stage.lies(stage.publisherEvents).join('\n'), new RegExp(LIAR));
      liar[Symbol.dispose]();
      await stage.checkWhole();
    });

test('a subscriber that takes and never gives back is dropped once it has more than it may', async (t) => {
  const stage = await Stage.make(t, { settings: { overflow: true } });
  using liar = await Liar.connect(stage);
  await stage.workUntil('the lie is told of', () => {
    liar.take();
    return stage.lies(stage.publisherEvents).length > 0;
  });
  assert.match(stage.lies(stage.publisherEvents).join('\n'), /more than 6 samples at once/);
  liar[Symbol.dispose]();
  await stage.checkWhole();
});

for (const [kind, options] of KINDS)
  test(`in ${kind}, a subscriber that holds all that it may for ever costs nobody anything`, async (t) => {
    const stage = await Stage.make(t, options);
    using liar = await Liar.connect(stage);
    await stage.work(3);
    assert.deepEqual([liar.take(), liar.take()].includes(undefined), false);
    await stage.work(2_000);
    assert.deepEqual(stage.lies(stage.publisherEvents), []);
    assert.equal(stage.publisher.figures.subscribers.length, 2);
    liar[Symbol.dispose]();
    await stage.workUntil('the end is noticed', () => stage.publisher.figures.subscribers.length === 1);
    await stage.checkWhole();
  });

for (const [kind, options] of KINDS)
  test(`in ${kind}, a subscriber that always wants to be woken and never reads its socket delays nobody`, async (t) => {
    const stage = await Stage.make(t, options);
    using liar = await Liar.connect(stage);
    for (let round = 0; round < 3_000; round++) {
      Atomics.store(liar.words, liar.waiting, 1);
      const slot = liar.take();
      if (slot !== undefined) liar.complete(slot);
      await stage.work(1);
    }
    assert.deepEqual(stage.lies(stage.publisherEvents), []);
    liar[Symbol.dispose]();
    await stage.workUntil('the end is noticed', () => stage.publisher.figures.subscribers.length === 1);
    await stage.checkWhole();
  });

test('connections that never ask are given up, and who asks is served meanwhile', async (t) => {
  const stage = await Stage.make(t);
  const idle: UnixSocket[] = [];
  t.after(() => {
    for (const socket of idle) socket.close();
  });
  for (let count = 0; count < 600; count++) {
    idle.push(await dial(stage, stage.publisherNode.id));
    if (count % 100 === 0) using(await Liar.connect(stage));
    await stage.work(1);
  }
  using(await Liar.connect(stage));
  for (const socket of idle) socket.close();
  await stage.workUntil('the liars are gone', () => stage.publisher.figures.subscribers.length === 1);
  await stage.checkWhole();
});

function using(liar: Liar): void {
  liar[Symbol.dispose]();
}

test('every part of a request is refused', async (t) => {
  const stage = await Stage.make(t);
  const packet = encodeConnect(requestFor(stage));
  for (let length = 1; length < packet.length; length++) {
    const answer = await answerTo(stage, packet.subarray(0, length));
    assert.equal(answer?.type, 'refused', `${length} bytes`);
  }
  for (const length of [packet.length + 1, packet.length + 2, 10_000, 150_000]) {
    const longer = new Uint8Array(length);
    longer.set(packet);
    assert.equal((await answerTo(stage, longer))?.type, 'refused', `${length} bytes`);
  }
  await stage.checkWhole();
});

/** Bytes of a request that say what it is, and to whom: magic, version, type, service, its kind, and publisher. */
const NAMES: ReadonlySet<number> = new Set(
  Array.from({ length: 28 }, (_, at) => at).filter((at) => at <= 18 || at >= 24),
);

test('a request with any byte changed is accepted or refused, and nothing stays', async (t) => {
  const stage = await Stage.make(t);
  const packet = encodeConnect(requestFor(stage));
  for (let at = 0; at < packet.length; at++)
    for (const bits of [1, 0x80, 0xff]) {
      const changed = Uint8Array.from(packet);
      changed[at] = (changed[at] ?? 0) ^ bits;
      const answer = await answerTo(stage, changed);
      assert.ok(answer !== undefined, `byte ${at}`);
      if (NAMES.has(at)) assert.equal(answer.type, 'refused', `byte ${at}`);
      await stage.workUntil('it is gone', () => stage.publisher.figures.subscribers.length === 1);
    }
  assert.deepEqual(stage.lies(stage.publisherEvents), []);
  await stage.checkWhole();
});

async function refusal(t: TestContext, changes: Parameters<typeof requestFor>[1]): Promise<string> {
  const stage = await Stage.make(t);
  const answer = await answerTo(stage, encodeConnect(requestFor(stage, changes)));
  await stage.checkWhole();
  return answer?.type === 'refused' ? answer.reason : String(answer?.type);
}

test('what does not exist is refused as that', async (t) => {
  assert.equal(await refusal(t, { sender: 99 }), 'no-port');
  assert.equal(await refusal(t, { sender: 0 }), 'no-port');
  assert.equal(await refusal(t, { service: '00112233445566778899' }), 'no-port');
});

test('who asks for nothing or for more than the service allows is refused', async (t) => {
  assert.equal(await refusal(t, { bufferSize: 0 }), 'bad-request');
  assert.equal(await refusal(t, { bufferSize: 5 }), 'bad-request');
  assert.equal(await refusal(t, { bufferSize: 2 ** 32 - 1 }), 'bad-request');
  assert.equal(await refusal(t, { maxBorrowed: 0 }), 'bad-request');
  assert.equal(await refusal(t, { maxBorrowed: 3 }), 'bad-request');
  assert.equal(await refusal(t, { history: 1 }), 'bad-request');
});

test('when a liar takes all places the next one is refused, and gets its place when the liar is gone', async (t) => {
  const stage = await Stage.make(t, { settings: { maxSubscribers: 3 } });
  using first = await Liar.connect(stage);
  using second = await Liar.connect(stage);
  const answer = await answerTo(stage, encodeConnect(requestFor(stage)));
  assert.deepEqual(answer?.type === 'refused' ? answer.reason : answer, 'too-many');
  for (const liar of [first, second]) liar[Symbol.dispose]();
  await untilTrue('they are gone', () => stage.publisher.figures.subscribers.length === 1);
  using(await Liar.connect(stage));
  await untilTrue('it is gone', () => stage.publisher.figures.subscribers.length === 1);
  await stage.checkWhole();
});
