// Events as a user meets them: what is notified arrives with exact counts, whoever comes first, sleeps, closes, or dies.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type EventNotice,
  type EventOptions,
  type EventService,
  type Listener,
  listServices,
  WaitSet,
} from 'sealane';
import { event, type Peer, Stage, until, type WorkerPeer } from './nodes.test.helper.js';

const script = 'event-peer.test.helper.js';
/** Notices of all kinds. */
const NOTICES = { notifierCreated: 1_000, notifierDropped: 1_001, notifierDead: 1_002 };

class EventStage extends Stage {
  /** An event service in a node of its own. */
  async events(settings: EventOptions = {}, name = 'x'): Promise<EventService> {
    return await (await this.node()).service(name).event(settings);
  }

  player(role: string, options: Record<string, unknown> = {}): Peer {
    return this.peer(role, { ...options, script });
  }

  thread(role: string, options: Record<string, unknown> = {}): WorkerPeer {
    return this.worker(role, { ...options, script });
  }
}

const brief = (notice: EventNotice | undefined) =>
  notice?.type === 'event' ? `${notice.id} ${notice.count}` : notice?.type;

/** All that is there now. */
function all(listener: Listener): (string | undefined)[] {
  const notices: (string | undefined)[] = [];
  for (let notice = listener.receive(); notice !== undefined; notice = listener.receive())
    notices.push(brief(notice));
  return notices;
}

/** A notifier and a listener of two nodes of this process. */
async function pairOf(t: TestContext, settings: EventOptions = {}) {
  const stage = new EventStage(t);
  const [here, there] = [await stage.events(settings), await stage.events(settings)];
  const [notifier, listener] = [await here.notifier(), await there.listener()];
  await Promise.all([notifier.connected(), listener.connected()]);
  return { stage, here, there, notifier, listener };
}

test('what is notified is received with its count and who notified it', async (t) => {
  const { here, notifier, listener } = await pairOf(t);
  assert.equal(listener.receive(), undefined);
  for (const id of [3, 1_023, 3, 0]) assert.equal(notifier.notify(id), 1);
  assert.equal(notifier.notify(), 1);
  const peer = {
    node: here.ports().find(({ kind }) => kind === 'notifier')?.node,
    port: notifier.port,
    pid: process.pid,
  };
  assert.deepEqual(listener.receive(), { type: 'event', id: 0, count: 2, notifier: peer });
  assert.deepEqual(all(listener), ['3 2', '1023 1']);
  assert.deepEqual(notifier.figures.notified, 5);
  assert.deepEqual(listener.figures, { received: 5, notifiers: [peer] });
});

