/** A WaitSet of one thread: what it reports and how often, what it costs to wait, and what it leaves behind. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isSealaneError } from '../base/errors.js';
import { MAX_POLL_MS, UnixSocket } from '../os/index.js';
import { freshDirectory } from './domain/domain.test.helper.js';
import { Node } from './node.js';
import type { Publisher } from './samples/publisher.js';
import type { Subscriber } from './samples/subscriber.js';
import { WaitSet } from './wait-set.js';
import type { Ready } from './wait-set-attachment.js';

const HELLO = new Uint8Array([1]);

interface Pair {
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;
  readonly node: Node;
}

/** A publisher and a subscriber of this thread, each in a node of its own. */
async function pair(t: TestContext, directory = freshDirectory(t)): Promise<Pair> {
  const nodes = [await Node.create({ name: 'a', directory }), await Node.create({ name: 'b', directory })];
  t.after(() => nodes.forEach((node) => void node.close()));
  const [one, two] = nodes as [Node, Node];
  const publisher = await (await one.service('x').publishSubscribe()).publisher();
  const subscriber = await (await two.service('x').publishSubscribe()).subscriber();
  await Promise.all([publisher.connected(), subscriber.connected()]);
  return { publisher, subscriber, node: two };
}

/** A pipe with both ends in one descriptor. */
function openPipe(t: TestContext): number {
  const path = join(freshDirectory(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => closeSync(fd));
  return fd;
}

/** Without the attachment, whose name says which it is. */
function plain(reports: readonly Ready[]): Record<string, unknown>[] {
  return reports.map(({ attachment, ...rest }) => ({ name: attachment.name, ...rest }));
}

/** How many times each is reported within that time. Reads nothing. */
function countReports(set: WaitSet, ms: number): Map<string, number> {
  const counts = new Map<string, number>();
  const until = performance.now() + ms;
  for (let leftMs = ms; leftMs > 0; leftMs = until - performance.now()) {
    for (const { attachment } of set.wait({ timeoutMs: leftMs }))
      counts.set(attachment.name, (counts.get(attachment.name) ?? 0) + 1);
  }
  return counts;
}

/** How often this thread has gone to sleep. */
function sleeps(): number {
  const status = readFileSync('/proc/thread-self/status', 'latin1');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => isSealaneError(error) && error.code === code;
}

test('ports of several nodes are reported in the order in which they were attached; when nothing comes, nothing is', async (t) => {
  const pairs = [await pair(t), await pair(t), await pair(t)];
  using set = new WaitSet();
  pairs.forEach(({ subscriber }, index) => void set.attach(subscriber, { name: `pair ${index}` }));
  assert.deepEqual(set.wait({ timeoutMs: 0 }), []);
  const beganMs = performance.now();
  assert.deepEqual(set.wait({ timeoutMs: 20 }), []);
  assert.ok(performance.now() - beganMs >= 20);
  pairs[2]?.publisher.sendCopy(HELLO);
  pairs[1]?.publisher.sendCopy(HELLO);
  assert.deepEqual(plain(set.wait()), [
    { name: 'pair 1', type: 'port', unread: false },
    { name: 'pair 2', type: 'port', unread: false },
  ]);
});

test('a port of which something was received is reported again at once while there is more', async (t) => {
  const { publisher, subscriber } = await pair(t);
  using set = new WaitSet();
  set.attach(subscriber);
  for (let count = 0; count < 4; count++) publisher.sendCopy(HELLO);
  for (let count = 0; count < 4; count++) {
    assert.deepEqual(plain(set.wait({ timeoutMs: 0 })), [{ name: 'port 1', type: 'port', unread: false }]);
    subscriber.receive()?.release();
  }
  assert.deepEqual(set.wait({ timeoutMs: 0 }), []);
});

test('a listener is waited for as a subscriber is, and told of as unread while nothing is received from it', async (t) => {
  const directory = freshDirectory(t);
  await using node = await Node.create({ name: 'events', directory });
  const service = await node.service('e').event();
  const [notifier, listener] = [await service.notifier(), await service.listener()];
  await Promise.all([notifier.connected(), listener.connected()]);
  using set = new WaitSet();
  const attached = set.attachDeadline(listener, 30, { name: 'events' });
  assert.equal(set.wait()[0]?.type, 'deadline');
  for (let round = 1; round < 20; round++) {
    for (let count = 0; count < round; count++) notifier.notify(7);
    assert.deepEqual(set.wait(), [{ type: 'port', attachment: attached, unread: false }]);
    const told: number[][] = [];
    listener.drain((id, count) => void told.push([id, count]));
    assert.deepEqual(told, [[7, round]]);
  }
  notifier.notify(8);
  assert.deepEqual(set.wait(), [{ type: 'port', attachment: attached, unread: false }]);
  assert.deepEqual(set.wait(), [{ type: 'port', attachment: attached, unread: true }]);
  listener.close();
  assert.deepEqual(set.wait(), [{ type: 'closed', attachment: attached }]);
});

test('a port that is emptied, and to which more comes before the next wait, is reported at once', async (t) => {
  const { publisher, subscriber } = await pair(t);
  using set = new WaitSet();
  set.attach(subscriber);
  for (let round = 0; round < 50; round++) {
    publisher.sendCopy(HELLO);
    assert.deepEqual(plain(set.wait()), [{ name: 'port 1', type: 'port', unread: false }]);
    subscriber.receive()?.release();
    assert.equal(subscriber.receive(), undefined);
  }
});

test('what is left unread is told as unread, ten times a second at most, and does not hold back the others', async (t) => {
  const [silent, read] = [await pair(t), await pair(t)];
  using set = new WaitSet();
  const unread = set.attach(silent.subscriber, { name: 'unread' });
  set.attach(read.subscriber, { name: 'read' });
  silent.publisher.sendCopy(HELLO);
  assert.deepEqual(plain(set.wait()), [{ name: 'unread', type: 'port', unread: false }]);
  read.publisher.sendCopy(HELLO);
  assert.deepEqual(plain(set.wait()), [{ name: 'read', type: 'port', unread: false }]);
  read.subscriber.receive()?.release();
  const [report, ...more] = set.wait();
  assert.deepEqual([report, more], [{ type: 'port', attachment: unread, unread: true }, []]);
  const [before, usage] = [sleeps(), process.cpuUsage()];
  assert.ok((countReports(set, 1_000).get('unread') ?? 0) <= 10);
  assert.ok(sleeps() - before <= 20, `${sleeps() - before} sleeps`);
  const { user, system } = process.cpuUsage(usage);
  assert.ok(user + system < 200_000, `${user + system} us of processor time`);
  silent.subscriber.receive()?.release();
  silent.publisher.sendCopy(HELLO);
  assert.deepEqual(plain(set.wait()), [{ name: 'unread', type: 'port', unread: false }]);
});

test('an idle wait of two seconds sleeps twenty times, and uses next to no processor time', async (t) => {
  const pairs = [await pair(t), await pair(t), await pair(t)];
  using set = new WaitSet();
  for (const { subscriber } of pairs) set.attach(subscriber);
  set.attachDescriptor(openPipe(t));
  set.attachDeadline((pairs[0] as Pair).subscriber, 60_000);
  set.attachInterval(60_000);
  assert.deepEqual(set.wait({ timeoutMs: MAX_POLL_MS }), []);
  const [before, usage] = [sleeps(), process.cpuUsage()];
  assert.deepEqual(set.wait({ timeoutMs: 2_000 }), []);
  const { user, system } = process.cpuUsage(usage);
  // Each slice is one sleep; to wait for a page or for another thread of this process is one too. Who spins has thousands.
  assert.ok(sleeps() - before <= 40, `${sleeps() - before} sleeps`);
  assert.ok(user + system < 400_000, `${user + system} us of processor time`);
});

test('a port with a deadline is reported when nothing came in time, and again, until something comes', async (t) => {
  const { publisher, subscriber } = await pair(t);
  using set = new WaitSet();
  const attached = set.attachDeadline(subscriber, 30, { name: 'heart' });
  for (const leastMs of [30, 60]) {
    const [report, ...more] = set.wait();
    assert.ok(report?.type === 'deadline' && report.attachment === attached && more.length === 0);
    assert.ok(report.elapsedMs >= leastMs, `${report.elapsedMs} ms`);
  }
  publisher.sendCopy(HELLO);
  assert.deepEqual(plain(set.wait()), [{ name: 'heart', type: 'port', unread: false }]);
  subscriber.receive()?.release();
  const beganMs = performance.now();
  const [late] = set.wait();
  assert.ok(late?.type === 'deadline' && performance.now() - beganMs >= 29, 'the time begins anew');
});

test('an interval is reported in step, with the periods that have passed while nobody waited', () => {
  using set = new WaitSet();
  const beforeMs = performance.now();
  const attached = set.attachInterval(20);
  const afterMs = performance.now();
  let periods = 0;
  const take = (): number => {
    const calledMs = performance.now();
    const [report] = set.wait();
    assert.ok(report?.type === 'interval' && report.attachment === attached);
    periods += report.periods;
    assert.ok(performance.now() - beforeMs >= periods * 20, 'none comes early');
    assert.ok(calledMs - afterMs < (periods + 1) * 20, 'none is forgotten');
    return report.periods;
  };
  for (let count = 0; count < 5; count++) take();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 70);
  assert.ok(take() >= 3);
});

