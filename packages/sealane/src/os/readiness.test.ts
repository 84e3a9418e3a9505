/** Readiness of real sockets: looked at, waited for, through the event loop, and in a worker that is terminated while it waits. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { MAX_POLL_KEYS, Readiness } from './readiness.js';
import { UnixSocket } from './unix-socket.js';
import { Watcher } from './watcher.js';

const LARGEST_KEY = 2_147_483_647;

function hasErrno(name: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.errnoName === name;
}

/** What a look says, sorted by key: the key and r, w or rw. */
function look(readiness: Readiness, timeoutMs = 0): string[] {
  const count = readiness.poll(timeoutMs);
  const found = Array.from({ length: count }, (_, index) => {
    const ready = `${readiness.readable(index) ? 'r' : ''}${readiness.writable(index) ? 'w' : ''}`;
    return `${readiness.key(index)} ${ready}`;
  });
  return found.sort();
}

test('a look tells the keys of what is ready, again and again until it is not', () => {
  using readiness = Readiness.open();
  const [one, two] = UnixSocket.pair();
  using _one = one;
  using _two = two;
  readiness.add(one.fd, 0);
  readiness.add(two.fd, LARGEST_KEY);
  assert.deepEqual(look(readiness), []);
  one.send(Buffer.from('x'));
  assert.deepEqual(look(readiness), [`${LARGEST_KEY} r`]);
  two.send(Buffer.from('y'));
  assert.deepEqual(look(readiness), ['0 r', `${LARGEST_KEY} r`]);
  two.receive(Buffer.alloc(1));
  assert.deepEqual(look(readiness), ['0 r']);
});

test('what is watched for can be chosen at first, changed later, and ended', () => {
  using readiness = Readiness.open();
  const [one, two] = UnixSocket.pair();
  using _one = one;
  using _two = two;
  readiness.add(one.fd, 5, { writable: true });
  assert.deepEqual(look(readiness), ['5 w']);
  two.send(Buffer.from('x'));
  assert.deepEqual(look(readiness), ['5 rw']);
  readiness.change(one.fd, 6, { readable: true, writable: false });
  assert.deepEqual(look(readiness), ['6 r']);
  readiness.change(one.fd, 6, { readable: false, writable: false });
  assert.deepEqual(look(readiness), []);
  readiness.change(one.fd, 7, { readable: true, writable: true });
  readiness.remove(one.fd);
  assert.deepEqual(look(readiness), []);
  readiness.add(one.fd, 8);
  assert.deepEqual(look(readiness), ['8 r']);
});

test('the end of a connection is readable and writable, whatever is watched for', () => {
  using readiness = Readiness.open();
  const [one, two] = UnixSocket.pair();
  using _one = one;
  readiness.add(one.fd, 1);
  two.shutdown();
  assert.deepEqual(look(readiness), ['1 rw']);
  readiness.change(one.fd, 1, { readable: false, writable: false });
  two.close();
  assert.deepEqual(look(readiness), ['1 rw']);
});

test('what is watched for its edges is told once for each that is added to it, and once more when that is asked for', () => {
  using readiness = Readiness.open();
  const [one, two] = UnixSocket.pair();
  using _one = one;
  using _two = two;
  const edges = { readable: true, writable: false, edge: true };
  two.send(Buffer.from('x'));
  readiness.add(one.fd, 1, edges);
  assert.deepEqual([look(readiness), look(readiness)], [['1 r'], []]);
  two.send(Buffer.from('y'));
  assert.deepEqual([look(readiness), look(readiness)], [['1 r'], []]);
  readiness.change(one.fd, 1, edges);
  assert.deepEqual([look(readiness), look(readiness)], [['1 r'], []]);
  one.receive(Buffer.alloc(1));
  one.receive(Buffer.alloc(1));
  readiness.change(one.fd, 1, edges);
  assert.deepEqual(look(readiness), []);
});

test('a wait ends when its time is up, and at once when something is ready', () => {
  using readiness = Readiness.open();
  const [one, two] = UnixSocket.pair();
  using _one = one;
  using _two = two;
  readiness.add(one.fd, 1);
  const beforeMs = performance.now();
  assert.deepEqual(look(readiness, 20), []);
  assert(performance.now() - beforeMs >= 19);
  two.send(Buffer.from('x'));
  assert.deepEqual(look(readiness, 100), ['1 r']);
});

