/** Copies between real files and memfds, and what ends them early. */
import assert from 'node:assert/strict';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SealaneError } from '../base/errors.js';
import { copyRange } from './copy.js';
import { Memfd } from './memfd.js';
import { UnixSocket } from './unix-socket.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-copy-'));
after(() => rmSync(folder, { recursive: true }));

const MIB = 1_048_576;

function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1000) bytes.writeUInt32LE(i, Math.min(i, length - 4));
  return bytes;
}

function content(memfd: Memfd): Buffer {
  const bytes = Buffer.alloc(memfd.size);
  memfd.read(bytes, 0);
  return bytes;
}

test('a file is copied into a memfd, from and to any offset', async () => {
  const path = join(folder, 'source');
  const bytes = pattern(3 * MIB + 17);
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  using memfd = Memfd.create('target');
  assert.equal(await copyRange(fd, 5, memfd.fd, 7, 2 * MIB), 2 * MIB);
  assert.equal(memfd.size, 2 * MIB + 7);
  assert(
    content(memfd)
      .subarray(7)
      .equals(bytes.subarray(5, 5 + 2 * MIB)),
  );
  closeSync(fd);
});

test('a memfd is copied into a file and into another memfd', async () => {
  const bytes = pattern(MIB + 3);
  using source = Memfd.sealed('source', bytes);
  using target = Memfd.create('target');
  const path = join(folder, 'target');
  const fd = openSync(path, 'w');
  assert.equal(await copyRange(source.fd, 0, fd, 0, bytes.length), bytes.length);
  assert.equal(await copyRange(source.fd, 0, target.fd, 0, bytes.length), bytes.length);
  assert(readFileSync(path).equals(bytes));
  assert(content(target).equals(bytes));
  closeSync(fd);
});

test('a copy stops at the end of its source', async () => {
  using source = Memfd.sealed('source', Buffer.from('short'));
  using target = Memfd.create('target');
  assert.equal(await copyRange(source.fd, 2, target.fd, 0, 2 ** 50), 3);
  assert.equal(content(target).toString(), 'ort');
  assert.equal(await copyRange(source.fd, 100, target.fd, 0, 10), 0);
  assert.equal(await copyRange(source.fd, 0, target.fd, 0, 0), 0);
});

test('a file whose size the kernel does not know is copied as well', async () => {
  const fd = openSync('/proc/self/status', 'r');
  using target = Memfd.create('target');
  const copied = await copyRange(fd, 0, target.fd, 0, MIB);
  assert(copied > 100);
  assert.match(content(target).toString(), /^Name:/);
  closeSync(fd);
});

test('the position of the target stays where it was', async () => {
  const path = join(folder, 'positioned');
  writeFileSync(path, 'head');
  const fd = openSync(path, 'r+');
  readSync(fd, Buffer.alloc(2));
  using source = Memfd.sealed('source', Buffer.from('xyz'));
  await copyRange(source.fd, 0, fd, 4, 3);
  const rest = Buffer.alloc(10);
  assert.equal(rest.toString('latin1', 0, readSync(fd, rest)), 'adxyz');
  closeSync(fd);
});

test('progress is told in bytes copied so far, and ends with all of them', async () => {
  using source = Memfd.create('source', 150 * MIB);
  using target = Memfd.create('target');
  const seen: number[] = [];
  await copyRange(source.fd, 0, target.fd, 0, 150 * MIB, undefined, (bytes) => seen.push(bytes));
  assert.deepEqual(seen, [64 * MIB, 128 * MIB, 150 * MIB]);
});

test('an abort ends the copy after the step that is under way', async () => {
  using source = Memfd.create('source', 200 * MIB);
  using target = Memfd.create('target');
  const controller = new AbortController();
  const reason = new Error('enough');
  const copy = copyRange(source.fd, 0, target.fd, 0, 200 * MIB, controller.signal, () =>
    controller.abort(reason),
  );
  await assert.rejects(
    copy,
    (error) =>
      error instanceof SealaneError && error.code === 'ERR_SEALANE_ABORTED' && error.cause === reason,
  );
  assert.equal(target.size, 64 * MIB);
});

test('both descriptors may be closed as soon as the copy has begun', async () => {
  const source = Memfd.create('source', 130 * MIB);
  const target = Memfd.create('target');
  using kept = Memfd.take(openSync(`/proc/self/fd/${target.fd}`, 'r+'));
  const copy = copyRange(source.fd, 0, target.fd, 0, 130 * MIB);
  source.close();
  target.close();
  assert.equal(await copy, 130 * MIB);
  assert.equal(kept.size, 130 * MIB);
});

test('a failed copy is a system error and leaves no descriptor behind', async () => {
  using source = Memfd.sealed('source', Buffer.alloc(10));
  using target = Memfd.sealed('target', Buffer.alloc(10));
  const [socket, peer] = UnixSocket.pair();
  const before = readdirSync('/proc/self/fd').length;
  const hasErrno = (name: string) => (error: unknown) =>
    error instanceof SealaneError && error.errnoName === name;
  await assert.rejects(copyRange(source.fd, 0, target.fd, 0, 10), hasErrno('EPERM'));
  await assert.rejects(copyRange(source.fd, 0, socket.fd, 0, 10), hasErrno('ESPIPE'));
  await assert.rejects(copyRange(source.fd, 0, 2_000_000_000, 0, 10), hasErrno('EBADF'));
  assert.equal(readdirSync('/proc/self/fd').length, before);
  socket.close();
  peer.close();
});

test('copying a sparse memfd allocates nothing in the source', async () => {
  using source = Memfd.create('sparse', 20 * MIB);
  const fd = openSync(join(folder, 'sparse'), 'w');
  await copyRange(source.fd, 0, fd, 0, 20 * MIB);
  ftruncateSync(fd, 0);
  closeSync(fd);
  const { inspect } = await import('./descriptor.js');
  assert.equal(inspect(source.fd).allocatedBytes, 0);
});