test('a descriptor is reported when something is added to it, and its end as well', (t) => {
  const [one, two] = UnixSocket.pair();
  t.after(() => one.close());
  const fd = openPipe(t);
  using set = new WaitSet();
  set.attachDescriptor(one.fd, { name: 'socket' });
  set.attachDescriptor(fd, { name: 'pipe', readable: true });
  assert.deepEqual(set.wait({ timeoutMs: 20 }), []);
  writeSync(fd, 'x');
  two.send(Buffer.from('y'));
  const ready = { type: 'descriptor', readable: true, writable: false, unread: false };
  assert.deepEqual(plain(set.wait()), [
    { name: 'socket', ...ready },
    { name: 'pipe', ...ready },
  ]);
  readSync(fd, Buffer.alloc(10));
  one.receive(Buffer.alloc(10));
  for (let round = 0; round < 50; round++) {
    writeSync(fd, 'z');
    assert.deepEqual(plain(set.wait()), [{ name: 'pipe', ...ready }]);
    readSync(fd, Buffer.alloc(10));
  }
  two.close();
  assert.deepEqual(plain(set.wait()), [{ name: 'socket', ...ready, writable: true }]);
});

test('what is left of a descriptor is told as unread, ten times a second at most, until it is read', (t) => {
  const fd = openPipe(t);
  using set = new WaitSet();
  set.attachDescriptor(fd, { name: 'pipe' });
  writeSync(fd, 'xyz');
  const ready = { name: 'pipe', type: 'descriptor', readable: true, writable: false };
  assert.deepEqual(plain(set.wait()), [{ ...ready, unread: false }]);
  readSync(fd, Buffer.alloc(1));
  assert.deepEqual(plain(set.wait()), [{ ...ready, unread: true }]);
  const before = sleeps();
  assert.ok((countReports(set, 1_000).get('pipe') ?? 0) <= 10);
  assert.ok(sleeps() - before <= 20, `${sleeps() - before} sleeps`);
  writeSync(fd, 'more');
  assert.deepEqual(plain(set.wait()), [{ ...ready, unread: false }]);
  readSync(fd, Buffer.alloc(100));
  assert.deepEqual(set.wait({ timeoutMs: 250 }), []);
});

