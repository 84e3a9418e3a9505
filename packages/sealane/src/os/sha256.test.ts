/** Digests against those of node:crypto, which has them from the same library by another way. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { SealaneError } from '../base/errors.js';
import { inspect } from './descriptor.js';
import { Memfd } from './memfd.js';
import { Sha256, sha256OfDescriptor } from './sha256.js';

const MIB = 1_048_576;

function expected(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.code === code;
}

test('the digest of nothing is the known one', async () => {
  using memfd = Memfd.sealed('empty', new Uint8Array(0));
  const known = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  assert.equal(await sha256OfDescriptor(memfd.fd, 0), known);
});

test('the digest agrees with node:crypto for sizes around every step', async () => {
  for (const size of [1, 63, 64, 65, 262_143, 262_145, 8 * MIB, 8 * MIB + 1, 20 * MIB]) {
    const bytes = Buffer.alloc(size, 'some content that repeats ');
    using memfd = Memfd.sealed('hashed', bytes);
    assert.equal(await sha256OfDescriptor(memfd.fd, size), expected(bytes), `${size} bytes`);
  }
});

test('updates from several places make one digest', async () => {
  using memfd = Memfd.sealed('parts', Buffer.from('hello world'));
  using digest = Sha256.create();
  assert.equal(await digest.update(memfd.fd, 6, 5), 5);
  assert.equal(await digest.update(memfd.fd, 0, 100), 11);
  assert.equal(digest.finish(), expected(Buffer.from('worldhello world')));
});

test('a file that ends too early has no digest', async () => {
  using memfd = Memfd.sealed('short', Buffer.alloc(100));
  await assert.rejects(sha256OfDescriptor(memfd.fd, 101), hasCode('ERR_SEALANE_SIZE_MISMATCH'));
});

test('hashing a sparse memfd allocates none of it', async () => {
  using memfd = Memfd.create('sparse', 32 * MIB);
  assert.equal(await sha256OfDescriptor(memfd.fd, 32 * MIB), expected(Buffer.alloc(32 * MIB)));
  assert.equal(inspect(memfd.fd).allocatedBytes, 0);
});

test('an abort ends the digest of a giant', async () => {
  using memfd = Memfd.create('giant', 2 ** 45);
  const controller = new AbortController();
  const digest = sha256OfDescriptor(memfd.fd, 2 ** 45, controller.signal);
  setImmediate(() => controller.abort());
  await assert.rejects(digest, hasCode('ERR_SEALANE_ABORTED'));
});

test('an abort before the beginning is heard, also for nothing', async () => {
  using memfd = Memfd.create('empty');
  await assert.rejects(sha256OfDescriptor(memfd.fd, 0, AbortSignal.abort()), hasCode('ERR_SEALANE_ABORTED'));
});

test('the descriptor may be closed as soon as the digest has begun', async () => {
  const bytes = Buffer.alloc(20 * MIB, 'x');
  const memfd = Memfd.sealed('closed', bytes);
  const digest = sha256OfDescriptor(memfd.fd, bytes.length);
  memfd.close();
  // Descriptors that are opened now take the number that became free; the digest must not follow them.
  const others = [1, 2, 3].map(() => openSync('/dev/zero', 'r'));
  assert.equal(await digest, expected(bytes));
  for (const fd of others) closeSync(fd);
});

test('a second update at the same time is refused, and the first goes on', async () => {
  using memfd = Memfd.create('busy', 8 * MIB);
  using digest = Sha256.create();
  const first = digest.update(memfd.fd, 0, 8 * MIB);
  await assert.rejects(digest.update(memfd.fd, 0, 1), /busy/);
  assert.throws(() => digest.finish(), /busy/);
  assert.equal(await first, 8 * MIB);
  assert.equal(digest.finish(), expected(Buffer.alloc(8 * MIB)));
});

test('a digest that is disposed of during an update does no harm', async () => {
  using memfd = Memfd.create('disposed', 8 * MIB);
  const digest = Sha256.create();
  const update = digest.update(memfd.fd, 0, 8 * MIB);
  digest[Symbol.dispose]();
  assert.equal(await update, 8 * MIB);
  assert.throws(() => digest.finish(), hasCode('ERR_SEALANE_CLOSED'));
});

test('a finished digest is closed', async () => {
  const digest = Sha256.create();
  digest.finish();
  assert.throws(() => digest.finish(), hasCode('ERR_SEALANE_CLOSED'));
  await assert.rejects(digest.update(0, 0, 1), hasCode('ERR_SEALANE_CLOSED'));
});

test('what can not be read rejects with the error of the kernel', async () => {
  const fd = openSync('.', 'r');
  await assert.rejects(
    sha256OfDescriptor(fd, 10),
    (error) => error instanceof SealaneError && error.errnoName === 'EISDIR',
  );
  closeSync(fd);
});
