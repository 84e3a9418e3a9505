/** Memfds: made, filled, sealed, handed on and closed, with real memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SealaneError } from '../base/errors.js';
import {
  BLOB_SEALS,
  duplicate,
  inspect,
  SEAL_FUTURE_WRITE,
  SEAL_GROW,
  SEAL_SHRINK,
  SEAL_WRITE,
} from './descriptor.js';
import { Mapping } from './mapping.js';
import { Memfd } from './memfd.js';
import { UnixSocket } from './unix-socket.js';

const MODULE = JSON.stringify(new URL('./memfd.js', import.meta.url).href);

function hasErrno(name: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.errnoName === name;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.code === code;
}

/** How many descriptors of this process are memfds with that name. */
function openMemfds(name: string): number {
  let count = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) === `/memfd:${name} (deleted)`) count++;
    } catch {
      // The descriptor with which the folder itself was read.
    }
  }
  return count;
}

test('a new memfd has zeros, its size, its name and no blob seals', () => {
  using memfd = Memfd.create('a name', 1000);
  const bytes = Buffer.alloc(1100, 1);
  assert.equal(memfd.size, 1000);
  assert.equal(memfd.seals & BLOB_SEALS, 0);
  assert.equal(memfd.read(bytes, 0), 1000);
  assert(bytes.subarray(0, 1000).equals(Buffer.alloc(1000)));
  assert.equal(openMemfds('a name'), 1);
});

test('a sealed memfd has the bytes and can not be changed any more', () => {
  const content = Buffer.from('immutable');
  using memfd = Memfd.sealed('sealed', content);
  const bytes = Buffer.alloc(9);
  assert.equal(memfd.read(bytes, 0), 9);
  assert(bytes.equals(content));
  assert.equal(memfd.size, 9);
  assert.equal(memfd.seals & BLOB_SEALS, BLOB_SEALS);
  assert.throws(() => memfd.write(content, 0), hasErrno('EPERM'));
  assert.throws(() => memfd.resize(10), hasErrno('EPERM'));
  assert.throws(() => memfd.resize(1), hasErrno('EPERM'));
  assert.throws(() => memfd.seal(SEAL_FUTURE_WRITE), hasErrno('EPERM'));
});

test('a sealed memfd may be empty, and may be made from a view into a larger or shared buffer', () => {
  using empty = Memfd.sealed('empty', new Uint8Array(0));
  assert.equal(empty.size, 0);
  using part = Memfd.sealed('part', Buffer.from('abcdef').subarray(2, 4));
  const bytes = Buffer.alloc(2);
  part.read(bytes, 0);
  assert.equal(bytes.toString(), 'cd');
  using shared = Memfd.sealed('shared', new Uint8Array(new SharedArrayBuffer(8)).fill(120, 4));
  shared.read(bytes, 3);
  assert.equal(bytes.toString(), '\0x');
});

test('writes and reads go to their offsets, and grow the memfd', async () => {
  using memfd = Memfd.create('offsets');
  memfd.write(Buffer.from('abc'), 5000);
  await memfd.writeAsync(Buffer.from('xyz'), 1);
  assert.equal(memfd.size, 5003);
  const bytes = Buffer.alloc(10);
  assert.equal(memfd.read(bytes, 4999), 4);
  assert.equal(bytes.toString('latin1', 0, 4), '\0abc');
  assert.equal(memfd.read(bytes, 1), 10);
  assert.equal(bytes.toString('latin1', 0, 3), 'xyz');
  assert.equal(memfd.read(bytes, 6000), 0);
});

test('an asynchronous write of 64 MiB arrives whole, although the memfd is closed meanwhile', async () => {
  const memfd = Memfd.create('large');
  const other = duplicate(memfd.fd);
  const content = Buffer.alloc(64 * 1_048_576, 'pattern ');
  const written = memfd.writeAsync(content, 0);
  memfd.close();
  await written;
  using copy = Memfd.take(other);
  const bytes = Buffer.alloc(content.length);
  assert.equal(copy.read(bytes, 0), content.length);
  assert(bytes.equals(content));
});

test('an asynchronous write that fails rejects with a system error', async () => {
  using memfd = Memfd.sealed('sealed', Buffer.alloc(1));
  await assert.rejects(memfd.writeAsync(Buffer.alloc(1), 0), hasErrno('EPERM'));
});

test('size and seals are what the kernel says now, also when another descriptor changed them', () => {
  using memfd = Memfd.create('shared', 10);
  using other = Memfd.take(duplicate(memfd.fd));
  other.resize(20);
  assert.equal(memfd.size, 20);
  other.seal(SEAL_SHRINK);
  assert.equal(memfd.seals & SEAL_SHRINK, SEAL_SHRINK);
  other.resize(30);
  assert.equal(memfd.size, 30);
  other.seal(SEAL_GROW);
  assert.equal(memfd.size, 30);
  other.seal(SEAL_WRITE);
  assert.equal(memfd.seals & SEAL_WRITE, SEAL_WRITE);
});

test('after close every use says so, and closing again does nothing', () => {
  const memfd = Memfd.create('closed');
  const { fd } = memfd;
  memfd.close();
  memfd.close();
  assert.equal(memfd.closed, true);
  assert.throws(() => inspect(fd));
  const uses = [
    () => memfd.fd,
    () => memfd.size,
    () => memfd.seals,
    () => memfd.resize(1),
    () => memfd.release(),
  ];
  for (const use of uses) assert.throws(use, hasCode('ERR_SEALANE_CLOSED'));
  const sealed = Memfd.sealed('closed', Buffer.alloc(1));
  sealed.close();
  assert.throws(() => sealed.size, hasCode('ERR_SEALANE_CLOSED'));
});