test('of a hundred descriptors all are reported, and all as unread when they are left so', (t) => {
  const pairs = Array.from({ length: 100 }, () => UnixSocket.pair());
  t.after(() => pairs.flat().forEach((socket) => void socket.close()));
  using set = new WaitSet();
  for (const [one, two] of pairs) {
    set.attachDescriptor(one.fd);
    two.send(Buffer.from('x'));
  }
  const unread = (reports: readonly Ready[]) =>
    reports.filter((report) => report.type === 'descriptor' && report.unread).length;
  const first = set.wait();
  assert.deepEqual([first.length, unread(first)], [100, 0]);
  const second = set.wait();
  assert.deepEqual([second.length, unread(second)], [100, 100]);
});

test('a descriptor is attached for writing, or both', (t) => {
  const [fd, other] = [openPipe(t), openPipe(t)];
  using set = new WaitSet();
  set.attachDescriptor(fd, { name: 'out', readable: false, writable: true });
  set.attachDescriptor(other, { name: 'both', writable: true });
  writeSync(other, 'x');
  const ready = { type: 'descriptor', writable: true, unread: false };
  assert.deepEqual(plain(set.wait()), [
    { name: 'out', ...ready, readable: false },
    { name: 'both', ...ready, readable: true },
  ]);
});

