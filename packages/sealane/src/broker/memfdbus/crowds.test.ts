/** Crowds: idle, half-sent and working connections, lists that nobody reads, descriptors that run out. Who behaves is served. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { BLOB_SEALS } from '../../os/descriptor.js';
import { Memfd } from '../../os/memfd.js';
import { UnixSocket } from '../../os/unix-socket.js';
import { encodeMemfdbusHeader, MEMFDBUS_COMMAND } from '../../wire/index.js';
import { forkBroker, setDescriptorLimit } from '../child.test.helper.js';
import { countDescriptors, directory, until } from '../raw-client.test.helper.js';
import {
  digestOf,
  MemfdbusBroker,
  refused,
  requestOf,
  StreamClient,
  succeeded,
} from './client.test.helper.js';
import { type CrowdKind, forkCrowd } from './crowd.test.helper.js';

/** No deadline ends a connection in these tests. */
const PATIENT = { helloTimeoutMs: 3_600_000 };

/** A user that need not exist. */
const USER = 4_242;

const notRoot = process.getuid?.() === 0 ? false : 'only root can become another user';

/** A sealed memfd of zeros, which takes no memory. */
function zeros(bytes: number): Memfd {
  const memfd = Memfd.create('test', bytes);
  memfd.seal(BLOB_SEALS);
  return memfd;
}

/** The numbers that the next descriptors of a process get: a limit is one on numbers, not on their count. */
function freeNumbers(pid: number): number[] {
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  return Array.from({ length: used.size + 2 }, (_, number) => number).filter((number) => !used.has(number));
}

/** A put of zeros, with a digest that is not theirs: it is hashed to its end, unless it is given up. */
function wrongPut(bytes: number): Uint8Array {
  return requestOf(MEMFDBUS_COMMAND.put, { name: 'zeros', size: BigInt(bytes), text: digestOf('') });
}

for (const kind of ['nothing', 'header', 'body'] satisfies CrowdKind[]) {
  test(`3,000 connections that send ${kind} and wait delay nobody, and cost a slow client of another process nothing`, async (t) => {
    const broker = await MemfdbusBroker.start(t, PATIENT);
    using memfd = Memfd.sealed('test', Buffer.from('s'));
    const slow = broker.connect();
    const request = requestOf(MEMFDBUS_COMMAND.put, { name: 'slow', size: 1n, text: digestOf('s') });
    slow.send(request.subarray(0, 20), [memfd.fd]);
    await until('it is accepted', () => broker.native.broker.status().connections === 1);
    await forkCrowd(t, broker.path, 3_000, kind);
    const id = await broker.put('beside', 'them');
    assert.equal(succeeded(await broker.ask('get', { name: 'beside' })).header.objectId, id);
    slow.send(request.subarray(20));
    const reply = await slow.reply();
    assert(reply !== undefined);
    succeeded(reply);
    const { connections } = broker.native.broker.status();
    assert(connections <= 128, `${connections} connections`);
  });
}

test('128 connections that put take one turn at the digests beside a native client', async (t) => {
  const broker = await MemfdbusBroker.start(t, PATIENT);
  const native = await broker.native.open();
  const hash = createHash('sha256').update(Buffer.alloc(4 << 20));
  let answered = 0;
  const clients = Array.from({ length: 128 }, (_, index) => {
    // Contents that differ, so that each is hashed, in one step.
    const bytes = (4 << 20) + 4_096 * index;
    const text = `sha256:${hash.copy().digest('hex')}`;
    hash.update(Buffer.alloc(4_096));
    using memfd = zeros(bytes);
    const client = broker.connect();
    client.send(requestOf(MEMFDBUS_COMMAND.put, { name: 'x', size: BigInt(bytes), text }), [memfd.fd]);
    void client.ended.then(() => answered++);
    return client;
  });
  await until('all are there', () => broker.native.broker.status().connections + answered === 129);
  const before = answered;
  await native.put('native', { contentAddressed: true }, Buffer.from('small'));
  // With a turn for each connection, all of them would come before.
  assert(answered - before <= 16, `${answered - before} of ${128 - before} puts were answered before`);
  for (const client of clients) {
    const reply = await client.reply();
    assert(reply !== undefined);
    succeeded(reply);
  }
});

