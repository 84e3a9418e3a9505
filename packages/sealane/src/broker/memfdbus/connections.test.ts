/** Connections that are idle, slow, broken or too many: nobody else notices, and no descriptor stays behind. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Memfd } from '../../os/memfd.js';
import { UnixSocket } from '../../os/unix-socket.js';
import { encodeMemfdbusHeader, MEMFDBUS_COMMAND } from '../../wire/index.js';
import { Broker } from '../broker.js';
import { countDescriptors, directory, until } from '../raw-client.test.helper.js';
import {
  digestOf,
  MemfdbusBroker,
  refused,
  requestOf,
  StreamClient,
  succeeded,
} from './client.test.helper.js';

/** No deadline ends a connection in these tests, unless they are about it. */
const PATIENT = { helloTimeoutMs: 3_600_000 };

test('a request that comes byte by byte is served, and a fast client beside it does not wait', async (t) => {
  const broker = await MemfdbusBroker.start(t, PATIENT);
  const slow = broker.connect();
  const request = requestOf(MEMFDBUS_COMMAND.put, { name: 'slow', size: 1n, text: digestOf('s') });
  using memfd = Memfd.sealed('test', Buffer.from('s'));
  for (const [index, byte] of request.entries()) {
    slow.send(Uint8Array.of(byte), index === 0 ? [memfd.fd] : undefined);
    if (index % 30 === 0) await broker.put(`fast ${index}`, String(index));
  }
  const reply = await slow.reply();
  assert(reply !== undefined);
  succeeded(reply);
  succeeded(await broker.ask('get', { name: 'slow' }));
});

test('who makes room is told why; who comes when all are being served is refused', async (t) => {
  const broker = await MemfdbusBroker.start(t, { ...PATIENT, maxMemfdbusConnections: 1 });
  const idle = broker.connect();
  await until('the connection is there', () => broker.native.broker.status().connections === 1);
  succeeded(await broker.ask('list'));
  refused(await idle.reply(), 'error', 'broker client quota exceeded', 0);
  using large = Memfd.create('test', 1_073_741_824);
  large.seal(15);
  const busy = broker.connect();
  busy.send(requestOf(MEMFDBUS_COMMAND.put, { name: 'x', size: 1_073_741_824n, text: digestOf('') }), [
    large.fd,
  ]);
  await until('the put is under way', () => broker.native.broker.status().bytes > 0);
  refused(
    await broker.send(requestOf(MEMFDBUS_COMMAND.list, {})),
    'error',
    'broker client quota exceeded',
    0,
  );
  const native = await broker.native.open();
  await native.put('native', {}, Buffer.from('is served meanwhile'));
  busy.close();
});

test('who does not read an answer makes room too', async (t) => {
  const broker = await MemfdbusBroker.start(t, { ...PATIENT, maxMemfdbusConnections: 1 });
  const native = await broker.native.open();
  for (let count = 0; count < 20; count++) await native.put('n'.repeat(60_000), {}, Buffer.from('x'));
  using deaf = UnixSocket.connect(broker.path, 'stream');
  deaf?.write(encodeMemfdbusHeader(MEMFDBUS_COMMAND.list));
  const first = Buffer.alloc(1);
  await until('the answer begins', () => typeof deaf?.receive(first) === 'object');
  succeeded(await broker.ask('get', { objectId: 1n }));
});

test('a request is heard to its end, however long it is, before the connection is closed', async (t) => {
  const broker = await MemfdbusBroker.start(t, PATIENT);
  const header = encodeMemfdbusHeader(MEMFDBUS_COMMAND.get, { nameBytes: 8_000_000 });
  const reply = await broker.send(Buffer.concat([header, Buffer.alloc(8_000_000)]));
  refused(reply, 'badRequest', 'name too long', MEMFDBUS_COMMAND.get);
});

test('a connection that is too slow is told what is missing; one without a header is closed', async (t) => {
  const broker = await MemfdbusBroker.start(t, { helloTimeoutMs: 50 });
  const silent = broker.connect();
  const half = broker.connect();
  half.send(requestOf(MEMFDBUS_COMMAND.get, { name: 'name' }).subarray(0, 50));
  refused(await half.reply(), 'badRequest', 'failed to read object name', MEMFDBUS_COMMAND.get);
  assert.equal(await silent.reply(), undefined);
});

test('a client that does not read its list delays nobody and is given up', async (t) => {
  const broker = await MemfdbusBroker.start(t, { helloTimeoutMs: 100 });
  const native = await broker.native.open();
  for (let count = 0; count < 20; count++) await native.put('n'.repeat(60_000), {}, Buffer.from('x'));
  const { text } = succeeded(await broker.ask('list'));
  assert.equal(text.split('\n').length, 21);
  const before = broker.native.broker.status().connections;
  using deaf = UnixSocket.connect(broker.path, 'stream');
  deaf?.write(encodeMemfdbusHeader(MEMFDBUS_COMMAND.list));
  await until('it is there', () => broker.native.broker.status().connections > before);
  succeeded(await broker.ask('get', { objectId: 1n }));
  await until('it is given up', () => broker.native.broker.status().connections === before);
});