test('the writer of a pipe in another process is waited for', async (t) => {
  const path = join(freshDirectory(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(fd));
  const writer = spawn('sh', ['-c', 'sleep 0.2; exec echo hello > "$1"', 'sh', path], { stdio: 'ignore' });
  using set = new WaitSet();
  set.attachDescriptor(fd);
  const [report] = set.wait();
  assert.ok(report?.type === 'descriptor' && report.readable);
  const bytes = Buffer.alloc(10);
  assert.equal(bytes.toString('latin1', 0, readSync(fd, bytes)), 'hello\n');
  await once(writer, 'exit');
});

test('a port that is closed, or whose node is, is reported as closed, once, and detached', async (t) => {
  const pairs = [await pair(t), await pair(t)] as [Pair, Pair];
  using set = new WaitSet();
  const [first, second] = pairs.map(({ subscriber }) => set.attach(subscriber));
  const interval = set.attachInterval(60_000);
  pairs[0].subscriber.close();
  assert.deepEqual(set.wait(), [{ type: 'closed', attachment: first }]);
  assert.equal(first?.attached, false);
  pairs[1].node.close();
  assert.deepEqual(set.wait(), [{ type: 'closed', attachment: second }]);
  assert.deepEqual([set.size, interval.attached], [1, true]);
  assert.deepEqual(set.wait({ timeoutMs: 0 }), []);
});

test('a descriptor that is closed while it is attached is detached when that shows, and its number may be attached again', (t) => {
  const [one, two] = UnixSocket.pair();
  const [three, four] = UnixSocket.pair();
  t.after(() => [two, three, four].forEach((socket) => void socket.close()));
  using set = new WaitSet();
  const attached = set.attachDescriptor(one.fd, { name: 'first' });
  two.send(Buffer.from('x'));
  assert.equal(set.wait().length, 1);
  one.close();
  assert.deepEqual(plain(set.wait()), [{ name: 'first', type: 'closed' }]);
  assert.equal(attached.attached, false);
  const { fd: staleFd } = three;
  const stale = set.attachDescriptor(staleFd, { name: 'stale' });
  three.close();
  const [five, six] = UnixSocket.pair();
  t.after(() => [five, six].forEach((socket) => void socket.close()));
  const reused = [five, six].find(({ fd }) => fd === staleFd);
  assert.ok(reused, 'the lowest number that is free is the next');
  set.attachDescriptor(reused.fd, { name: 'second' });
  stale.detach();
  (reused === five ? six : five).send(Buffer.from('y'));
  assert.deepEqual(
    plain(set.wait()).map(({ name }) => name),
    ['second'],
  );
});

test('a node that got the number of a descriptor which was closed while it was attached is served as any other', async (t) => {
  using set = new WaitSet();
  for (const socket of Array.from({ length: 10 }, () => UnixSocket.pair()).flat()) {
    set.attachDescriptor(socket.fd, { writable: true });
    assert.equal(set.wait().length, 1);
    socket.close();
  }
  const { publisher, subscriber } = await pair(t);
  set.attach(subscriber);
  for (let waits = 0; set.size > 1; waits++) {
    assert.ok(waits < 20);
    for (const { type } of set.wait({ timeoutMs: 1_000 })) assert.equal(type, 'closed');
  }
  publisher.sendCopy(HELLO);
  assert.deepEqual(plain(set.wait()), [{ name: 'port 1', type: 'port', unread: false }]);
});

/** What an epoll instance watches, as the kernel tells. */
function watched(): number {
  const lines = readdirSync('/proc/self/fdinfo').flatMap((fd) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1').split('\n');
    } catch {
      return [];
    }
  });
  return lines.filter((line) => line.startsWith('tfd:')).length;
}

