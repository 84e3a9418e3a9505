// Faults: processes that die at every step, brokers that go and come, descriptors and memory that run out.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Broker, connect } from 'sealane';
import { BLOB_SEALS, Memfd } from 'sealane/internal';
import { countDescriptors, patternBytes, TestBroker } from './bus.js';
import { TestProcess } from './processes.js';

/** An ordinary user of this run alone: descriptors in flight count per user, so others must not share it. */
const ORDINARY_USER = 100_000 + process.pid;

const isRoot = process.geteuid?.() === 0;

/** Sets the most descriptors of a running process. */
function limitDescriptors(pid: number, limit: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:${limit}`]);
}

/** A folder in which the socket of a broker of any user may lie; removed after the test. */
function folderFor(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-test-'));
  chmodSync(folder, 0o777);
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Resolves once the broker has let go of everything that a dead client held: it answers requests in order of their events. */
async function untilSettled(count: () => number, expected: number): Promise<void> {
  await using bus = await connect({ socket: settledSocket });
  for (let round = 0; round < 2_000 && count() !== expected; round++) await bus.status();
  assert.equal(count(), expected);
}
let settledSocket = '';

const STEPS = [
  'connected',
  'greeted',
  'put sent, answer unread',
  'put being hashed',
  'gets sent, answers unread',
  'draft open',
  'blob mapped',
  'waiting and watching',
];

for (const step of STEPS) {
  test(`a client killed with ${step} leaves nothing behind in the broker`, async (context) => {
    const socket = join(folderFor(context), 'broker.sock');
    settledSocket = socket;
    await using server = new TestProcess('broker', [JSON.stringify({ socket })]);
    await server.line();
    await using bus = await connect({ socket });
    await bus.put(new Uint8Array(10).fill(7), { name: 'kept' });
    const before = countDescriptors(server.pid);
    await using client = new TestProcess('client', [socket, step]);
    assert.equal(await client.line(), step);
    await client.kill();
    const { objects } = await bus.status();
    // What was put completely stays: its publisher's death is no reason to drop it. The helper's connection counts one.
    const kept = step === 'put sent, answer unread' ? 1 : 0;
    await untilSettled(() => countDescriptors(server.pid), before + kept + 1);
    assert.ok(objects <= 1 + kept);
    using blob = await bus.get('kept');
    assert.equal(blob.bytes[9], 7);
  });
}

test('a broker that dies fails every pending call with a code; held blobs stay; reconnect finds the next broker', async (context) => {
  const socket = join(folderFor(context), 'broker.sock');
  await using first = new TestProcess('broker', [JSON.stringify({ socket })]);
  await first.line();
  await using bus = await connect({ socket });
  await bus.put(patternBytes(100_000), { name: 'kept' });
  using blob = await bus.get('kept');
  const lost = { code: 'ERR_SEALANE_CONNECTION_LOST', message: /reconnect/ };
  const pending = [bus.wait('never'), bus.watch('never').next()].map((call) => assert.rejects(call, lost));
  await bus.status();
  await first.kill();
  await Promise.all(pending);
  assert.equal(bus.connected, false);
  await assert.rejects(bus.stat('kept'), lost);
  await assert.rejects(bus.reconnect(), { code: 'ERR_SEALANE_NO_BROKER' });
  assert.deepEqual(blob.bytes, patternBytes(100_000));
  await using second = new TestProcess('broker', [JSON.stringify({ socket })]);
  await second.line();
  await Promise.all([bus.reconnect(), bus.reconnect()]);
  assert.equal((await bus.status()).pid, second.pid);
  await assert.rejects(bus.get('kept'), { code: 'ERR_SEALANE_NOT_FOUND' });
  await bus.adopt({ fd: blob.descriptor }, { name: 'kept' });
  using again = await bus.get('kept');
  assert.equal(again.bytes[1], blob.bytes[1]);
});

test('a second broker on a live socket refuses to start', async () => {
  await using broker = await TestBroker.start();
  const running = { code: 'ERR_SEALANE_BROKER_RUNNING' };
  await assert.rejects(Broker.start({ socket: broker.socket }), running);
  const bus = await broker.connect();
  await bus.status();
});

test('without a broker the error says where it was looked for and how to start one', async (context) => {
  const socket = join(folderFor(context), 'nobody.sock');
  const message = `no broker at ${socket}; start one with \`sealane broker\` or Broker.start()`;
  await assert.rejects(connect({ socket }), { code: 'ERR_SEALANE_NO_BROKER', message });
});

test('a closed bus refuses every call, and its pending calls end', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const pending = bus.wait('never');
  await bus.status();
  await bus.close();
  const closed = { code: 'ERR_SEALANE_CLOSED' };
  await assert.rejects(pending, closed);
  await assert.rejects(bus.put(new Uint8Array(1)), closed);
  await assert.rejects(bus.reconnect(), closed);
  await bus.close();
});