test('of more than 64 that are ready, each is told of by one of the next looks', () => {
  using readiness = Readiness.open();
  const pairs = Array.from({ length: 100 }, () => UnixSocket.pair());
  pairs.forEach(([one], key) => {
    readiness.add(one.fd, key, { writable: true });
  });
  const seen = new Set<number>();
  for (let round = 0; round < 2; round++) {
    const count = readiness.poll(0);
    assert.equal(count, MAX_POLL_KEYS);
    for (let i = 0; i < count; i++) seen.add(readiness.key(i));
  }
  assert.equal(seen.size, 100);
  for (const [one, two] of pairs) {
    one.close();
    two.close();
  }
});

test('its answers stay until its next poll, whatever the addon is used for meanwhile', () => {
  using readiness = Readiness.open();
  const [one, two] = UnixSocket.pair();
  using _one = one;
  using _two = two;
  readiness.add(one.fd, 77, { writable: true });
  assert.equal(readiness.poll(0), 1);
  addon().scratch.fill(-1);
  assert.deepEqual([readiness.key(0), readiness.readable(0), readiness.writable(0)], [77, false, true]);
});

test('a watcher on the event loop sees when anything in it is ready', async () => {
  using readiness = Readiness.open();
  const [one, two] = UnixSocket.pair();
  using _one = one;
  using _two = two;
  readiness.add(one.fd, 3);
  const told = new Promise<string[]>((resolve) => {
    const watcher = new Watcher(readiness.fd, () => {
      watcher.close();
      resolve(look(readiness));
    });
    watcher.want(true, false);
  });
  two.send(Buffer.from('x'));
  assert.deepEqual(await told, ['3 r']);
});

test('a wait of more than 100 ms, of no number, or a key out of range is a TypeError', () => {
  using readiness = Readiness.open();
  for (const timeoutMs of [101, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => readiness.poll(timeoutMs), TypeError);
  }
  for (const key of [-1, 0.5, LARGEST_KEY + 1]) assert.throws(() => readiness.add(0, key), TypeError);
});

test('what can not be watched is refused with its reason', () => {
  using readiness = Readiness.open();
  const [one, two] = UnixSocket.pair();
  using _one = one;
  const file = openSync('/proc/self/exe', 'r');
  assert.throws(() => readiness.add(file, 1), hasErrno('EPERM'));
  closeSync(file);
  readiness.add(one.fd, 1);
  assert.throws(() => readiness.add(one.fd, 2), hasErrno('EEXIST'));
  assert.throws(() => readiness.remove(two.fd), hasErrno('ENOENT'));
  assert.throws(() => readiness.change(two.fd, 1, { readable: true, writable: true }), hasErrno('ENOENT'));
  const { fd } = two;
  two.close();
  assert.throws(() => readiness.remove(fd), hasErrno('EBADF'));
});

test('its descriptor is close-on-exec; closing twice does nothing, and use after it is an error', () => {
  const readiness = Readiness.open();
  const flags = readFileSync(`/proc/self/fdinfo/${readiness.fd}`, 'latin1').match(/flags:\s+(\d+)/)?.[1];
  assert.notEqual(Number.parseInt(String(flags), 8) & 0o2000000, 0);
  readiness.close();
  readiness.close();
  assert(readiness.closed);
  const closed = (error: unknown) => error instanceof SealaneError && error.code === 'ERR_SEALANE_CLOSED';
  assert.throws(() => readiness.fd, closed);
  assert.throws(() => readiness.add(0, 1), closed);
  assert.throws(() => readiness.remove(0), closed);
  assert.throws(() => readiness.poll(0), closed);
});

test('a worker that waits in slices is terminated, and its descriptor is closed', async () => {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     (async () => {
       const { Readiness } = await import(${JSON.stringify(new URL('./readiness.js', import.meta.url).href)});
       const readiness = Readiness.open();
       parentPort.postMessage(readiness.fd);
       for (;;) readiness.poll(100);
     })()`,
    { eval: true },
  );
  const fd = await new Promise<number>((resolve) => worker.once('message', resolve));
  assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'), /^pos:/);
  await worker.terminate();
  assert.throws(() => readFileSync(`/proc/self/fdinfo/${fd}`), { code: 'ENOENT' });
});