test('a user who has all connections at work makes room for another, who has none', {
  skip: notRoot,
}, async (t) => {
  const broker = await MemfdbusBroker.start(t, {
    ...PATIENT,
    users: [USER],
    maxMemfdbusConnections: 3,
    maxBytes: 2 ** 40,
  });
  chmodSync(dirname(broker.path), 0o755);
  using large = zeros(2 ** 31);
  const busy = Array.from({ length: 3 }, () => {
    const client = broker.connectAs(USER);
    client.send(wrongPut(2 ** 31), [large.fd]);
    return client;
  });
  await until('all are at work', () => broker.native.broker.status().bytes === 3 * 2 ** 31);
  succeeded(await broker.ask('list'));
  refused(await busy[2]?.reply(), 'error', 'broker client quota exceeded', 0);
  const mine = broker.connect();
  await until('it is there', () => broker.native.broker.status().connections === 3);
  // Now the other has two and this user one: it makes room for its own next, not the other.
  succeeded(await broker.ask('list'));
  refused(await mine.reply(), 'error', 'broker client quota exceeded', 0);
  // The other gets no more than it has, as long as both want all.
  const third = broker.connect();
  await until('it is there too', () => broker.native.broker.status().connections === 3);
  const more = broker.connectAs(USER);
  refused(await more.reply(), 'error', 'broker client quota exceeded', 0);
  assert.equal(broker.native.broker.status().connections, 3);
  for (const client of [...busy, third]) client.close();
});

test('a process that has all connections at work makes room for another', async (t) => {
  const broker = await MemfdbusBroker.start(t, { ...PATIENT, maxMemfdbusConnections: 3, maxBytes: 2 ** 40 });
  await forkCrowd(t, broker.path, 3, 'put');
  await until('all are at work', () => broker.native.broker.status().bytes === 3 * 2 ** 31);
  const id = await broker.put('beside', 'them');
  assert.equal(succeeded(await broker.ask('get', { name: 'beside' })).header.objectId, id);
  await until('one is given up', () => broker.native.broker.status().bytes === 2 * 2 ** 31 + 4);
});

test('a list that nobody reads gives way when the memory of lists is used up', async (t) => {
  const limits = { maxMemfdbusHeldListBytes: 2_000_000, maxMemfdbusListBytes: 1_500_000 };
  const broker = await MemfdbusBroker.start(t, { ...PATIENT, ...limits });
  const native = await broker.native.open();
  for (let count = 0; count < 20; count++) await native.put('n'.repeat(60_000), {}, Buffer.from('x'));
  using deaf = UnixSocket.connect(broker.path, 'stream');
  deaf?.write(encodeMemfdbusHeader(MEMFDBUS_COMMAND.list));
  const first = Buffer.alloc(1);
  await until('the answer begins', () => typeof deaf?.receive(first) === 'object');
  assert.equal(succeeded(await broker.ask('list')).text.split('\n').length, 21);
  await until('it is given up', () => broker.native.broker.status().connections === 1);
  for (let count = 0; count < 5; count++) await native.put('n'.repeat(60_000), {}, Buffer.from('x'));
  refused(await broker.ask('list'), 'error', 'list response too large', MEMFDBUS_COMMAND.list);
});

test('a list larger than the memory of lists is refused', async (t) => {
  const broker = await MemfdbusBroker.start(t, { ...PATIENT, maxMemfdbusHeldListBytes: 1_000 });
  await broker.put('n'.repeat(1_000), 'x');
  refused(await broker.ask('list'), 'error', 'list response too large', MEMFDBUS_COMMAND.list);
  succeeded(await broker.ask('drop', { name: 'n'.repeat(1_000) }));
  assert.equal(succeeded(await broker.ask('list')).text, '');
});