test('a broker out of descriptors answers with an error, keeps serving, and recovers', async (context) => {
  const socket = join(folderFor(context), 'broker.sock');
  await using server = new TestProcess('broker', [JSON.stringify({ socket })]);
  await server.line();
  // A broker refuses to start with limits that it can't keep, so the machine's limit falls afterwards.
  limitDescriptors(server.pid, 120);
  await using bus = await connect({ socket });
  await bus.put(new Uint8Array(1), { name: 'first' });
  const before = countDescriptors(server.pid);
  let refused = 0;
  for (let count = 0; count < 200; count++) {
    await bus.put(new Uint8Array(1)).catch((error) => {
      assert.match(error.code, /^ERR_SEALANE_(EXHAUSTED|LIMIT_EXCEEDED)$/);
      refused++;
    });
  }
  assert.ok(refused >= 80, `${refused} puts were refused`);
  await connect({ socket }).then(
    (other) => other.close(),
    (error) => assert.match(error.code, /EXHAUSTED|LIMIT|LOST/),
  );
  await bus.drop('first');
  for await (const { id } of bus.list()) await bus.drop(id);
  assert.equal((await bus.status()).objects, 0);
  assert.ok(countDescriptors(server.pid) <= before);
  await bus.put(new Uint8Array(1), { name: 'after' });
});

test('a broker does without /proc', async (context) => {
  const hiding = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'];
  const trial = spawnSync(hiding[0] ?? '', [...hiding.slice(1), 'true']);
  if (trial.status !== 0)
    return context.skip('/proc can not be hidden here: that needs root with CAP_SYS_ADMIN');
  const socket = join(folderFor(context), 'broker.sock');
  await using server = new TestProcess('broker', [JSON.stringify({ socket })], { wrapper: hiding });
  assert.equal(await server.line(), 'ready');
  await using bus = await connect({ socket });
  await bus.put(patternBytes(10), { name: 'a' });
  using blob = await bus.get('a');
  assert.deepEqual(blob.bytes, patternBytes(10));
});

test('descriptors in flight are bounded per user: the broker waits for them and delivers', async (context) => {
  if (!isRoot) return context.skip('needs root, to start processes of an ordinary user with few descriptors');
  const socket = join(folderFor(context), 'broker.sock');
  const asUser = ['setpriv', `--reuid=${ORDINARY_USER}`, `--regid=${ORDINARY_USER}`, '--clear-groups'];
  const options = { socket, maxConnections: 16, maxObjects: 10 };
  const few = ['prlimit', '--nofile=500:500'];
  await using server = new TestProcess('broker', [JSON.stringify(options)], { wrapper: [...asUser, ...few] });
  assert.equal(await server.line(), 'ready');
  await using clients = new TestProcess('flight', [socket], { wrapper: asUser });
  assert.equal(await clients.line(), 'all answers came');
});

test('a client out of descriptors is told so and goes on', async (context) => {
  const socket = join(folderFor(context), 'broker.sock');
  await using server = new TestProcess('broker', [JSON.stringify({ socket })]);
  await server.line();
  await using client = new TestProcess('exhausted', [socket], { wrapper: ['prlimit', '--nofile=400:400'] });
  assert.equal(await client.line(), 'put: ERR_SEALANE_EXHAUSTED');
  assert.equal(await client.line(), 'get: ERR_SEALANE_EXHAUSTED');
  assert.equal(await client.line(), 'after: ok');
});

test('a client out of addresses or of room for files is told so and goes on', async (context) => {
  const socket = join(folderFor(context), 'broker.sock');
  await using server = new TestProcess('broker', [JSON.stringify({ socket })]);
  await server.line();
  await using bus = await connect({ socket });
  // Sparse: it takes no memory, and addresses only where it is mapped.
  using large = Memfd.create('large', 3 * 2 ** 30);
  large.seal(BLOB_SEALS);
  await bus.adopt(large, { name: 'large' });
  await using client = new TestProcess('memory', [socket], { stdio: ['pipe', 'pipe', 'inherit'] });
  assert.equal(await client.line(), 'ready');
  const used =
    Number(/^VmSize:\s+(\d+)/m.exec(readFileSync(`/proc/${client.pid}/status`, 'utf8'))?.[1]) * 1_024;
  execFileSync('prlimit', ['--pid', String(client.pid), `--as=${used + 2 ** 30}`, `--fsize=${2 ** 20}`]);
  client.child.stdin?.write('go\n');
  assert.equal(await client.line(), 'map all: ERR_SEALANE_EXHAUSTED');
  assert.equal(await client.line(), 'map a part: ok');
  assert.equal(await client.line(), 'put too much: ERR_SEALANE_EXHAUSTED');
  assert.equal(await client.line(), 'draft too much: ERR_SEALANE_EXHAUSTED');
  assert.equal(await client.line(), 'put little: ok');
  assert.equal((await bus.stat('little')).size, 1_000);
});

test('a stopped broker leaves no socket, and its clients are told', async () => {
  const broker = await TestBroker.start();
  const bus = await broker.connect();
  const pending = assert.rejects(bus.wait('never'), { code: 'ERR_SEALANE_CONNECTION_LOST' });
  await bus.status();
  await broker.broker.stop();
  await pending;
  assert.deepEqual(
    readdirSync(broker.folder).filter((name) => name.endsWith('.sock')),
    [],
  );
  await broker[Symbol.asyncDispose]();
});
