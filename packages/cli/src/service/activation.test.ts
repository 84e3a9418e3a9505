// `sealane broker` as a service manager runs it: on sockets that it is passed, reporting how it is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect } from 'sealane';
import { UnixSocket } from 'sealane/internal';
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
function socketUnit(t: TestContext, name = 'broker.sock'): { listener: UnixSocket; path: string } {
  const path = join(folderOf(t), name);
  const listener = UnixSocket.listen(path, 16);
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
