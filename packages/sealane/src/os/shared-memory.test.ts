/** Memory that is made to be shared: what its maker can do, what others can, and how its pages are got ready. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { SealaneError } from '../base/errors.js';
import {
  BLOB_SEALS,
  CONTROL_SEALS,
  duplicate,
  inspect,
  POOL_SEALS,
  requireSealedMemory,
  SEAL_FUTURE_WRITE,
  SEAL_GROW,
  SEAL_SHRINK,
} from './descriptor.js';
import { mayHaveHugePages } from './huge-pages.js';
import { Mapping } from './mapping.js';
import { Memfd } from './memfd.js';
import { SharedMemory } from './shared-memory.js';
import { UnixSocket } from './unix-socket.js';

const MIB = 1_048_576;
const MODULE = JSON.stringify(new URL('./shared-memory.js', import.meta.url).href);

function hasErrno(name: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.errnoName === name;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.code === code;
}

/** Kilobytes that /proc/self/smaps says under this key about the first mapping of a memfd of that name. */
function kilobytes(name: string, key: string): number {
  const text = readFileSync('/proc/self/smaps', 'latin1');
  const at = text.indexOf(`/memfd:${name} (deleted)`);
  assert.notEqual(at, -1);
  return Number(text.slice(at).match(new RegExp(`${key}:\\s+(\\d+) kB`))?.[1]);
}

/** Descriptors and mappings of memfds of that name in this process. */
function left(name: string): number {
  const target = `/memfd:${name} (deleted)`;
  const maps = readFileSync('/proc/self/maps', 'latin1').split('\n');
  const open = readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === target);
  return open.length + maps.filter((line) => line.endsWith(target)).length;
}

function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The descriptor with which the folder itself was read.
    return undefined;
  }
}

test('a pool is written by its maker alone, and others see what it writes', () => {
  using memory = SharedMemory.create('pool', 8192, POOL_SEALS);
  assert.deepEqual([memory.size, memory.buffer.byteLength], [8192, 8192]);
  assert.equal(memory.seals & POOL_SEALS, POOL_SEALS);
  const received = duplicate(memory.descriptor);
  using theirs = Memfd.take(received);
  requireSealedMemory(theirs.fd, POOL_SEALS, 8192);
  using view = Mapping.sharedReadOnly(theirs.fd, 0, 8192);
  new Uint8Array(memory.buffer)[5000] = 7;
  assert.equal(view.bytes[5000], 7);
  assert.throws(() => Mapping.shared(theirs.fd, 0, 8192), hasErrno('EPERM'));
  assert.throws(() => theirs.write(Buffer.from('x'), 0), hasErrno('EPERM'));
  assert.throws(() => theirs.resize(0), hasErrno('EPERM'));
  assert.throws(() => theirs.seal(BLOB_SEALS), hasErrno('EPERM'));
  assert.equal(view.bytes[0], 0);
});

test('control memory is written by both sides, and neither can cut it off', () => {
  using memory = SharedMemory.create('control', 4096, CONTROL_SEALS);
  using theirs = Memfd.take(duplicate(memory.descriptor));
  requireSealedMemory(theirs.fd, CONTROL_SEALS, 4096);
  using mapping = Mapping.shared(theirs.fd, 0, 4096);
  mapping.bytes[1] = 9;
  assert.equal(new Uint8Array(memory.buffer)[1], 9);
  assert.throws(() => theirs.resize(0), hasErrno('EPERM'));
  assert.throws(() => theirs.resize(8192), hasErrno('EPERM'));
});

test('memory that is received must be a memfd with the seals and of the size', () => {
  using memory = SharedMemory.create('received', 4096, CONTROL_SEALS);
  const { descriptor } = memory;
  assert.equal(requireSealedMemory(descriptor, CONTROL_SEALS, 4096).size, 4096);
  assert.equal(requireSealedMemory(descriptor, SEAL_SHRINK, 4096).size, 4096);
  assert.throws(
    () => requireSealedMemory(descriptor, POOL_SEALS, 4096, 'the pool'),
    (error) =>
      hasCode('ERR_SEALANE_NOT_SEALED')(error) && /the pool lacks .* FUTURE_WRITE:/.test(String(error)),
  );
  for (const size of [4095, 4097, 0]) {
    assert.throws(
      () => requireSealedMemory(descriptor, CONTROL_SEALS, size),
      hasCode('ERR_SEALANE_SIZE_MISMATCH'),
    );
  }
  const [one, two] = UnixSocket.pair();
  using _one = one;
  using _two = two;
  assert.throws(() => requireSealedMemory(one.fd, CONTROL_SEALS, 0), hasCode('ERR_SEALANE_WRONG_DESCRIPTOR'));
});

