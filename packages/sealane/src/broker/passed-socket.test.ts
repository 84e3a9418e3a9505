/** A broker on a socket that somebody else has made and keeps. */
import assert from 'node:assert/strict';
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { UnixSocket } from '../os/unix-socket.js';
import { Broker } from './broker.js';
import { countDescriptors, directory, RawClient } from './raw-client.test.helper.js';

test('a broker serves a passed socket and leaves its file, its mode and its directory alone', async (t) => {
  const folder = directory(t);
  const path = join(folder, 'passed.sock');
  using listener = UnixSocket.listen(path, 5);
  const before = lstatSync(path);
  const broker = await Broker.start({ socket: listener, users: [12_345] });
  assert.equal(broker.socket, path);
  const client = await RawClient.open(path);
  await client.put('x');
  assert.deepEqual(readdirSync(folder), ['passed.sock']);
  await broker.stop();
  await broker.stop();
  const after = lstatSync(path);
  assert.deepEqual([after.ino, after.mode, after.uid], [before.ino, before.mode, before.uid]);
  assert.equal(listener.closed, false);
  client.close();
});

test('who connects while no broker runs waits for the next one', async (t) => {
  const path = join(directory(t), 'passed.sock');
  using listener = UnixSocket.listen(path, 5);
  const first = await Broker.start({ socket: { fd: listener.fd } });
  await first.stop();
  const client = new RawClient(path);
  const greeting = client.hello();
  await using _second = await Broker.start({ socket: { fd: listener.fd } });
  assert.equal((await greeting).response.type, 'hello');
  client.close();
});

test('a path whose socket somebody passes is not taken over by a broker that publishes itself', async (t) => {
  const path = join(directory(t), 'passed.sock');
  using listener = UnixSocket.listen(path, 5);
  await using _broker = await Broker.start({ socket: listener });
  await assert.rejects(Broker.start({ socket: path }), { code: 'ERR_SEALANE_BROKER_RUNNING' });
});

test('a broker that stops does not remove what has taken the place of a passed socket', async (t) => {
  const path = join(directory(t), 'passed.sock');
  using listener = UnixSocket.listen(path, 5);
  const broker = await Broker.start({ socket: listener });
  rmSync(path);
  using other = UnixSocket.listen(path, 5);
  await broker.stop();
  assert.ok(lstatSync(path).isSocket());
  assert.equal(other.closed, false);
});

test('what is no listening SOCK_SEQPACKET socket is refused, and nothing stays open', async () => {
  const [one, two] = UnixSocket.pair();
  const before = countDescriptors();
  await assert.rejects(Broker.start({ socket: one }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /^options\.socket must be a listening Unix socket of type SOCK_SEQPACKET/,
  });
  await assert.rejects(Broker.start({ socket: { fd: 2_000_000_000 } }), /is not open/);
  for (const fd of [-1, 1.5, Number.NaN, '3'])
    await assert.rejects(
      Broker.start({ socket: { fd: fd as number } }),
      /options\.socket\.fd must be an integer/,
    );
  assert.equal(countDescriptors(), before);
  one.close();
  two.close();
});

test('each socket is taken for its type: the second one is a stream', async (t) => {
  const folder = directory(t);
  using packets = UnixSocket.listen(join(folder, 'packets'), 5);
  using stream = UnixSocket.listen(join(folder, 'stream'), 5, 'stream');
  const before = countDescriptors();
  await assert.rejects(
    Broker.start({ socket: stream }),
    /options\.socket .*SOCK_SEQPACKET.* has type SOCK_STREAM/,
  );
  await assert.rejects(
    Broker.start({ socket: packets, memfdbusSocket: packets }),
    /options\.memfdbusSocket .*SOCK_STREAM.* has type SOCK_SEQPACKET/,
  );
  const broker = await Broker.start({ socket: packets, memfdbusSocket: stream });
  assert.equal(broker.memfdbusSocket, join(folder, 'stream'));
  await broker.stop();
  assert.deepEqual(readdirSync(folder).sort(), ['packets', 'stream']);
  assert.equal(countDescriptors(), before);
});

test('a broker that can not start gives its duplicate of a passed socket back', async (t) => {
  using listener = UnixSocket.listen(join(directory(t), 'passed.sock'), 5);
  const before = countDescriptors();
  const broker = await Broker.start({ socket: listener });
  await broker.stop();
  await assert.rejects(Broker.start({ socket: listener, maxObjects: 100_000_000 }), /RLIMIT_NOFILE/);
  assert.equal(countDescriptors(), before);
});