test('attaching and detaching ten thousand times leaves nothing behind, nor does closing the set', async (t) => {
  const { publisher, subscriber } = await pair(t);
  const fd = openPipe(t);
  const set = new WaitSet();
  const [descriptors, watches] = [readdirSync('/proc/self/fd').length, watched()];
  for (let count = 0; count < 10_000; count++) {
    using _port = set.attach(subscriber);
    using _again = set.attachDeadline(subscriber, 1_000);
    using _descriptor = set.attachDescriptor(fd);
    const interval = set.attachInterval(1_000);
    if (count % 100 === 0) assert.deepEqual(set.wait({ timeoutMs: 0 }), []);
    interval.detach();
    interval.detach();
  }
  assert.equal(set.size, 0);
  assert.deepEqual([readdirSync('/proc/self/fd').length, watched()], [descriptors, watches]);
  const kept = [set.attach(subscriber), set.attachDescriptor(fd), set.attachInterval(1)];
  set.close();
  set.close();
  assert.deepEqual(
    kept.map(({ attached }) => attached),
    [false, false, false],
  );
  assert.deepEqual([readdirSync('/proc/self/fd').length, watched()], [descriptors - 1, watches]);
  publisher.sendCopy(HELLO);
  assert.equal((await subscriber.next()).bytes[0], 1);
});

test('a port may be attached twice and to two sets, and be received from as ever', async (t) => {
  const { publisher, subscriber } = await pair(t);
  using one = new WaitSet();
  using other = new WaitSet();
  one.attach(subscriber, { name: 'first' });
  const second = one.attach(subscriber, { name: 'second' });
  other.attach(subscriber, { name: 'other' });
  publisher.sendCopy(HELLO);
  const names = (set: WaitSet) => plain(set.wait()).map(({ name }) => name);
  assert.deepEqual([names(one), names(other)], [['first', 'second'], ['other']]);
  second.detach();
  subscriber.receive()?.release();
  publisher.sendCopy(HELLO);
  assert.deepEqual([names(one), names(other)], [['first'], ['other']]);
});

test('a signal that was aborted ends a wait; one that a handler aborts ends a run', async (t) => {
  const { publisher, subscriber } = await pair(t);
  using set = new WaitSet();
  set.attach(subscriber);
  publisher.sendCopy(HELLO);
  assert.throws(() => set.wait({ signal: AbortSignal.abort() }), hasCode('ERR_SEALANE_ABORTED'));
  const aborter = new AbortController();
  const abort = () => aborter.abort();
  assert.throws(() => set.run(abort, { signal: aborter.signal }), hasCode('ERR_SEALANE_ABORTED'));
  assert.equal(set.wait({ timeoutMs: 0 }).length, 0, 'it was reported, and is unread');
});

test('a run calls its handler until it is stopped, the set is closed, or nothing is attached any more', async (t) => {
  const pairs = [await pair(t), await pair(t)] as [Pair, Pair];
  const set = new WaitSet();
  const attached = pairs.map(({ subscriber }) => set.attach(subscriber));
  for (const { publisher } of pairs) publisher.sendCopy(HELLO);
  const seen: unknown[] = [];
  set.run(({ attachment }) => {
    seen.push(attachment);
    if (attachment === attached[0]) set.stop();
  });
  assert.deepEqual(seen.splice(0), [attached[0]]);
  assert.deepEqual(set.wait(), [{ type: 'port', attachment: attached[1], unread: false }]);
  for (const { subscriber, publisher } of pairs) {
    subscriber.receive()?.release();
    publisher.sendCopy(HELLO);
  }
  set.run(({ attachment }) => {
    seen.push(attachment);
    for (const each of attached) each.detach();
  });
  assert.deepEqual(seen.splice(0), [attached[0]], 'what was detached is not told of');
  assert.throws(() => set.wait(), hasCode('ERR_SEALANE_INVALID_ARGUMENT'));
  set.run(() => assert.fail('nothing is attached'));
  set.attachInterval(1);
  set.run(() => set.close());
  assert.ok(set.closed);
});