test('no descriptor stays behind: surplus, refused, unused, or of a client that leaves', async (t) => {
  const broker = await MemfdbusBroker.start(t, PATIENT);
  const memfds = Array.from({ length: 5 }, () => Memfd.sealed('test', Buffer.from('m')));
  t.after(() => {
    for (const memfd of memfds) memfd.close();
  });
  const fds = memfds.map(({ fd }) => fd);
  await broker.put('first', 'use of everything that is opened once');
  succeeded(await broker.ask('drop', { name: 'first' }));
  await until('all is closed', () => broker.native.broker.status().connections === 0);
  const put = requestOf(MEMFDBUS_COMMAND.put, { name: 'x', size: 1n, text: digestOf('m') });
  const runs: ((client: StreamClient) => void)[] = [
    (client) => client.send(put, fds),
    (client) => client.send(requestOf(MEMFDBUS_COMMAND.list, {}), fds),
    (client) => client.send(Buffer.alloc(48), fds),
    (client) => client.send(encodeMemfdbusHeader(MEMFDBUS_COMMAND.put, { nameBytes: 70_000 }), fds),
    (client) =>
      client.send(requestOf(MEMFDBUS_COMMAND.put, { name: 'x', size: 9n, text: digestOf('m') }), fds),
  ];
  const before = countDescriptors();
  for (const run of runs) {
    const client = new StreamClient(broker.path);
    run(client);
    assert(await client.reply());
    client.close();
  }
  for (const length of [1, 47, 48, 49, put.length - 2]) {
    const client = new StreamClient(broker.path);
    client.send(put.subarray(0, length), fds);
    client.send(Uint8Array.of(1));
    await until('it is accepted', () => broker.native.broker.status().connections > 0);
    client.close();
    await until('it is gone', () => broker.native.broker.status().connections === 0);
  }
  const drop = new StreamClient(broker.path);
  drop.send(requestOf(MEMFDBUS_COMMAND.drop, { name: 'x' }));
  assert.equal((await drop.reply())?.header.status, 0);
  drop.close();
  // Fewer: what an earlier test closed on a thread may have counted still.
  await until('all is closed', () => countDescriptors() <= before);
});

test('the descriptor of the first byte counts; those that come later are closed', async (t) => {
  const broker = await MemfdbusBroker.start(t, PATIENT);
  using right = Memfd.sealed('test', Buffer.from('right'));
  using wrong = Memfd.sealed('test', Buffer.from('wrong'));
  const client = broker.connect();
  const put = requestOf(MEMFDBUS_COMMAND.put, { name: 'x', size: 5n, text: digestOf('right') });
  client.send(put.subarray(0, 10), [right.fd, wrong.fd]);
  client.send(put.subarray(10, 48), [wrong.fd]);
  client.send(put.subarray(48), [wrong.fd]);
  const reply = await client.reply();
  assert(reply !== undefined);
  succeeded(reply);
});

test('hashing a large object delays nobody', async (t) => {
  const broker = await MemfdbusBroker.start(t, PATIENT);
  using large = Memfd.create('test', 2_147_483_648);
  large.seal(15);
  const client = broker.connect();
  client.send(requestOf(MEMFDBUS_COMMAND.put, { name: 'x', size: 2_147_483_648n, text: digestOf('') }), [
    large.fd,
  ]);
  let ended = false;
  void client.ended.then(() => {
    ended = true;
  });
  for (let count = 0; count < 5; count++) await broker.put(`small ${count}`, 'content');
  assert(!ended, 'the large object is still being hashed');
});

test('the socket is published as the native one: a second broker does not take it, and it goes with its broker', async (t) => {
  const folder = directory(t);
  const memfdbusSocket = join(folder, 'memfdbus.sock');
  const first = await Broker.start({ socket: join(folder, 'a.sock'), memfdbusSocket });
  assert.equal(first.memfdbusSocket, memfdbusSocket);
  const second = { socket: join(folder, 'b.sock'), memfdbusSocket };
  await assert.rejects(Broker.start(second), { code: 'ERR_SEALANE_BROKER_RUNNING' });
  assert(!existsSync(second.socket), 'the native socket of the broker that did not start is gone');
  const client = new StreamClient(memfdbusSocket);
  client.send(requestOf(MEMFDBUS_COMMAND.list, {}));
  assert.equal((await client.reply())?.header.status, 0);
  client.close();
  const idle = new StreamClient(memfdbusSocket);
  await until('it is accepted', () => first.status().connections > 0);
  await first.stop();
  await idle.ended;
  idle.close();
  assert(!existsSync(memfdbusSocket));
  await (await Broker.start(second)).stop();
  const same = { socket: second.socket, memfdbusSocket: second.socket };
  await assert.rejects(Broker.start(same), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('what a client has asked for and does not wait for any more is given up', async (t) => {
  const broker = await MemfdbusBroker.start(t, { ...PATIENT, maxBytes: 2 ** 50 });
  const before = countDescriptors();
  const size = 2n ** 44n;
  const patient = Memfd.create('test', Number(size));
  patient.seal(15);
  const request = requestOf(MEMFDBUS_COMMAND.put, { name: 'x', size, text: digestOf('') });
  const waiting = broker.connect();
  waiting.send(request, [patient.fd]);
  waiting.finish();
  const gone = broker.connect();
  gone.send(request, [patient.fd]);
  patient.close();
  await until('both are under way', () => broker.native.broker.status().bytes === Number(2n * size));
  gone.close();
  await until('one is given up', () => broker.native.broker.status().bytes === Number(size));
  waiting.close();
  await until('nothing is left', () => countDescriptors() === before);
});
