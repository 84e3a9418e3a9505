// Subscribers that write into the samples that they receive: they live, are told, and go on; nobody else notices.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Publisher, PublisherOptions, ServiceOptions, Subscriber } from 'sealane';
import type { Holdings } from './kernel.test.helper.js';
import type { Outcome } from './misuse.test.helper.js';
import { type Peer, Stage } from './nodes.test.helper.js';

const script = 'misuse.test.helper.js';

/** Mappings and descriptors of publishers' memory. */
const NONE = [0, 0];

interface Scene {
  readonly stage: Stage;
  readonly publisher: Publisher;
  /** Somebody else, who must never notice. */
  readonly honest: Subscriber;
  readonly peer: Peer;
}

/** What a process says that kept a view. */
interface Misused {
  readonly outcomes: readonly Outcome[];
  /** Whether what it holds is where the view is. */
  readonly same: boolean;
}

/** A publisher with an honest subscriber, and a process that misuses its samples. */
async function scene(
  t: TestContext,
  role: string,
  settings: ServiceOptions,
  more: object = {},
): Promise<Scene> {
  const stage = new Stage(t);
  const service = await stage.service(settings);
  const { publishing, ...options } = more as { publishing?: PublisherOptions };
  const publisher = await service.publisher(publishing);
  const honest = await service.subscriber();
  await honest.connected();
  const peer = stage.peer(role, { settings, ...options, script });
  return { stage, publisher, honest, peer };
}

async function says(peer: Peer): Promise<unknown> {
  return JSON.parse(await peer.line());
}

/** Sends one whose every byte is its number, or several. */
function send({ publisher }: Scene, count = 1, bytes = 100): void {
  for (let left = count; left > 0; left--) {
    const loan = publisher.loan(bytes);
    const number = publisher.figures.sent + 1;
    loan.bytes.fill(number);
    loan.userHeader.fill(number);
    loan.send();
  }
}

/** That the honest one gets what was sent, as it was sent. */
function verify({ honest }: Scene): void {
  for (let sample = honest.receive(); sample !== undefined; sample = honest.receive()) {
    const number = sample.header.sequence & 0xff;
    assert.ok(Buffer.from(sample.bytes).every((byte) => byte === number));
    assert.ok(Buffer.from(sample.userHeader).every((byte) => byte === number));
    sample.release();
  }
}

const DEEDS = [
  'store',
  'user header',
  'own header',
  'fill',
  'set',
  'copyWithin',
  'DataView',
  'Atomics',
  'released view',
];

test('whatever way a sample is written into, the next receive says which, and all is in order again', async (t) => {
  const act = await scene(t, 'deeds', { maxBytes: 8_192, userHeaderBytes: 16 });
  assert.equal(await says(act.peer), 'connected');
  let sequence = 0;
  for (const deed of [...DEEDS, ...DEEDS]) {
    sequence += 1;
    send(act, 1, 8_000);
    act.peer.tell(deed);
    assert.deepEqual(await says(act.peer), [{ modified: sequence }, { nothing: true }], deed);
    assert.deepEqual(await says(act.peer), { received: sequence }, deed);
    verify(act);
  }
});

test('every way to receive says so, once', async (t) => {
  const act = await scene(t, 'ways', {});
  assert.equal(await says(act.peer), 'connected');
  const ways = ['receive', 'hot.receive', 'receiveBatch', 'hot.receiveBatch'];
  const waiting = ['receiveBlocking', 'hot.receiveBlocking', 'next', 'iterator'];
  for (const [index, way] of [...ways, ...waiting].entries()) {
    send(act);
    assert.deepEqual(await says(act.peer), { [way]: index + 1 });
    assert.deepEqual(await says(act.peer), [{ nothing: true }], way);
  }
  verify(act);
});

test('another subscriber of the same thread sees what was sent, and hears of nothing', async (t) => {
  const act = await scene(t, 'two', {});
  assert.equal(await says(act.peer), 'connected');
  send(act);
  assert.equal(await says(act.peer), 1);
  const nothing = { nothing: true };
  assert.deepEqual(await says(act.peer), [nothing, { modified: 1 }, nothing, nothing]);
  assert.deepEqual(await says(act.peer), [1, 1]);
  verify(act);
});

