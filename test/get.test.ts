// Getting: views, conversions, closing, and the safety of what is held beyond a close.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect as connectSocket, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { BLOB_SEALS, Memfd } from 'sealane/internal';
import {
  collect,
  countDescriptors,
  countMappedMemfds,
  countMappings,
  patternBytes,
  TestBroker,
} from './bus.js';

test('an object is found by id, name, digest, and by what put returned', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const bytes = patternBytes(1_000);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const info = await bus.put(bytes, { name: 'one' });
  assert.equal((await bus.stat('one', { digest: true })).digest, digest);
  for (const target of [info, info.id, 'one', digest, { id: info.id }, { name: 'one' }, { digest }]) {
    using blob = await bus.get(target);
    assert.deepEqual(blob.bytes, bytes);
  }
  await assert.rejects(bus.get('two'), { code: 'ERR_SEALANE_NOT_FOUND' });
  await assert.rejects(bus.get(999), { code: 'ERR_SEALANE_NOT_FOUND' });
  await assert.rejects(bus.get(0), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('views share the pages, and a write into one is seen by nobody else', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const info = await bus.put(patternBytes(20_000));
  using first = await bus.get(info);
  using second = await bus.get(info);
  first.bytes[5] = 0;
  first.bytes[5]++;
  assert.equal(first.bytes[5], 1);
  assert.equal(second.bytes[5], patternBytes(6)[5]);
});

test('a part is a view of exactly that part, whether or not all of it is mapped', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const bytes = patternBytes(50_000);
  using blob = await bus.get(await bus.put(bytes));
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(blob.view(4_097, 10_000), bytes.subarray(4_097, 14_097));
    assert.deepEqual(blob.view(49_999), bytes.subarray(49_999));
    assert.equal(blob.view(50_000).length, 0);
    assert.equal(blob.bytes, blob.bytes);
  }
  assert.throws(() => blob.view(50_001), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  assert.throws(() => blob.view(1, 50_000), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  assert.throws(() => blob.view(-1), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('typed views check their alignment', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const numbers = Float64Array.from({ length: 100 }, (_, index) => index / 3);
  using blob = await bus.get(await bus.put(numbers));
  assert.deepEqual(blob.as(Float64Array), numbers);
  assert.deepEqual(blob.as(Float64Array, 16, 3), numbers.subarray(2, 5));
  assert.deepEqual(blob.as(BigInt64Array, 8, 1), new BigInt64Array(numbers.buffer, 8, 1));
  assert.throws(() => blob.as(Float64Array, 4), { code: 'ERR_SEALANE_MISALIGNED' });
  assert.throws(() => blob.as(Uint32Array, 2, 1), { code: 'ERR_SEALANE_MISALIGNED' });
  assert.throws(() => blob.as(Float64Array, 0, 101), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  using odd = await bus.get(await bus.put(new Uint8Array(7)));
  assert.throws(() => odd.as(Uint16Array), { code: 'ERR_SEALANE_MISALIGNED' });
  assert.equal(odd.as(Uint16Array, 0, 3).length, 3);
});

test('a hundred thousand small views of one blob cost few mappings', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const bytes = patternBytes(3_000_000);
  using blob = await bus.get(await bus.put(bytes));
  const before = countMappedMemfds();
  for (let count = 0; count < 100_000; count++) {
    const offset = (count * 40_503) % 2_999_000;
    if (blob.view(offset, 8)[7] !== bytes[offset + 7]) assert.fail(`a wrong byte at ${offset}`);
  }
  const grown = countMappedMemfds() - before;
  // One for each 256 KiB, and one for each view that lies across two of these.
  assert.ok(grown >= 1 && grown <= 40, `${grown} mappings more`);
  assert.deepEqual(blob.view(262_140, 8), bytes.subarray(262_140, 262_148));
  assert.deepEqual(blob.view(262_144, 262_144), bytes.subarray(262_144, 524_288));
});

test('more large views than a process can map are refused, and the blob goes on', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  using blob = await bus.get(await bus.put(patternBytes(1_000_000)));
  const held: Uint8Array[] = [];
  const hold = () => {
    for (let count = 0; count < 20_000; count++) held.push(blob.view(count, 500_000));
  };
  assert.throws(hold, { code: 'ERR_SEALANE_EXHAUSTED' });
  assert.ok(held.length >= 8_000);
  assert.equal(blob.bytes.length, 1_000_000);
});

test('text, stream, digest and files give the content', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const text = '\ufeffzwei Köpfe\n'.repeat(100_000);
  using blob = await bus.get(await bus.put(Buffer.from(text)));
  assert.equal(blob.text(), text);
  assert.equal(Buffer.concat(await collect<Buffer>(blob.stream())).toString(), text);
  assert.equal(await blob.digest(), `sha256:${createHash('sha256').update(text).digest('hex')}`);
  const path = join(broker.folder, 'copy');
  assert.equal(await blob.copyTo(path), Buffer.byteLength(text));
  assert.equal(readFileSync(path, 'utf8'), text);
  await using handle = await open(join(broker.folder, 'copy-2'), 'w');
  await blob.copyTo(handle);
  assert.equal(readFileSync(join(broker.folder, 'copy-2'), 'utf8'), text);
  await assert.rejects(blob.copyTo(join(broker.folder, 'missing', 'file')), {
    code: 'ERR_SEALANE_SYSTEM',
    errnoName: 'ENOENT',
  });
});

test('the empty object has every view', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  using blob = await bus.get(await bus.put(new Uint8Array(0), { contentAddressed: true }));
  assert.equal(blob.bytes.length, 0);
  assert.equal(blob.text(), '');
  assert.equal(blob.as(Float32Array).length, 0);
  assert.deepEqual(await collect(blob.stream()), []);
  assert.equal(await blob.digest(), `sha256:${createHash('sha256').digest('hex')}`);
});

