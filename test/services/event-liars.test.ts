// Hostile peers of event services: whatever a listener or a notifier writes, sends or hands out, honest pairs keep exact counts, liars lose
// their connections, and nothing of them stays.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { EventService, Listener, Notifier, ServiceEvent } from 'sealane';
import {
  Domain,
  EVENTS_COUNTS_AT,
  EVENTS_LISTENER_WAITING_AT,
  EVENTS_PENDING_AT,
  encodeConnect,
  Memfd,
  serviceFolderName,
  UnixSocket,
} from 'sealane/internal';
import { FalseEvents, LyingListener, LyingNotifier } from './event-liars.test.helper.js';
import { holdings } from './kernel.test.helper.js';
import { nextPacket } from './liar.test.helper.js';
import { Stage, until } from './nodes.test.helper.js';
import { randomFrom } from './payload.test.helper.js';

const COUNTS = EVENTS_COUNTS_AT / 4;
const PENDING = EVENTS_PENDING_AT / 4;
const WAITING = EVENTS_LISTENER_WAITING_AT / 4;
/** Notices of the end of a notifier. */
const DEAD = 63;

interface Honest {
  readonly domain: Domain;
  readonly node: string;
  readonly service: EventService;
  readonly notifier: Notifier;
  readonly listener: Listener;
  readonly happened: ServiceEvent[];
}

/** A notifier and a listener of two nodes that mean well. */
async function honest(t: TestContext): Promise<Honest> {
  const stage = new Stage(t);
  const [a, b] = [await stage.node('a'), await stage.node('b')];
  const settings = { eventIds: 64, notifierDead: DEAD };
  const [here, there] = [await a.service('x').event(settings), await b.service('x').event(settings)];
  const [notifier, listener] = [await here.notifier(), await there.listener()];
  await Promise.all([notifier.connected(), listener.connected()]);
  const happened: ServiceEvent[] = [];
  for (const service of [here, there]) void follow(service, happened);
  const domain = Domain.open({ directory: stage.directory });
  return { domain, node: a.id, service: here, notifier, listener, happened };
}

async function follow(service: EventService, into: ServiceEvent[]): Promise<void> {
  for await (const event of service.events()) into.push(event);
}

/** What the honest listener has got of the honest notifier since the last time, by id; and of liars, how often the id of their deaths. */
function received({ listener, node }: Honest): Map<number, number> {
  const counts = new Map<number, number>();
  for (let notice = listener.receive(); notice !== undefined; notice = listener.receive())
    if (notice.type === 'event' && notice.notifier.node === node)
      counts.set(notice.id, (counts.get(notice.id) ?? 0) + notice.count);
  return counts;
}

/** Errors that were told of liars. */
const lies = ({ happened }: Honest) =>
  happened.flatMap((event) => (event.type === 'lost' && event.error ? [event.error.message] : []));

/** The honest pair does its work. */
function work(pair: Honest): void {
  received(pair);
  for (const id of [1, 40, 1]) pair.notifier.notify(id);
  assert.deepEqual(
    received(pair),
    new Map([
      [1, 2],
      [40, 1],
    ]),
  );
}

test('a listener that writes anything anywhere spoils only its own events', async (t) => {
  const pair = await honest(t);
  const random = randomFrom(11);
  using liar = await LyingListener.connect(pair.domain, pair.node, pair.notifier.port);
  await pair.notifier.connected(2);
  const values = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)];
  for (let round = 0; round < 500; round++) {
    for (let word = 0; word < liar.words.length; word++)
      liar.words[word] = values[Math.floor(random() * values.length)] ?? 0;
    work(pair);
  }
  assert.deepEqual(lies(pair), []);
});

test('a listener that says it waits but never reads does not hold the notifier up', async (t) => {
  const pair = await honest(t);
  using liar = await LyingListener.connect(pair.domain, pair.node, pair.notifier.port);
  await pair.notifier.connected(2);
  for (let round = 0; round < 5_000; round++) {
    liar.words[WAITING] = 1;
    liar.words.fill(0, PENDING, COUNTS);
    pair.notifier.notify(round % 64);
  }
  assert.equal(
    [...received(pair).values()].reduce((sum, count) => sum + count),
    5_000,
  );
});

test('a listener that sends wake-ups or anything else loses its connection', async (t) => {
  const pair = await honest(t);
  for (const packets of [Array.from({ length: 20 }, () => new Uint8Array(1)), [new Uint8Array(9)]]) {
    using liar = await LyingListener.connect(pair.domain, pair.node, pair.notifier.port);
    await pair.notifier.connected(2);
    for (const packet of packets) liar.socket.send(packet);
    await until(() => pair.notifier.figures.listeners.length === 1);
    work(pair);
  }
  await until(() => lies(pair).length === 2);
});