test('release gives the descriptor away and leaves it open', () => {
  const memfd = Memfd.create('released', 3);
  const fd = memfd.release();
  assert.equal(memfd.closed, true);
  memfd.close();
  assert.equal(inspect(fd).size, 3);
  closeSync(fd);
});

test('take refuses what can not be sealed, and closes it', () => {
  const fd = openSync('/proc/self/status', 'r');
  assert.throws(() => Memfd.take(fd), hasCode('ERR_SEALANE_WRONG_DESCRIPTOR'));
  assert.throws(() => inspect(fd), hasErrno('EBADF'));
});

test('a wrong argument is a TypeError, and no memfd is left behind', () => {
  using memfd = Memfd.create('target', 8);
  const detached = new Uint8Array(8);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  assert.throws(() => Memfd.create('x'.repeat(250)), TypeError);
  assert.throws(() => Memfd.create('a\0b'), TypeError);
  assert.throws(() => Memfd.create('wrong size', -1), TypeError);
  assert.throws(() => Memfd.create('wrong size', 2 ** 53), TypeError);
  assert.throws(() => Memfd.sealed('wrong bytes', detached), TypeError);
  assert.throws(() => Memfd.sealed('wrong bytes', new Float64Array(1) as unknown as Uint8Array), TypeError);
  assert.throws(() => memfd.write(Buffer.alloc(1), 0.5), TypeError);
  assert.throws(() => memfd.read(detached, 0), TypeError);
  assert.throws(() => memfd.seal(-1), TypeError);
  assert.equal(openMemfds('wrong size') + openMemfds('wrong bytes'), 0);
});

test('a name of 249 bytes is allowed, however many characters that is', () => {
  Memfd.create('ä'.repeat(124)).close();
  Memfd.create('x'.repeat(249)).close();
  assert.throws(() => Memfd.create('ä'.repeat(125)), TypeError);
});

/** Runs a module in a process of its own whose limit was set by ulimit; answers what it printed. */
function runLimited(limit: string, program: string): string {
  const command = `ulimit ${limit} && exec "$0" --input-type=module -e "$1"`;
  return execFileSync('sh', ['-c', command, process.execPath, program], { encoding: 'utf8' }).trim();
}

test('a failure after the memfd was made leaves no descriptor behind', () => {
  // Files of this process may have one block, so that the write fails after some bytes.
  const program = `
    const { readdirSync } = await import('node:fs');
    const { Memfd } = await import(${MODULE});
    Memfd.create('first').close();
    const before = readdirSync('/proc/self/fd').length;
    const lines = [];
    for (const make of [() => Memfd.sealed('large', Buffer.alloc(65536)), () => Memfd.create('large', 65536)]) {
      try {
        make();
      } catch (error) {
        lines.push([error.code, error.errnoName, error.syscall, readdirSync('/proc/self/fd').length - before].join(' '));
      }
    }
    console.log(lines.join(';'));`;
  const lines = ['ERR_SEALANE_EXHAUSTED EFBIG pwrite 0', 'ERR_SEALANE_EXHAUSTED EFBIG ftruncate 0'];
  assert.equal(runLimited('-f 1', program), lines.join(';'));
});

test('running out of descriptors is ERR_SEALANE_EXHAUSTED with EMFILE', () => {
  const program = `
    const { Memfd } = await import(${MODULE});
    const kept = [];
    try {
      for (;;) kept.push(Memfd.create('many'));
    } catch (error) {
      console.log(error.code, error.errnoName, error.syscall, kept.length > 10);
    }`;
  assert.equal(runLimited('-n 100', program), 'ERR_SEALANE_EXHAUSTED EMFILE memfd_create true');
});

test('a memfd is not inherited by a program that is started', () => {
  using memfd = Memfd.create('not inherited');
  const output = execFileSync('sh', ['-c', `test -e /proc/self/fd/${memfd.fd} || echo no`], {
    encoding: 'utf8',
  });
  assert.equal(output.trim(), 'no');
});

test('what a terminated worker left open is closed, and what it released is not', async () => {
  const [here, there] = UnixSocket.pair();
  const worker = new Worker(
    `(async () => {
      const { Memfd } = await import(${MODULE});
      globalThis.kept = [Memfd.create('left open'), Memfd.sealed('left open', Buffer.alloc(1))];
      const fd = Memfd.create('released').release();
      require('node:worker_threads').parentPort.postMessage(fd);
      setInterval(() => {}, 1000);
    })()`,
    { eval: true },
  );
  const fd = await new Promise<number>((resolve) => worker.once('message', resolve));
  assert.equal(openMemfds('left open'), 2);
  await worker.terminate();
  assert.equal(openMemfds('left open'), 0);
  assert.equal(openMemfds('released'), 1);
  closeSync(fd);
  here.close();
  there.close();
});

test('seals can be added on another thread, and a writable mapping forbids that too', async () => {
  using memfd = Memfd.create('sealed elsewhere', 8_192);
  using mapping = Mapping.shared(memfd.fd, 0, 8_192);
  await assert.rejects(memfd.sealAsync(BLOB_SEALS), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EBUSY' });
  mapping.close();
  await memfd.sealAsync(BLOB_SEALS);
  assert.throws(() => memfd.write(Uint8Array.of(1), 0), { errnoName: 'EPERM' });
  assert.equal(memfd.seals & BLOB_SEALS, BLOB_SEALS);
});