test('an object that is dropped while it is hashed for a list keeps nothing, and does not stand in it', async (t) => {
  const broker = await MemfdbusBroker.start(t, PATIENT);
  const native = await broker.native.open();
  await broker.put('before', '1');
  using large = zeros(2 ** 30);
  await native.ask(
    { type: 'put', name: 'large', size: 2 ** 30, contentAddressed: false, allowed: [], metadata: {} },
    [large.fd],
  );
  await broker.put('after', '2');
  const listing = broker.ask('list');
  await until('it is hashed', () => broker.native.broker.status().connections === 2);
  succeeded(await broker.ask('drop', { name: 'large' }));
  const lines = succeeded(await listing).text.split('\n');
  assert.deepEqual(
    lines.map((line) => line.split('\t')[5]),
    ['before', 'after', undefined],
  );
  await until('its content is gone', () => broker.native.broker.status().bytes === 2);
});

test('out of descriptors, a broker tells memfdbus clients so, serves what it can, and recovers', async (t) => {
  const path = join(directory(t), 'memfdbus.sock');
  const socket = join(directory(t), 'broker.sock');
  const { pid } = await forkBroker(t, { socket, memfdbusSocket: path, maxObjects: 100 });
  assert(pid !== undefined);
  using memfd = Memfd.sealed('test', Buffer.from('m'));
  const put = requestOf(MEMFDBUS_COMMAND.put, { name: 'x', size: 1n, text: digestOf('m') });
  const ask = async (bytes: Uint8Array, descriptors?: readonly number[]) => {
    const client = new StreamClient(path);
    t.after(() => client.close());
    client.send(bytes, descriptors);
    const reply = await client.reply();
    await until('nothing but the object is left', () => countDescriptors(pid) === before + 1);
    return reply;
  };
  // While a thread still closes the connection before, its number is not free: who comes then is closed, and comes again.
  const answered = async (bytes: Uint8Array, descriptors?: readonly number[]) => {
    for (let tries = 0; tries < 20; tries++) {
      const reply = await ask(bytes, descriptors);
      if (reply !== undefined) return reply;
    }
    return undefined;
  };
  const before = countDescriptors(pid);
  assert.equal((await ask(put, [memfd.fd]))?.header.objectId, 1n);
  const [first = 0, second = 0] = freeNumbers(pid);
  // Room for a connection and the descriptor of a put, but not for reading it.
  if (!setDescriptorLimit(t, pid, second + 1)) return;
  refused(await answered(put, [memfd.fd]), 'error', 'broker is out of descriptors', MEMFDBUS_COMMAND.put);
  // Room for a connection and nothing more.
  setDescriptorLimit(t, pid, first + 1);
  refused(await answered(put, [memfd.fd]), 'error', 'broker is out of descriptors', MEMFDBUS_COMMAND.put);
  const get = requestOf(MEMFDBUS_COMMAND.get, { name: 'x' });
  refused(await answered(get), 'error', 'broker is out of descriptors', MEMFDBUS_COMMAND.get);
  const list = requestOf(MEMFDBUS_COMMAND.list, {});
  assert.equal((await answered(list))?.text, `1\towner=-\tallowed=-\t1\t${digestOf('m')}\tx\n`);
  // Not even that: who comes is closed, not kept waiting. One that comes while the number of the one before is free again is served.
  setDescriptorLimit(t, pid, first);
  const answers = [];
  for (let count = 0; count < 10; count++) answers.push((await ask(list))?.text);
  assert(answers.filter((answer) => answer === undefined).length >= 5, `${answers.length} came: ${answers}`);
  setDescriptorLimit(t, pid, 1_024);
  // The same content: its descriptor is shared.
  assert.equal((await answered(put, [memfd.fd]))?.header.objectId, 2n);
  assert.equal((await answered(get))?.header.objectId, 2n);
});
