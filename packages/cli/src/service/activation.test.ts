// `sealane broker` as a service manager runs it: on sockets that it is passed, reporting how it is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect } from 'sealane';
import { type SocketKind, UnixSocket } from 'sealane/internal';
import {
  cleanEnvironment,
  folderOf,
  MAIN,
  NO_COMPILER,
  Receiver,
  Running,
  startService,
} from './service.test.helper.js';

const ACTIVATE = 'systemd-socket-activate';

/** A listening socket as a socket unit has it. It stays open, whatever becomes of the broker. */
function socketUnit(t: TestContext, kind?: SocketKind): { listener: UnixSocket; path: string } {
  const path = join(folderOf(t), 'broker.sock');
  const listener = UnixSocket.listen(path, 16, kind);
  t.after(() => listener.close());
  return { listener, path };
}

function passing(names: string, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  return cleanEnvironment({ LISTEN_FDS: String(names.split(':').length), LISTEN_FDNAMES: names, ...more });
}

test('a broker serves the socket that it is passed, and stops without touching its file', async (t) => {
  const { listener, path } = socketUnit(t);
  const { ino } = lstatSync(path);
  const broker = startService(t, ['--json'], { env: passing('native'), fds: [listener.fd] });
  assert.deepEqual(JSON.parse(await broker.line()), { event: 'serving', socket: path, pid: broker.pid });
  await using bus = await connect({ socket: path });
  await bus.put(Buffer.from('x'), { name: 'x' });
  assert.equal((await bus.status()).pid, broker.pid);
  assert.equal(await broker.stop('SIGTERM'), 0);
  assert.equal(lstatSync(path).ino, ino);
  assert.deepEqual(readdirSync(join(path, '..')), ['broker.sock']);
});

test('clients that come before the broker, and between two brokers, are served by the next', async (t) => {
  const { listener, path } = socketUnit(t);
  for (let round = 0; round < 2; round++) {
    const early = connect({ socket: path, timeoutMs: 60_000 });
    const broker = startService(t, [], { env: passing('native'), fds: [listener.fd] });
    await using bus = await early;
    assert.equal((await bus.status()).pid, broker.pid);
    assert.equal(await broker.stop('SIGTERM'), 0);
  }
});

test('a passed socket and --socket exclude each other, and $SEALANE_SOCKET gives way', async (t) => {
  const { listener, path } = socketUnit(t);
  const refused = startService(t, ['--socket', join(path, '..', 'other')], {
    env: passing('native'),
    fds: [listener.fd],
  });
  assert.equal((await refused.exited)[0], 2);
  assert.match(
    refused.stderr,
    /^sealane: --socket .*other was given, and a socket at .* was passed; leave out/,
  );
  const env = passing('native', { SEALANE_SOCKET: join(path, '..', 'other') });
  const broker = startService(t, [], { env, fds: [listener.fd] });
  assert.equal(await broker.line(), path);
  assert.equal(await broker.stop('SIGTERM'), 0);
});

/** What a memfdbus client is told of the objects there are: one request a connection, a header of 48 bytes and the text. */
async function memfdbusList(path: string): Promise<string> {
  const request = Buffer.alloc(48);
  request.writeUInt32LE(0x4d464442, 0);
  request.writeUInt16LE(1, 4);
  request.writeUInt16LE(3, 6);
  const connection = createConnection(path);
  connection.write(request);
  const answer: Buffer[] = [];
  for await (const chunk of connection) answer.push(chunk as Buffer);
  return Buffer.concat(answer).subarray(48).toString();
}

test('a stream socket serves memfdbus clients, beside the native one or beside a socket of the broker itself', async (t) => {
  const [native, foreign] = [socketUnit(t), socketUnit(t, 'stream')];
  const fds = [foreign.listener.fd, native.listener.fd];
  const broker = startService(t, ['--json'], { env: passing('memfdbus:sealane'), fds });
  const sockets = { socket: native.path, memfdbusSocket: foreign.path };
  assert.deepEqual(JSON.parse(await broker.line()), { event: 'serving', ...sockets, pid: broker.pid });
  await using bus = await connect({ socket: native.path });
  await bus.put(Buffer.from('x'), { name: 'shared' });
  assert.match(await memfdbusList(foreign.path), /^1\towner=-\tallowed=-\t1\tsha256:[0-9a-f]{64}\tshared\n$/);
  assert.equal(await broker.stop('SIGTERM'), 0);
  const own = join(folderOf(t), 'own.sock');
  const env = passing('memfdbus');
  const second = startService(t, ['--socket', own], { env, fds: fds.slice(0, 1) });
  assert.equal(await second.line(), own);
  assert.equal(await memfdbusList(foreign.path), '');
  assert.equal(await second.stop('SIGTERM'), 0);
  const words = ['--memfdbus-socket', own];
  const refused = startService(t, words, { env, fds: fds.slice(0, 1) });
  assert.equal((await refused.exited)[0], 2);
  assert.match(refused.stderr, /--memfdbus-socket .*own\.sock was given, and a socket at .* was passed/);
});