test('a notifier that hands out what it may not is not connected to', async (t) => {
  const pair = await honest(t);
  using liar = new LyingNotifier(pair.domain);
  using good = new FalseEvents(64);
  using small = new FalseEvents(8);
  using unsealed = Memfd.create('false-unsealed', good.memory.size);
  const degraded = () => pair.happened.filter(({ type }) => type === 'degraded').length;
  const offers: [FalseEvents, number[]][] = [
    [good, []],
    [good, [good.memory.descriptor, good.memory.descriptor]],
    [good, [small.memory.descriptor]],
    [small, [small.memory.descriptor]],
    [good, [unsealed.fd]],
  ];
  for (const [index, [events, descriptors]] of offers.entries()) {
    using socket = await liar.accept(events, descriptors);
    await until(() => degraded() > index);
    assert.equal(await nextPacket(socket, new Uint8Array(8)), undefined);
    work(pair);
  }
  using _socket = await liar.accept(good);
  await pair.listener.connected(2);
});

test('a notifier whose numbers can not be loses its connection, and is told as dead', async (t) => {
  const pair = await honest(t);
  using liar = new LyingNotifier(pair.domain);
  const ways: ((words: Int32Array) => void)[] = [
    (words) => words.set([-1, 0], COUNTS),
    (words) => words.set([0, -5], COUNTS),
    (words) => words.fill(-1),
    (words) => words.set([2 ** 30, 7], COUNTS),
  ];
  for (const [index, lie] of ways.entries()) {
    using events = new FalseEvents(64);
    using socket = await liar.accept(events);
    await pair.listener.connected(2);
    events.words.set([0, 3], COUNTS);
    events.words[PENDING] = 1;
    assert.deepEqual(
      { ...pair.listener.receive(), notifier: 0 },
      { type: 'event', id: 0, count: 3, notifier: 0 },
    );
    lie(events.words);
    events.words[PENDING] = 1;
    assert.equal(pair.listener.receive()?.type === 'event' && pair.listener.figures.notifiers.length, 1);
    assert.equal(await nextPacket(socket, new Uint8Array(8)), undefined);
    await until(() => lies(pair).length > index);
    work(pair);
  }
  assert.match(lies(pair)[0] ?? '', /can not be/);
});

test('a notifier that goes on writing after its end is not listened to', async (t) => {
  const pair = await honest(t);
  const liar = new LyingNotifier(pair.domain);
  using events = new FalseEvents(64);
  const socket = await liar.accept(events);
  await pair.listener.connected(2);
  socket.close();
  liar[Symbol.dispose]();
  let sum = 0;
  for (let round = 1; ; round++) {
    events.words[COUNTS + 1] = round;
    events.words[PENDING] = 1;
    const notice = pair.listener.receive();
    if (notice?.type === 'event' && notice.id === DEAD) break;
    sum += notice?.type === 'event' ? notice.count : 0;
    await turn();
  }
  events.words[PENDING] = 1;
  assert.equal(pair.listener.receive(), undefined);
  assert.ok(sum >= 0);
  work(pair);
});

test('requests of the wrong kind, and of none, are refused', async (t) => {
  const pair = await honest(t);
  const parties = { service: serviceFolderName('x'), sender: 1, node: 'badbadbadbadbad1', receiver: 1 };
  const event = encodeConnect({ messaging: 'event', ...parties });
  const sizes = { bufferSize: 1, maxBorrowed: 1, history: 0 };
  const subscribe = encodeConnect({ messaging: 'publish-subscribe', ...parties, ...sizes });
  const unknown = Uint8Array.from(event).fill(2, 18, 19);
  for (const [packet, reason] of [
    [subscribe, 1],
    [unknown, 6],
    [event.subarray(0, 40), 6],
  ] as const) {
    using socket = UnixSocket.connect(pair.domain.nodeSocket(pair.node));
    assert.ok(socket !== undefined);
    socket.send(packet);
    const answer = await nextPacket(socket, new Uint8Array(1_024));
    assert.deepEqual([answer?.bytes[6], answer?.bytes[8]], [3, reason]);
  }
  work(pair);
});

test('nothing stays of pairs that came and went', async (t) => {
  const pair = await honest(t);
  const before = holdings();
  for (let round = 0; round < 20; round++) {
    const [notifier, listener] = [await pair.service.notifier(), await pair.service.listener()];
    await notifier.connected(2);
    await listener.connected(2);
    notifier.notify(round);
    if (round % 2 === 0) notifier.close();
    listener.close();
    notifier.close();
  }
  await until(() => pair.notifier.figures.listeners.length === 1);
  await until(() => pair.listener.figures.notifiers.length === 1);
  received(pair);
  // What was under way when a side closed is given back at the next turns of the event loop.
  await until(() => isDeepStrictEqual(holdings(), before));
});
