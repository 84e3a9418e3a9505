/** Descriptors handed from thread to thread. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SealaneError } from '../base/errors.js';
import { closeDescriptor, inspect } from './descriptor.js';
import { MAX_OFFERS, offerDescriptor, takeDescriptor, withdrawDescriptor } from './handoff.js';
import { Memfd } from './memfd.js';

const MODULE = JSON.stringify(new URL('./handoff.js', import.meta.url).href);
const MEMFD_MODULE = JSON.stringify(new URL('./memfd.js', import.meta.url).href);

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test('an offer is a duplicate that is taken once', () => {
  const memfd = Memfd.create('offered', 123);
  const key = offerDescriptor(memfd.fd);
  memfd.close();
  assert.match(key, /^[0-9a-f]{32}$/);
  const fd = takeDescriptor(key);
  assert(fd !== undefined);
  assert.equal(inspect(fd).size, 123);
  assert.equal(takeDescriptor(key), undefined);
  assert.equal(withdrawDescriptor(key), false);
  closeDescriptor(fd);
});

test('each offer has a key of its own', () => {
  using memfd = Memfd.create('offered');
  const keys = Array.from({ length: 50 }, () => offerDescriptor(memfd.fd));
  assert.equal(new Set(keys).size, 50);
  for (const key of keys) assert.equal(withdrawDescriptor(key), true);
});

test('an offer that is withdrawn is gone, and its duplicate closed', () => {
  using memfd = Memfd.create('withdrawn');
  const before = openDescriptors();
  const key = offerDescriptor(memfd.fd);
  assert.equal(openDescriptors(), before + 1);
  assert.equal(withdrawDescriptor(key), true);
  assert.equal(openDescriptors(), before);
  assert.equal(takeDescriptor(key), undefined);
});

test('keys that were never given are unknown', () => {
  for (const key of [
    '',
    '0'.repeat(32),
    'x',
    '0'.repeat(31),
    '0'.repeat(33),
    '0'.repeat(1000),
    'ü'.repeat(16),
    '\0'.repeat(32),
  ]) {
    assert.equal(takeDescriptor(key), undefined);
    assert.equal(withdrawDescriptor(key), false);
  }
  assert.throws(() => takeDescriptor(5 as unknown as string), TypeError);
});

test('offering what is not open is an error', () => {
  assert.throws(
    () => offerDescriptor(2_000_000_000),
    (error) => error instanceof SealaneError && error.errnoName === 'EBADF',
  );
});

test('the number of offers is limited, and the one too many leaves no descriptor behind', (t) => {
  using memfd = Memfd.create('many');
  const keys: string[] = [];
  try {
    for (let i = 0; i < MAX_OFFERS; i++) keys.push(offerDescriptor(memfd.fd));
    const before = openDescriptors();
    const isLimit = (error: unknown) =>
      error instanceof SealaneError && error.code === 'ERR_SEALANE_LIMIT_EXCEEDED';
    assert.throws(() => offerDescriptor(memfd.fd), isLimit);
    assert.equal(openDescriptors(), before);
  } catch (error) {
    if (!(error instanceof SealaneError) || error.errnoName !== 'EMFILE') throw error;
    t.skip(`this process may have only ${keys.length} more descriptors`);
  } finally {
    for (const key of keys) withdrawDescriptor(key);
  }
  withdrawDescriptor(offerDescriptor(memfd.fd));
});

test('another thread takes what this one offers, and gives it back', async () => {
  using memfd = Memfd.sealed('between threads', Buffer.alloc(321));
  const worker = new Worker(
    `(async () => {
      const { parentPort, workerData } = require('node:worker_threads');
      const { takeDescriptor, offerDescriptor } = await import(${MODULE});
      const { Memfd } = await import(${MEMFD_MODULE});
      const memfd = Memfd.take(takeDescriptor(workerData));
      parentPort.postMessage([memfd.size, offerDescriptor(memfd.fd)]);
      parentPort.once('message', () => {});
    })()`,
    { eval: true, workerData: offerDescriptor(memfd.fd) },
  );
  const [size, key] = await new Promise<[number, string]>((resolve) => worker.once('message', resolve));
  assert.equal(size, 321);
  const fd = takeDescriptor(key);
  assert(fd !== undefined);
  assert.equal(inspect(fd).inode, inspect(memfd.fd).inode);
  closeDescriptor(fd);
  worker.postMessage('end');
  await once(worker, 'exit');
});

test('the offers of a thread that ended are closed, and those of others stay', async () => {
  using memfd = Memfd.create('kept');
  const kept = offerDescriptor(memfd.fd);
  const before = openDescriptors();
  const worker = new Worker(
    `(async () => {
      const { offerDescriptor } = await import(${MODULE});
      const { Memfd } = await import(${MEMFD_MODULE});
      const memfd = Memfd.create('of a worker');
      const keys = Array.from({ length: 20 }, () => offerDescriptor(memfd.fd));
      require('node:worker_threads').parentPort.postMessage(keys[7]);
      setInterval(() => {}, 1000);
    })()`,
    { eval: true },
  );
  const [key] = (await once(worker, 'message')) as [string];
  await worker.terminate();
  assert.equal(takeDescriptor(key), undefined);
  assert.equal(withdrawDescriptor(kept), true);
  assert(openDescriptors() < before + 5, `${openDescriptors() - before} more descriptors`);
});