test('after close every view is empty, and the blob says that it is closed', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const blob = await bus.get(await bus.put(patternBytes(100_000)));
  const part = blob.view(10, 10);
  const all = blob.bytes;
  const numbers = blob.as(Uint16Array);
  blob.close();
  blob.close();
  assert.deepEqual([part.length, all.length, numbers.length], [0, 0, 0]);
  assert.equal(all[0], undefined);
  for (const use of [
    () => blob.bytes,
    () => blob.view(),
    () => blob.text(),
    () => blob.fd(),
    () => blob.token(),
    () => blob.stream(),
  ]) {
    assert.throws(use, { code: 'ERR_SEALANE_CLOSED', message: /^the blob \d+ is closed/ });
  }
  await assert.rejects(blob.digest(), { code: 'ERR_SEALANE_CLOSED' });
});

test('a copy that is given up before it begins leaves the file as it was', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  using blob = await bus.get(await bus.put(patternBytes(10)));
  const path = join(broker.folder, 'precious');
  writeFileSync(path, 'precious');
  await assert.rejects(blob.copyTo(path, { signal: AbortSignal.abort() }), { code: 'ERR_SEALANE_ABORTED' });
  await assert.rejects(blob.copyTo(path, { signal: 5 as unknown as AbortSignal }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
  });
  assert.equal(readFileSync(path, 'utf8'), 'precious');
});

test('text beyond what a string can hold is refused with a code', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  using sparse = Memfd.create('sparse', 600 * 2 ** 20);
  sparse.seal(BLOB_SEALS);
  using blob = await bus.get(await bus.adopt(sparse));
  assert.throws(() => blob.text(), { code: 'ERR_SEALANE_LIMIT_EXCEEDED' });
});

test('fd() is a duplicate that outlives the blob', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const blob = await bus.get(await bus.put(patternBytes(123)));
  const fd = blob.fd();
  blob.close();
  assert.equal(fstatSync(fd).size, 123);
  assert.deepEqual(new Uint8Array(readFileSync(`/proc/self/fd/${fd}`)), patternBytes(123));
  closeSync(fd);
});

test('a stream, a copy and a digest that are under way survive the close of their blob', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const bytes = patternBytes(3_000_000);
  const blob = await bus.get(await bus.put(bytes));
  const stream = blob.stream();
  const copied = blob.copyTo(join(broker.folder, 'late'));
  const digest = blob.digest();
  blob.close();
  assert.deepEqual(Buffer.concat(await collect<Buffer>(stream)), Buffer.from(bytes));
  assert.equal(await copied, bytes.length);
  assert.equal(await digest, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
});

test('a socket write in flight never sends another object when its blob is closed', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const size = 32 << 20;
  await bus.put(new Uint8Array(size).fill(1), { name: 'ones' });
  await bus.put(new Uint8Array(size).fill(2), { name: 'twos' });
  let ones = 0;
  let others = 0;
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(join(broker.folder, 'slow.sock'), resolve));
  const accepted = new Promise<import('node:net').Socket>((resolve) => server.once('connection', resolve));
  const socket = connectSocket(join(broker.folder, 'slow.sock'));
  socket.on('error', () => {});
  const first = await bus.get('ones');
  socket.write(first.bytes);
  const reader = await accepted;
  first.close();
  using second = await bus.get('twos');
  assert.equal(second.bytes[0], 2);
  reader.on('data', (chunk) => {
    for (const byte of chunk) byte === 1 ? ones++ : others++;
  });
  reader.on('error', () => {});
  const ended = new Promise((resolve) => reader.once('close', resolve));
  reader.resume();
  socket.end();
  await ended;
  server.close();
  assert.equal(others, 0);
  assert.ok(ones < size, 'the rest of the write failed instead of being sent');
});

test('ten thousand rounds of put, get and drop leave no descriptor and no growing number of mappings', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const bytes = patternBytes(4_096);
  const round = async (): Promise<void> => {
    const info = await bus.put(bytes, { name: 'round' });
    using blob = await bus.get('round');
    assert.equal(blob.bytes[4_095], bytes[4_095]);
    await bus.drop(info);
  };
  for (let count = 0; count < 1_000; count++) await round();
  const descriptors = countDescriptors();
  const mappings = countMappings();
  for (let count = 0; count < 10_000; count++) await round();
  assert.equal(countDescriptors(), descriptors);
  assert.ok(countMappings() < mappings + 500, `mappings grew from ${mappings} to ${countMappings()}`);
});

test('an error of the broker shows where it was asked', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  async function loadMyModel(): Promise<void> {
    using blob = await bus.get('nothing');
    assert.fail(`found ${blob.id}`);
  }
  const error = await loadMyModel().catch((reason: Error) => reason);
  assert.match(error?.stack ?? '', /loadMyModel/);
  assert.deepEqual(Object.keys(error ?? {}).sort(), ['code', 'name']);
});