test('prefaulted memory has all its pages before it is touched, other memory none', () => {
  using lazy = SharedMemory.create('lazy', 4 * MIB, POOL_SEALS);
  assert.equal(inspect(lazy.descriptor).allocatedBytes, 0);
  using memory = SharedMemory.create('prefaulted', 4 * MIB, POOL_SEALS, { prefault: true });
  assert.equal(inspect(memory.descriptor).allocatedBytes, 4 * MIB);
  // Almost: the kernel may take a page away at any time.
  assert(kilobytes('prefaulted', 'Rss') >= 0.9 * 4096);
});

test('locked memory is locked while it is mapped', (t) => {
  let memory: SharedMemory;
  try {
    memory = SharedMemory.create('locked', 65_536, POOL_SEALS, { lock: true });
  } catch (error) {
    if (!(error instanceof SealaneError) || error.syscall !== 'mlock') throw error;
    return t.skip(`this process may not lock 64 KiB: ${error.message}`);
  }
  assert.equal(kilobytes('locked', 'Locked'), 64);
  memory.close();
  assert.equal(left('locked'), 0);
});

test('memory that may not be locked is an error that names the limit, and leaves nothing behind', () => {
  const program = `
    const { SharedMemory } = await import(${MODULE});
    const { closeSync, openSync } = await import('node:fs');
    SharedMemory.create('loads the addon', 1, ${POOL_SEALS}).close();
    if (process.getuid() === 0) {
      // Root may lock any amount.
      process.setgid(65534);
      process.setuid(65534);
    }
    const lowest = () => {
      const fd = openSync('/dev/null', 'r');
      closeSync(fd);
      return fd;
    };
    const before = lowest();
    try {
      SharedMemory.create('too much', 1 << 20, ${POOL_SEALS}, { lock: true }).close();
      console.log('locked');
    } catch (error) {
      console.log(error.code, error.syscall, /RLIMIT_MEMLOCK/.test(error.message), lowest() - before);
    }`;
  const script = 'ulimit -l "$0" && exec "$1" --input-type=module -e "$2"';
  for (const limit of ['64', '0']) {
    const args = ['-c', script, limit, process.execPath, program];
    const { stdout, stderr } = spawnSync('sh', args, { encoding: 'utf8' });
    assert.equal(stdout, 'ERR_SEALANE_EXHAUSTED mlock true 0\n', stderr);
  }
});

test('huge pages are reported as the kernel has them for shared memory, and are never a failure', () => {
  using memory = SharedMemory.create('huge', 4 * MIB, POOL_SEALS, { hugePages: true, prefault: true });
  assert.equal(memory.hugePages, mayHaveHugePages());
  if (!memory.hugePages) assert.equal(kilobytes('huge', 'ShmemPmdMapped'), 0);
  using ordinary = SharedMemory.create('ordinary', 4096, POOL_SEALS);
  assert.equal(ordinary.hugePages, false);
});

test('memory that can not be made leaves nothing behind, whichever step fails', () => {
  assert.throws(() => SharedMemory.create('endless', 2 ** 50, POOL_SEALS), hasCode('ERR_SEALANE_EXHAUSTED'));
  assert.throws(() => SharedMemory.create('endless', 4096, BLOB_SEALS), hasErrno('EBUSY'));
  assert.equal(left('endless'), 0);
});

test('a size of nothing, and seals that let a peer cut it off, are wrong arguments', () => {
  for (const size of [0, -1, 0.5, Number.NaN]) {
    assert.throws(
      () => SharedMemory.create('wrong', size, POOL_SEALS),
      hasCode('ERR_SEALANE_INVALID_ARGUMENT'),
    );
  }
  for (const seals of [0, SEAL_FUTURE_WRITE, SEAL_GROW | SEAL_SHRINK]) {
    assert.throws(() => SharedMemory.create('wrong', 1, seals), hasCode('ERR_SEALANE_INVALID_ARGUMENT'));
  }
});

test('after close nothing can be asked for, and closing again does nothing', () => {
  const memory = SharedMemory.create('closed', 100, POOL_SEALS);
  const { buffer } = memory;
  memory.close();
  memory.close();
  assert.equal(buffer.byteLength, 0);
  assert.equal(left('closed'), 0);
  for (const use of [() => memory.descriptor, () => memory.buffer, () => memory.size]) {
    assert.throws(use, hasCode('ERR_SEALANE_CLOSED'));
  }
});