test('samples that share a page with one that was written into are shown as they were sent, also later ones', async (t) => {
  const act = await scene(t, 'shared', { maxBytes: 8, bufferSize: 40, maxBorrowed: 1 });
  assert.equal(await says(act.peer), 'connected');
  for (let round = 0; round < 20; round++) {
    const count = 1 + round;
    send(act, 1, 8);
    act.peer.tell(String(count));
    const sequence = Number(await says(act.peer));
    // Into slots beside the one whose pages are a copy now.
    send(act, count, 8);
    act.peer.tell('sent');
    const expected = Array.from({ length: count }, (_, index) => ({ received: sequence + 1 + index }));
    assert.deepEqual(await says(act.peer), [{ modified: sequence }, ...expected, { nothing: true }]);
    verify(act);
  }
});

test('a view that is kept after release shows later samples: writing through it harms none of them', async (t) => {
  const settings = { maxSubscribers: 2, bufferSize: 1, maxBorrowed: 1, maxLoaned: 1 };
  const act = await scene(t, 'retained', settings);
  assert.equal(await says(act.peer), 'connected');
  send(act);
  assert.equal(await says(act.peer), 'released');
  let same = 0;
  for (let sequence = 2; sequence <= 30; sequence++) {
    act.peer.tell('not held');
    const idle = (await says(act.peer)) as Misused;
    assert.ok(Number(idle.outcomes[0]?.modified) < sequence);
    assert.deepEqual(idle.outcomes[1], { nothing: true });
    send(act);
    act.peer.tell('held');
    const held = (await says(act.peer)) as Misused;
    if (held.same) assert.deepEqual(held.outcomes, [{ modified: sequence }, { nothing: true }]);
    if (held.same) same += 1;
    assert.equal(await says(act.peer), sequence);
    verify(act);
  }
  assert.notEqual(same, 0, 'no later sample was in the slot of the first');
});

test('100,000 misuses leave one mapping and the descriptors that there were', async (t) => {
  const rounds = 100_000;
  const settings = { overflow: false, maxBytes: 16, bufferSize: 64 };
  const act = await scene(t, 'often', settings, { rounds });
  act.honest.close();
  assert.equal(await says(act.peer), 'connected');
  for (let left = rounds; left > 0; left--) act.publisher.hot.loan(16).send();
  const { errors, before, after } = (await says(act.peer)) as {
    errors: number;
    before: Holdings;
    after: Holdings;
  };
  assert.equal(errors, rounds);
  assert.deepEqual(after, before);
});

test('of a sample of 16 MiB only the pages that are written to are copied', async (t) => {
  const act = await scene(t, 'large', { maxBytes: 16 << 20 });
  assert.equal(await says(act.peer), 'connected');
  send(act, 1, 16 << 20);
  const kilobytes = Number(await says(act.peer));
  assert.ok(kilobytes >= 16 && kilobytes <= 8_192, `${kilobytes} kB`);
  assert.deepEqual(await says(act.peer), [{ modified: 1 }, { nothing: true }]);
  assert.equal(await says(act.peer), 1);
  verify(act);
});

test('a system call that would write into a sample fails with EFAULT, and nothing is modified', async (t) => {
  const act = await scene(t, 'read', {});
  assert.equal(await says(act.peer), 'connected');
  send(act);
  assert.equal(await says(act.peer), 'EFAULT');
  assert.deepEqual(await says(act.peer), [{ nothing: true }]);
  assert.equal(await says(act.peer), 1);
});

test('what a dead publisher sent can be misused too, also the last of it', async (t) => {
  const stage = new Stage(t);
  const publisher = stage.peer('sendMany', { count: 2 });
  await publisher.line();
  const peer = stage.peer('orphan', { text: true, script });
  assert.equal(await says(peer), 'connected');
  assert.equal(await publisher.line(), 'sent');
  await publisher.kill();
  peer.tell('dead');
  assert.deepEqual(await says(peer), [{ modified: 1 }, { received: 2 }]);
  assert.deepEqual(await says(peer), [{ modified: 1 }, { nothing: true }]);
  assert.deepEqual(await says(peer), NONE);
});

test('a subscriber that closes with samples that were written into leaves nothing', async (t) => {
  const act = await scene(t, 'close', { history: 1 });
  send(act);
  assert.deepEqual(await says(act.peer), [NONE, NONE]);
  verify(act);
});

test('neither does a worker that is terminated with them', async (t) => {
  const act = await scene(t, 'worker', { history: 1 });
  send(act);
  assert.deepEqual(await says(act.peer), [NONE, NONE]);
  assert.equal(await says(act.peer), 1);
  verify(act);
});