test('an error of the handler ends the run, and an asynchronous handler is refused', () => {
  using set = new WaitSet();
  set.attachInterval(1);
  const fail = () => {
    throw new RangeError('mine');
  };
  assert.throws(() => set.run(fail), RangeError);
  assert.throws(() => set.run(async () => undefined), hasCode('ERR_SEALANE_INVALID_ARGUMENT'));
  assert.equal(set.wait().length, 1);
});

test('what can not be attached, or waited with, is refused with its reason', async (t) => {
  const { subscriber, publisher } = await pair(t);
  const fd = openPipe(t);
  const set = new WaitSet();
  const refused = hasCode('ERR_SEALANE_INVALID_ARGUMENT');
  for (const port of [undefined, null, 7, {}, publisher] as unknown as Subscriber[])
    assert.throws(() => set.attach(port), refused);
  for (const name of ['', 'x'.repeat(257), 7] as string[])
    assert.throws(() => set.attach(subscriber, { name }), refused);
  for (const ms of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1'] as number[]) {
    assert.throws(() => set.attachInterval(ms), refused);
    assert.throws(() => set.attachDeadline(subscriber, ms), refused);
  }
  for (const options of [{ readable: false }, { writable: 1 }, { what: 1 }, []] as object[])
    assert.throws(() => set.attachDescriptor(fd, options), refused);
  for (const wrong of [-1, 0.5, '1'] as number[]) assert.throws(() => set.attachDescriptor(wrong), refused);
  for (const options of [
    { timeoutMs: -1 },
    { timeoutMs: Number.NaN },
    { signal: 1 },
    { what: 1 },
  ] as object[])
    assert.throws(() => set.wait(options), refused);
  assert.throws(() => set.run(7 as never), refused);
  assert.throws(() => set.attachDescriptor(1_000_000_000), hasCode('ERR_SEALANE_SYSTEM'));
  set.attachDescriptor(fd);
  assert.throws(() => set.attachDescriptor(fd), refused);
  const file = openSync('/proc/self/exe', 'r');
  assert.throws(() => set.attachDescriptor(file), {
    errnoName: 'EPERM',
    message: /regular files, directories and \/dev\/null are always ready, and can not be watched/,
  });
  closeSync(file);
  assert.equal(set.size, 1);
  subscriber.close();
  const closed = hasCode('ERR_SEALANE_CLOSED');
  assert.throws(() => set.attach(subscriber), closed);
  set.close();
  for (const call of [() => set.wait(), () => set.run(() => undefined), () => set.attachInterval(1)])
    assert.throws(call, closed);
});

const WAITER = `
const { parentPort, workerData } = require('node:worker_threads');
import(workerData.module).then(async ({ Node, WaitSet }) => {
  const node = await Node.create({ name: 'waiter', directory: workerData.directory });
  const subscriber = await (await node.service('x').publishSubscribe()).subscriber();
  const set = new WaitSet();
  set.attach(subscriber);
  set.attachInterval(60_000);
  parentPort.postMessage('waits');
  set.wait();
});
`;

test('a worker that waits can be terminated, and leaves no descriptor', async (t) => {
  const directory = freshDirectory(t);
  const module = new URL('./index.js', import.meta.url).href;
  const before = readdirSync('/proc/self/fd').length;
  for (let count = 0; count < 3; count++) {
    const worker = new Worker(WAITER, { eval: true, workerData: { directory, module } });
    assert.deepEqual(await once(worker, 'message'), ['waits']);
    await worker.terminate();
  }
  assert.equal(readdirSync('/proc/self/fd').length, before);
});