test('a policy is obeyed, and read anew, beside a passed socket whose directory is out of sight', async (t) => {
  const receiver = await Receiver.start(t, join(folderOf(t), 'notify'));
  if (receiver === undefined) return t.skip(NO_COMPILER);
  const { listener, path } = socketUnit(t);
  const policy = join(folderOf(t), 'policy.toml');
  writeFileSync(policy, '[[admit]]\neveryone = true\n', { mode: 0o600 });
  rmSync(join(path, '..'), { recursive: true });
  const env = passing('native', { NOTIFY_SOCKET: receiver.address });
  const broker = startService(t, ['--policy', policy], { env, fds: [listener.fd] });
  await receiver.nextWith('READY');
  writeFileSync(policy, '[[admit]]\n');
  broker.child.kill('SIGHUP');
  await receiver.nextWith('RELOADING');
  await receiver.nextWith('READY');
  await broker.said(/admit\[0\] must say who is meant.*stays in force/);
  assert.equal(await broker.stop('SIGTERM'), 0);
});

test('two sockets of one type, and what is no listening socket, are refused with their names', async (t) => {
  const one = socketUnit(t);
  const two = socketUnit(t);
  const fds = [one.listener.fd, two.listener.fd];
  const several = startService(t, [], { env: passing('first:second'), fds });
  assert.equal((await several.exited)[0], 2);
  assert.match(several.stderr, /2 sockets of type SOCK_SEQPACKET were passed: first \(.*\), second \(.*\)/);
  const [near, far] = UnixSocket.pair();
  const connection = startService(t, [], { env: passing('inetd'), fds: [near.fd] });
  assert.equal((await connection.exited)[0], 2);
  assert.match(connection.stderr, /the socket "inetd" in LISTEN_FDS .* does not listen.*Accept=no/);
  near.close();
  far.close();
});

test('a service is ready when it serves, tells how it is and that it lives, reloads, and says that it stops', async (t) => {
  const receiver = await Receiver.start(t, join(folderOf(t), 'notify'));
  if (receiver === undefined) return t.skip(NO_COMPILER);
  const { listener, path } = socketUnit(t);
  const env = passing('native', { NOTIFY_SOCKET: receiver.address, WATCHDOG_USEC: '200000' });
  const broker = startService(t, [], { env, fds: [listener.fd] });
  const ready = await receiver.next();
  assert.equal(ready.pid, broker.pid);
  assert.deepEqual(ready.state, { READY: '1', STATUS: 'Serving 0 objects, 0 B, to 0 connections' });
  await using bus = await connect({ socket: path });
  await bus.put(Buffer.alloc(2_048), { name: 'x' });
  for (let count = 0; count < 3; count++) await receiver.nextWith('WATCHDOG');
  assert.equal((await receiver.nextWith('STATUS')).STATUS, 'Serving 1 object, 2.00 KiB, to 1 connection');
  broker.child.kill('SIGHUP');
  assert.match((await receiver.nextWith('RELOADING')).MONOTONIC_USEC ?? '', /^\d+$/);
  assert.equal((await receiver.nextWith('READY')).READY, '1');
  const stopped = broker.stop('SIGTERM');
  assert.equal((await receiver.nextWith('STOPPING')).STOPPING, '1');
  assert.equal(await stopped, 0);
});

test('systemd-socket-activate starts a broker for the first client, on a socket of its own', async (t) => {
  if (spawnSync(ACTIVATE, ['--version']).status !== 0)
    return t.skip(`there is no ${ACTIVATE} (Debian: systemd)`);
  const path = join(folderOf(t), 'broker.sock');
  const words = ['--seqpacket', '--fdname=sealane', '-l', path, process.execPath, MAIN, 'broker'];
  const activate = new Running(t, [ACTIVATE, ...words]);
  await activate.said(/Listening on/);
  await using bus = await connect({ socket: path, timeoutMs: 60_000 });
  assert.equal((await bus.put(Buffer.from('activated'), { name: 'x' })).size, 9);
  // It has become the broker.
  assert.equal((await bus.status()).pid, activate.pid);
  assert.equal(await activate.stop('SIGTERM'), 0);
  assert.ok(lstatSync(path).isSocket());
});
