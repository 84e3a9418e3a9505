/** Wake-ups between the ends of a real connection, and what a peer can send in their place. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { Memfd } from './memfd.js';
import { DRAIN_END, DRAIN_FOREIGN, UnixSocket } from './unix-socket.js';

/** The ends of a connection, which are closed with it. */
class Pair implements Disposable {
  readonly one: UnixSocket;
  readonly two: UnixSocket;

  constructor() {
    [this.one, this.two] = UnixSocket.pair();
  }

  [Symbol.dispose](): void {
    this.one.close();
    this.two.close();
  }
}

/** How many descriptors of this process are memfds with that name. */
function openMemfds(name: string): number {
  const target = `/memfd:${name} (deleted)`;
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === target;
    } catch {
      // The descriptor with which the folder itself was read.
      return false;
    }
  }).length;
}

/** Waits until the thread that closes what was refused is done: the descriptors are gone. */
async function untilClosed(name: string, left: number): Promise<void> {
  while (openMemfds(name) !== left) await new Promise((resolve) => setImmediate(resolve));
}

test('wake-ups are counted as they are discarded, up to as many as are asked for', () => {
  using pair = new Pair();
  assert.equal(pair.two.drain(10), 0);
  for (let i = 0; i < 5; i++) assert.equal(pair.one.wake(), true);
  assert.equal(pair.two.drain(0), 0);
  assert.equal(pair.two.drain(3), 3);
  assert.equal(pair.two.drain(4096), 2);
  assert.equal(pair.two.drain(1), 0);
});

test('a wake-up is a packet of one byte', () => {
  using pair = new Pair();
  pair.one.wake();
  const into = Buffer.alloc(10);
  assert.deepEqual(pair.two.receive(into), {
    bytes: 1,
    descriptors: [],
    descriptorsLost: false,
    truncated: false,
  });
  assert.equal(into[0], 1);
});

test('a peer that reads nothing is woken all the same: a full queue is no failure, and nothing waits', () => {
  using pair = new Pair();
  while (pair.one.send(Buffer.alloc(1)) === 'sent');
  assert.equal(pair.one.wake(), true);
  let drained = 0;
  for (let count = pair.two.drain(4096); count > 0; count = pair.two.drain(4096)) drained += count;
  assert(drained > 0);
  assert.equal(pair.one.wake(), true);
  assert.equal(pair.two.drain(4096), 1);
});

test('a peer that is gone can not be woken, whether it read everything or not', () => {
  for (const unread of [false, true]) {
    using pair = new Pair();
    if (unread) pair.one.wake();
    pair.two.close();
    assert.equal(pair.one.wake(), false);
    assert.equal(pair.one.wake(), false);
  }
});

test('the end is told after the wake-ups before it, and again; with how many there were', () => {
  for (const reset of [false, true]) {
    using pair = new Pair();
    if (reset) pair.two.wake();
    pair.one.wake();
    pair.one.wake();
    pair.one.close();
    assert.equal(pair.two.drain(1), 1);
    assert.equal(pair.two.drain(4096), DRAIN_END);
    assert.equal(addon().scratch[0], 1);
    assert.equal(pair.two.drain(4096), DRAIN_END);
  }
});

test('a longer packet is no wake-up; what came before it counts, and what comes after it stays', () => {
  using pair = new Pair();
  pair.one.wake();
  pair.one.send(Buffer.from('xy'));
  pair.one.wake();
  assert.equal(pair.two.drain(10), DRAIN_FOREIGN);
  assert.equal(addon().scratch[0], 1);
  assert.equal(pair.two.drain(10), 1);
  pair.one.send(Buffer.alloc(50_000));
  assert.equal(pair.two.drain(10), DRAIN_FOREIGN);
});

test('a packet with descriptors is no wake-up, and what came along is closed', async () => {
  using pair = new Pair();
  using memfd = Memfd.create('came along', 1);
  for (const bytes of [1, 2]) {
    pair.one.send(Buffer.alloc(bytes), [memfd.fd, memfd.fd, memfd.fd]);
    assert.equal(pair.two.drain(10), DRAIN_FOREIGN);
  }
  await untilClosed('came along', 1);
});

test('what is no connection is a system error, a wrong argument a TypeError, use after close an error', () => {
  using pair = new Pair();
  const { two } = pair;
  for (const max of [-1, 0.5, 4097, Number.NaN]) assert.throws(() => two.drain(max), TypeError);
  const file = openSync('/dev/null', 'r+');
  for (const use of [() => addon().socketWake(file), () => addon().socketDrain(file, 1)]) {
    assert.throws(use, { code: 'ENOTSOCK' });
  }
  closeSync(file);
  two.close();
  for (const use of [() => two.wake(), () => two.drain(1)]) {
    assert.throws(use, (error) => error instanceof SealaneError && error.code === 'ERR_SEALANE_CLOSED');
  }
});