test('a notifier has a default id, and refuses ids that there are not', async (t) => {
  const { here, listener } = await pairOf(t, { eventIds: 8 });
  const notifier = await here.notifier({ id: 7 });
  await listener.connected(2);
  notifier.notify();
  notifier.notifyOne();
  assert.deepEqual(all(listener), ['7 2']);
  for (const wrong of [8, -1, 0.5, Number.NaN, '1', null])
    assert.throws(() => notifier.notify(wrong as number), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
      message: /id must be .*0.*7/,
    });
  await assert.rejects(here.notifier({ id: 8 }), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  await assert.rejects(here.notifier({ port: 1 } as object), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  assert.throws(() => listener.drain(1 as never), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  notifier.close();
  assert.throws(() => notifier.notify(), { code: 'ERR_SEALANE_CLOSED' });
});

test('services of two kinds do not mix, and settings bind as they do elsewhere', async (t) => {
  const stage = new EventStage(t);
  const service = await stage.events({ eventIds: 16, ...{ notifierDead: 15 }, maxListeners: 1 });
  const node = await stage.node();
  const mismatch = { code: 'ERR_SEALANE_SETTINGS_MISMATCH' };
  await assert.rejects(node.service('x').publishSubscribe(), mismatch);
  await assert.rejects(node.service('x').openEvent({ eventIds: 17 }), mismatch);
  await assert.rejects(node.service('x').event({ notifierDead: null }), mismatch);
  await assert.rejects(node.service('x').event({ deadlineMs: 1 }), mismatch);
  await assert.rejects(node.service('x').createEvent(), { code: 'ERR_SEALANE_SERVICE_EXISTS' });
  await assert.rejects(node.service('y').openEvent(), { code: 'ERR_SEALANE_NO_SERVICE' });
  await assert.rejects(node.service('y').event({ eventIds: 4, notifierDropped: 4 }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /notifierDropped.*eventIds is 4/,
  });
  const same = await node.service('x').openEvent({ eventIds: 9 });
  assert.deepEqual(same.settings, service.settings);
  await service.listener();
  await assert.rejects(same.listener(), { code: 'ERR_SEALANE_LIMIT_EXCEEDED', message: /maxListeners/ });
  await stage.service({}, 'z');
  await assert.rejects(node.service('z').event(), mismatch);
});

test('processes find each other in either order, and again when one comes back', async (t) => {
  const stage = new EventStage(t);
  const early = stage.player('notify');
  await early.line();
  const service = await stage.events();
  const listener = await service.listener();
  early.tell('connected');
  assert.equal(await early.line(), 'connected');
  early.tell('9');
  assert.equal(await early.line(), '1');
  assert.equal(brief(await listener.next()), '9 1');
  await early.kill();
  const late = stage.player('notify');
  await late.line();
  late.tell('connected');
  assert.equal(await late.line(), 'connected');
  late.tell('10');
  assert.equal(brief(await listener.next()), '10 1');
});

test('counts are exact up to the death of a notifier that is killed at work, which is told after them', async (t) => {
  const stage = new EventStage(t);
  const service = await stage.events(NOTICES);
  const listener = await service.listener();
  const happened = service.events();
  const file = join(stage.directory, 'count');
  const peer = stage.player('notifyForEver', { settings: NOTICES, file });
  const node = await peer.line();
  await listener.connected();
  let sum = 0;
  for (const end = performance.now() + 200; performance.now() < end; ) {
    const notice = await listener.next();
    if (notice.type === 'event' && notice.id < 50) sum += notice.count;
    assert.ok(sum < 2 ** 40);
  }
  await peer.kill();
  let dead = 0;
  while (dead === 0) {
    const notice = await listener.next();
    assert.equal(notice.type, 'event');
    if (notice.id < 50) sum += notice.count;
    else dead += notice.id === NOTICES.notifierDead ? notice.count : 0;
  }
  assert.equal(listener.receive(), undefined);
  const said = Number(readFileSync(file).readBigUInt64LE());
  assert.ok(sum === said || sum === said + 1, `${sum} were received, ${said} had returned`);
  assert.equal((await event(happened, 'lost')).peer.node, node);
  await until(() => stage.filesOf(node).length === 0);
  assert.deepEqual(listener.figures.notifiers, []);
});

test('a notifier is told as created, and as dropped when it was closed, after the last of what it notified', async (t) => {
  const { listener, notifier, here } = await pairOf(t, NOTICES);
  assert.deepEqual(all(listener), ['1000 1']);
  const other = await here.notifier();
  await listener.connected(2);
  other.notify(4);
  other.close();
  notifier.notify(5);
  await until(() => listener.figures.notifiers.length === 1);
  const notices = all(listener);
  assert.deepEqual([...notices].sort(), ['1000 1', '1001 1', '4 1', '5 1']);
  assert.ok(notices.indexOf('1000 1') < notices.indexOf('4 1'));
  assert.ok(notices.indexOf('4 1') < notices.indexOf('1001 1'));
});

test('a worker that is terminated is a notifier that died', async (t) => {
  const stage = new EventStage(t);
  const listener = await (await stage.events(NOTICES)).listener();
  const peer = stage.thread('notify', { settings: NOTICES });
  await peer.line();
  await listener.connected();
  peer.tell('1');
  assert.equal(await peer.line(), '1');
  await peer.worker.terminate();
  const notices = [await listener.next(), await listener.next(), await listener.next()].map(brief);
  assert.deepEqual(notices, ['1000 1', '1 1', '1002 1']);
});

test('a listener that is killed costs its notifier nothing', async (t) => {
  const stage = new EventStage(t);
  const service = await stage.events();
  const notifier = await service.notifier();
  const [victim, other] = [stage.player('listen'), stage.player('listen')];
  const node = await victim.line();
  await other.line();
  await notifier.connected(2);
  notifier.notify(1);
  await victim.kill();
  while (notifier.figures.listeners.length > 1) {
    notifier.notify(2);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(notifier.notify(3), 1);
  other.tell('receive');
  assert.equal(await other.line(), '1 1');
  await until(() => stage.filesOf(node).length === 0);
});

test('one listener is told: one that sleeps, else each in turn', async (t) => {
  const stage = new EventStage(t);
  const service = await stage.events();
  const notifier = await service.notifier();
  assert.equal(notifier.notifyOne(0), 0);
  const listeners = [await service.listener(), await service.listener(), await service.listener()];
  await notifier.connected(3);
  await Promise.all(listeners.map((listener) => listener.connected()));
  for (let round = 0; round < 6; round++) assert.equal(notifier.notifyOne(1), 1);
  assert.deepEqual(listeners.map(all), [['1 2'], ['1 2'], ['1 2']]);
  const sleeper = listeners[1]?.next();
  notifier.notifyOne(2);
  assert.equal(brief(await sleeper), '2 1');
  assert.deepEqual(listeners.map(all), [[], [], []]);
});

test('nobody loses anything, however long it sleeps and however it waits', async (t) => {
  const stage = new EventStage(t);
  const service = await stage.events();
  const waits: ((listener: Listener) => Promise<EventNotice | undefined>)[] = [
    async (listener) => await listener.next(),
    async (listener) => listener.receiveBlocking({ timeoutMs: 50 }),
    async (listener) => listener.receiveBlocking({ timeoutMs: 50, spinMs: 0 }),
    async (listener) => listener.receive(),
  ];
  for (const wait of waits) {
    const listener = await service.listener();
    const peer = stage.player('notifyMany', { count: 20_000 });
    await peer.line();
    const counts = new Float64Array(1_024);
    for (let sum = 0; sum < 20_000; ) {
      const notice = await wait(listener);
      if (notice?.type !== 'event') continue;
      counts[notice.id] = (counts[notice.id] as number) + notice.count;
      sum += notice.count;
    }
    assert.equal(await peer.line(), 'done');
    assert.equal(listener.receive(), undefined);
    // 7 and 1,024 have no common divisor, so that ids come in turn.
    const expected = counts.map((_, id) => (((id * 439) % 1_024) + 1_024 * 19 < 20_000 ? 20 : 19));
    assert.deepEqual(counts, expected);
    listener.close();
    await peer.kill();
  }
});

test('an event goes to and fro between processes that both block', async (t) => {
  const stage = new EventStage(t);
  const service = await stage.events();
  const listener = await (await stage.events({}, 'back')).listener();
  const notifier = await service.notifier();
  await stage.player('echo').line();
  await notifier.connected();
  await listener.connected();
  for (let round = 0; round < 2_000; round++) {
    notifier.notify(round % 1_024);
    assert.equal(brief(listener.receiveBlocking()), `${round % 1_024} 1`);
  }
});

test('a worker that blocks can be terminated, and its listener is gone', async (t) => {
  const stage = new EventStage(t);
  const service = await stage.events();
  const notifier = await service.notifier();
  const peer = stage.thread('block', { stop: '' });
  const node = await peer.line();
  await notifier.connected();
  notifier.notify(5);
  assert.equal(await peer.line(), '5 1');
  await peer.worker.terminate();
  await until(() => notifier.figures.listeners.length === 0);
  await until(() => stage.filesOf(node).length === 0);
});

test('a missed deadline is told, once for each, and not while something comes', async (t) => {
  const { notifier, listener } = await pairOf(t, { deadlineMs: 50 });
  const first = await listener.next();
  assert.ok(first.type === 'deadline' && first.elapsedMs >= 50);
  assert.equal(listener.receive(), undefined);
  const second = listener.receiveBlocking();
  assert.ok(second?.type === 'deadline' && second.elapsedMs >= first.elapsedMs + 50);
  notifier.notify(1);
  assert.equal(brief(listener.receiveBlocking()), '1 1');
  const third = await listener.next();
  assert.ok(third.type === 'deadline' && third.elapsedMs >= 50);
  assert.equal(listener.receiveBlocking({ timeoutMs: 0 }), undefined);
});

test('a thread that waits to drain sleeps on when a deadline is missed, which it is not told of', async (t) => {
  const { listener } = await pairOf(t, { deadlineMs: 10 });
  const before = process.cpuUsage();
  assert.equal(
    listener.drainBlocking(() => assert.fail(), { timeoutMs: 500 }),
    0,
  );
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 100_000, `${user + system} us of processor time`);
  const notice = listener.receive();
  assert.ok(notice?.type === 'deadline' && notice.elapsedMs >= 500);
});

test('waiting ends with an abort, a timeout, or the listener', async (t) => {
  const { listener, notifier } = await pairOf(t);
  await assert.rejects(listener.next({ signal: AbortSignal.timeout(5) }), { code: 'ERR_SEALANE_ABORTED' });
  assert.equal(listener.receiveBlocking({ timeoutMs: 5 }), undefined);
  assert.equal(
    listener.drainBlocking(() => assert.fail(), { timeoutMs: 5, spinMs: 0 }),
    0,
  );
  const seen: (string | undefined)[] = [];
  const done = (async () => {
    for await (const notice of listener) seen.push(brief(notice));
  })();
  notifier.notify(8);
  await until(() => seen.length > 0);
  listener.close();
  await done;
  assert.deepEqual(seen, ['8 1']);
  assert.throws(() => listener.receive(), { code: 'ERR_SEALANE_CLOSED' });
  assert.throws(() => listener.fd, { code: 'ERR_SEALANE_CLOSED' });
  await assert.rejects(listener.connected(), { code: 'ERR_SEALANE_CLOSED' });
});

test('nothing but receiving tells of a missed deadline: no draining, no set, no descriptor', async (t) => {
  const { listener } = await pairOf(t, { deadlineMs: 10 });
  assert.equal(
    listener.drainBlocking(() => {}, { timeoutMs: 30 }),
    0,
  );
  using ports = new WaitSet();
  ports.attach(listener);
  assert.deepEqual(ports.wait({ timeoutMs: 30 }), []);
  ports.close();
  using descriptors = new WaitSet();
  descriptors.attachDescriptor(listener.fd);
  assert.deepEqual(descriptors.wait({ timeoutMs: 30 }), []);
  assert.equal(listener.receive()?.type, 'deadline');
});

test('draining hands over everything, and what a handler throws at comes the next time', async (t) => {
  const { listener, notifier } = await pairOf(t);
  for (const id of [1, 2, 3]) notifier.notify(id);
  const first: number[] = [];
  assert.throws(() => listener.drain((id) => first.push(id) && assert.fail('no more')), /no more/);
  assert.deepEqual(first, [1]);
  const rest: [number, number][] = [];
  assert.equal(
    listener.drain((id, count) => rest.push([id, count])),
    2,
  );
  assert.deepEqual(rest, [
    [2, 1],
    [3, 1],
  ]);
  assert.equal(
    listener.drain(() => undefined),
    0,
  );
});

test('a handler that closes its listener is handed nothing more, and no notifier counts as dead', async (t) => {
  const { listener, notifier } = await pairOf(t, NOTICES);
  notifier.notify(1);
  notifier.notify(2);
  const handed: number[] = [];
  listener.drain((id) => {
    handed.push(id);
    if (id === 1) listener.close();
  });
  assert.deepEqual(handed, [NOTICES.notifierCreated, 1]);
  assert.equal(listener.figures.received, 2);
});

test('a publisher notifies after each sample, until the notifier is closed', async (t) => {
  const { stage, notifier, listener } = await pairOf(t);
  const samples = await stage.service({ maxBytes: 64 }, 'samples');
  const publisher = await samples.publisher({ notifies: { notifier, id: 6 } });
  const subscriber = await samples.subscriber();
  await subscriber.connected();
  publisher.sendCopy(new Uint8Array(1));
  using loan = publisher.loan(1);
  await loan.sendAsync();
  assert.deepEqual(all(listener), ['6 2']);
  notifier.close();
  publisher.sendCopy(new Uint8Array(1));
  assert.equal(subscriber.receiveBatch(9).length, 3);
  for (const wrong of [{}, { notifier: publisher }, { notifier, id: 1_024 }, { notifier, more: 1 }])
    await assert.rejects(samples.publisher({ notifies: wrong as never }), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
    });
});

test('a listener without descriptors is degraded, and connects once it has some', async (t) => {
  const stage = new EventStage(t);
  const few = { wrapper: ['sh', '-c', 'ulimit -n 400; exec "$@"', 'sh'] };
  const peer = stage.peer('starvedListener', { script }, few);
  await peer.line();
  const notifier = await (await stage.events()).notifier();
  assert.equal(await peer.line(), 'ERR_SEALANE_EXHAUSTED');
  peer.tell('go on');
  assert.equal(await peer.line(), 'connected');
  await notifier.connected();
});

test('a listing tells event services with their settings and ports', async (t) => {
  const { stage, here, notifier } = await pairOf(t, { eventIds: 12 });
  const [found] = await listServices({ directory: stage.directory });
  assert.ok(found?.messaging === 'event' && found.settings.eventIds === 12);
  assert.deepEqual(found.ports.map(({ kind }) => kind).sort(), ['listener', 'notifier']);
  assert.deepEqual(
    here.ports().flatMap(({ kind, options }) => (kind === 'notifier' ? [{ ...options }] : [])),
    [{ id: notifier.id }],
  );
});

test('a notifier that closes before its listener knows that it was accepted has notified it all the same', async (t) => {
  const stage = new EventStage(t);
  const here = await stage.events();
  const notifier = await here.notifier();
  const there = await stage.events();
  const listener = await there.listener();
  // What the listener's node hears of first is the other port, and with it that this one is gone.
  const other = here.notifier();
  let told = 0;
  while (told === 0) told = notifier.notify(7);
  assert.equal(notifier.notify(7), 1);
  notifier.close();
  assert.equal(brief(listener.receiveBlocking({ timeoutMs: 10_000 })), '7 2');
  await other;
});
