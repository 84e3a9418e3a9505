/** Sockets passed by whoever starts a process: real descriptors, handed to real processes as a service manager does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { takePassedSockets } from './activation.js';
import { closeDescriptor } from './descriptor.js';
import { UnixSocket } from './unix-socket.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-activation-'));
after(() => rmSync(folder, { recursive: true }));

const MODULE = JSON.stringify(new URL('./activation.js', import.meta.url).href);

/** Says what it was passed, what is left in its environment, and what a process that it starts inherits. */
const PROGRAM = `
  const { takePassedSockets } = await import(${MODULE});
  const { spawnSync } = await import('node:child_process');
  const told = {};
  try {
    told.passed = takePassedSockets();
    told.again = takePassedSockets();
  } catch (error) {
    told.error = error.code + ' ' + error.message;
  }
  told.left = Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'));
  const check = 'for fd in 3 4 5; do [ -e /proc/self/fd/$fd ] && readlink /proc/self/fd/$fd; done; true';
  told.inherited = spawnSync('sh', ['-c', check], { encoding: 'utf8' }).stdout;
  console.log(JSON.stringify(told));`;

interface Told {
  passed?: { fd: number; name: string; kind: string; path: string }[];
  again?: unknown[];
  error?: string;
  left: string[];
  inherited: string;
}

/** Runs the program with these descriptors from 3 on. The shell becomes the program: its id is LISTEN_PID. */
function run(fds: readonly number[], environment: Record<string, string>, pid = '$$'): Told {
  const script = `export LISTEN_PID=${pid}; exec "$@"`;
  const words = ['-c', script, 'sh', process.execPath, '--input-type=module', '-e', PROGRAM];
  const env = { ...process.env, ...environment };
  const result = spawnSync('sh', words, {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'inherit', ...fds],
  });
  return JSON.parse(result.stdout) as Told;
}

test('sockets come in their order with their names, and are passed on to nobody', () => {
  const paths = [join(folder, 'one'), join(folder, 'two')];
  using one = UnixSocket.listen(paths[0] ?? '', 1);
  using two = UnixSocket.listen(paths[1] ?? '', 1);
  const told = run([one.fd, two.fd], { LISTEN_FDS: '2', LISTEN_FDNAMES: 'first:second' });
  assert.deepEqual(told.passed, [
    { fd: 3, name: 'first', kind: 'packet', path: paths[0] },
    { fd: 4, name: 'second', kind: 'packet', path: paths[1] },
  ]);
  assert.deepEqual([told.again, told.left, told.inherited], [[], [], '']);
});

test('without names sockets are unknown, without LISTEN_FDS there are none', () => {
  using one = UnixSocket.listen(join(folder, 'unnamed'), 1);
  assert.equal(run([one.fd], { LISTEN_FDS: '1' }).passed?.[0]?.name, 'unknown');
  assert.deepEqual(run([one.fd], {}).passed, []);
  assert.deepEqual(run([one.fd], { LISTEN_FDS: '0', LISTEN_FDNAMES: '' }).passed, []);
});

test('what is meant for another process is not taken, and not passed on as an announcement', () => {
  using one = UnixSocket.listen(join(folder, 'other'), 1);
  for (const pid of ['1', '', '"$$ "']) {
    const told = run([one.fd], { LISTEN_FDS: '1', LISTEN_FDNAMES: 'x', LISTEN_PIDFDID: '7' }, pid);
    assert.deepEqual([told.passed, told.left], [[], []]);
  }
});

test('variables that make no sense are refused, each with what it should be', () => {
  using one = UnixSocket.listen(join(folder, 'senseless'), 1);
  for (const count of ['x', '-1', '1.5', '1e3', '1025', '']) {
    assert.match(
      run([one.fd], { LISTEN_FDS: count }).error ?? '',
      /INVALID_ARGUMENT LISTEN_FDS must be a number/,
    );
  }
  const { error } = run([one.fd], { LISTEN_FDS: '1', LISTEN_FDNAMES: 'a:b' });
  assert.match(error ?? '', /INVALID_ARGUMENT LISTEN_FDNAMES must have 1 names/);
});

test('what is no listening socket is refused by its name, and nothing of it is passed on', () => {
  using one = UnixSocket.listen(join(folder, 'good'), 1);
  const file = openSync('/dev/null', 'r');
  const told = run([one.fd, file], { LISTEN_FDS: '2', LISTEN_FDNAMES: 'good:bad' });
  closeDescriptor(file);
  assert.match(
    told.error ?? '',
    /INVALID_ARGUMENT the socket "bad" in LISTEN_FDS .* descriptor 4 is no socket/,
  );
  assert.deepEqual([told.left, told.inherited], [[], '']);
});

test('the environment of a program that asks for itself is its own to name', () => {
  const environment = { LISTEN_PID: '1', LISTEN_FDS: '1', OTHER: 'x' };
  assert.deepEqual(takePassedSockets(environment), []);
  assert.deepEqual(environment, { OTHER: 'x' });
});
