// Putting: every kind of source becomes an object with exactly its bytes, and bad input leaves nothing behind.
import assert from 'node:assert/strict';
import { Blob, File } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { closeSync, openAsBlob, openSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Bus, DraftPool, isSealaneError, type PutOptions, type PutSource } from 'sealane';
import { BLOB_SEALS, Memfd } from 'sealane/internal';
import { countDescriptors, patternBytes, TestBroker } from './bus.js';

const SIZES = [0, 1, 4_095, 4_096, 4_097, 70_000, 1_048_576, 1_048_577, 5_000_003];

async function roundTrip(bus: Bus, source: PutSource, options: PutOptions = {}): Promise<Uint8Array> {
  const info = await bus.put(source, options);
  using blob = await bus.get(info);
  assert.equal(blob.size, info.size);
  return blob.bytes.slice();
}

test('bytes of every size arrive as they were', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  for (const size of SIZES) {
    const bytes = patternBytes(size);
    assert.deepEqual(await roundTrip(bus, bytes), bytes, `${size} bytes`);
  }
});

test('any view or buffer is a source of exactly its own bytes', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const floats = Float64Array.from([1.5, -2.25, 3e300]).subarray(1);
  assert.deepEqual(
    new Float64Array((await roundTrip(bus, floats)).buffer),
    Float64Array.from([-2.25, 3e300]),
  );
  const shared = new SharedArrayBuffer(3);
  new Uint8Array(shared).set([1, 2, 3]);
  assert.deepEqual([...(await roundTrip(bus, shared))], [1, 2, 3]);
  assert.deepEqual([...(await roundTrip(bus, new DataView(new ArrayBuffer(2))))], [0, 0]);
});

test('a source may be changed once the put has resolved', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const bytes = patternBytes(3_000_000);
  const before = bytes.slice();
  const info = await bus.put(bytes);
  bytes.fill(0);
  using blob = await bus.get(info);
  assert.deepEqual(blob.bytes, before);
});

test('a file is put by path, by URL, by handle and by descriptor, from its beginning', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const path = join(broker.folder, 'source');
  const bytes = patternBytes(2_500_001);
  writeFileSync(path, bytes);
  assert.deepEqual(await roundTrip(bus, path), bytes);
  assert.deepEqual(await roundTrip(bus, pathToFileURL(path)), bytes);
  await using handle = await open(path);
  await handle.read(Buffer.alloc(100), 0, 100);
  assert.deepEqual(await roundTrip(bus, handle), bytes);
  const fd = openSync(path, 'r');
  assert.deepEqual(await roundTrip(bus, { fd }), bytes);
  closeSync(fd);
});

test('a file that tells no size is read to its end', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const text = Buffer.from(await roundTrip(bus, '/proc/self/status')).toString();
  assert.match(text, /^Name:\t/);
  assert.match(text, /\nPid:\t/);
});

test('streams of unknown length are put: Readable, generators of bytes and of text', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const bytes = patternBytes(700_000);
  const chunks = [bytes.subarray(0, 10), bytes.subarray(10, 200_000), bytes.subarray(200_000)];
  assert.deepEqual(await roundTrip(bus, Readable.from(chunks)), bytes);
  async function* text() {
    yield 'schön, ';
    yield Buffer.from('zero ');
    yield 'copies';
  }
  assert.equal(Buffer.from(await roundTrip(bus, text())).toString(), 'schön, zero copies');
  async function* nothing() {}
  assert.equal((await roundTrip(bus, nothing())).length, 0);
});

test('a Blob and a File of the platform are put, with their size known ahead', async () => {
  await using broker = await TestBroker.start({ maxObjectBytes: 1 << 20 });
  const bus = await broker.connect();
  const bytes = patternBytes(300_000);
  assert.deepEqual(await roundTrip(bus, new Blob([bytes])), bytes);
  const path = join(broker.folder, 'file');
  writeFileSync(path, bytes);
  assert.deepEqual(await roundTrip(bus, await openAsBlob(path)), bytes);
  const seen: Array<[number, number | undefined]> = [];
  const onProgress = (done: number, total: number | undefined) => seen.push([done, total]);
  const file = new File([bytes, 'and text'], 'name.txt');
  assert.equal((await roundTrip(bus, file, { onProgress })).length, 300_008);
  assert.deepEqual(seen.at(-1), [300_008, 300_008]);
  const before = countDescriptors();
  const tooLarge = { code: 'ERR_SEALANE_LIMIT_EXCEEDED' };
  await assert.rejects(bus.put(new Blob([new Uint8Array(2 << 20)])), tooLarge);
  assert.equal(countDescriptors(), before);
});

test('a socket is a descriptor that is read until it ends', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const server = createServer((socket) => socket.end('from a socket'));
  await new Promise<void>((resolve) => server.listen(join(broker.folder, 'stream.sock'), resolve));
  const { connect } = await import('node:net');
  const socket = connect(join(broker.folder, 'stream.sock'));
  assert.equal(Buffer.from(await roundTrip(bus, socket)).toString(), 'from a socket');
  server.close();
});

test('a sealed memfd is adopted without a copy: it is the same memory', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  using memfd = Memfd.sealed('mine', patternBytes(10_000));
  const info = await bus.adopt(memfd, { name: 'adopted' });
  using blob = await bus.get(info);
  const inode = (fd: number) => readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').match(/ino:\s*(\d+)/)?.[1];
  const adopted = blob.descriptor;
  assert.equal(inode(adopted), inode(memfd.fd));
  assert.deepEqual(blob.bytes, patternBytes(10_000));
});

test('adopt refuses a memfd that lacks a seal, and names it', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  using memfd = Memfd.create('half');
  memfd.write(patternBytes(10), 0);
  await assert.rejects(bus.adopt(memfd), (error) => isSealaneError(error, 'ERR_SEALANE_NOT_SEALED'));
  memfd.seal(BLOB_SEALS & ~8);
  await assert.rejects(bus.adopt(memfd), { code: 'ERR_SEALANE_NOT_SEALED', message: /WRITE/ });
});

test('a draft is filled in place, sealed and put; its view is empty afterwards', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const draft = bus.draft(100_000);
  const view = draft.bytes;
  assert.deepEqual(new Uint8Array(100_000), view);
  view.set(patternBytes(100_000));
  const info = await draft.put({ name: 'drafted', size: 99_999 });
  assert.equal(view.length, 0);
  assert.equal(info.size, 99_999);
  using blob = await bus.get('drafted');
  assert.deepEqual(blob.bytes, patternBytes(100_000).subarray(0, 99_999));
  await assert.rejects(draft.put(), { code: 'ERR_SEALANE_CLOSED' });
});

test('a pool serves populated memory, refills itself, and falls back when it is empty', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  using pool = new DraftPool({ bytes: 65_536, count: 2 });
  await pool.ready();
  assert.deepEqual(pool.stats, { hits: 0, misses: 0, ready: 2 });
  const drafts = [1, 2, 3].map(() => bus.draft(60_000, { pool }));
  assert.deepEqual([pool.stats.hits, pool.stats.misses], [2, 1]);
  for (const [index, draft] of drafts.entries()) {
    draft.bytes.fill(index + 1);
    using blob = await bus.get(await draft.put());
    assert.equal(blob.size, 60_000);
    assert.ok(blob.bytes.every((byte) => byte === index + 1));
  }
  await pool.ready();
  assert.equal(pool.stats.ready, 2);
  assert.throws(() => bus.draft(65_537, { pool }), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('a pool that could not fit into memory is refused', () => {
  const tooMuch = { code: 'ERR_SEALANE_INVALID_ARGUMENT', message: /bytes \* count/ };
  assert.throws(() => new DraftPool({ bytes: 2 ** 40, count: 1_024 }), tooMuch);
});

test('what is put carries its name, owner, jobs, time to live and metadata', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const metadata = { dtype: 'f32', shape: '2,3', ['__proto__']: 'harmless', empty: '' };
  await bus.put(new Uint8Array(24), {
    name: 'n',
    owner: 'a',
    allow: ['b', 'c', 'b'],
    ttlMs: 60_000,
    metadata,
  });
  using blob = await bus.get('n');
  const { info } = blob;
  assert.deepEqual({ ...info.metadata }, { ...metadata });
  assert.deepEqual([info.name, info.owner, info.allowed], ['n', 'a', ['b', 'c']]);
  const remaining = Number(info.expiresAt) - Number(info.createdAt);
  assert.equal(remaining, 60_000);
  assert.equal(info.uid, process.getuid?.());
});

test('a content-addressed object is named by its digest, and equal contents share memory', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const first = await bus.put('/etc/hostname', { contentAddressed: true });
  assert.match(first.name ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.equal(first.digest, first.name);
  const second = await bus.put('/etc/hostname', { contentAddressed: true, name: 'again' });
  assert.notEqual(second.id, first.id);
  assert.equal((await bus.status()).bytes, first.size);
  using blob = await bus.get(first.digest ?? '');
  assert.equal(blob.id, second.id);
});

test('a put with the wrong digest is refused and leaves nothing', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const digest = `sha256:${'0'.repeat(64)}`;
  await assert.rejects(bus.put(patternBytes(5), { digest }), { code: 'ERR_SEALANE_DIGEST_MISMATCH' });
  assert.equal((await bus.status()).objects, 0);
});

test('progress is told and ends at the size of the source', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const path = join(broker.folder, 'large');
  writeFileSync(path, patternBytes(3_000_000));
  const seen: Array<[number, number | undefined]> = [];
  await bus.put(path, { onProgress: (bytes, total) => seen.push([bytes, total]) });
  assert.deepEqual(seen.at(-1), [3_000_000, 3_000_000]);
});

test('a put is given up when its signal fires, and its memory is freed', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const before = countDescriptors();
  const controller = new AbortController();
  async function* endless() {
    for (let count = 0; ; count++) {
      if (count === 10) controller.abort(new Error('enough'));
      yield new Uint8Array(1_000);
    }
  }
  await assert.rejects(bus.put(endless(), { signal: controller.signal }), { code: 'ERR_SEALANE_ABORTED' });
  assert.equal(countDescriptors(), before);
  await assert.rejects(bus.put(new Uint8Array(1), { signal: AbortSignal.abort() }), {
    code: 'ERR_SEALANE_ABORTED',
  });
});

test('a put from a source that never answers is given up all the same', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const fifo = join(broker.folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  async function* silent() {
    yield new Uint8Array(1);
    await new Promise(() => {});
  }
  for (const source of [silent(), new PassThrough(), fifo]) {
    const controller = new AbortController();
    const put = bus.put(source, { signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(put, { code: 'ERR_SEALANE_ABORTED' });
  }
});

test('what waits to be put is that memory, whatever is closed and opened meanwhile', async () => {
  await using broker = await TestBroker.start({ maxOutstanding: 4 });
  const bus = await broker.connect();
  const busy = Array.from({ length: 4 }, () => bus.status());
  const draft = bus.draft(4_096);
  draft.bytes.fill(0x41);
  using memfd = Memfd.sealed('adopted', new Uint8Array(4_096).fill(0x43));
  const puts = [draft.put({ name: 'draft' }), bus.adopt(memfd, { name: 'adopted' })];
  draft.discard();
  memfd.close();
  puts.push(bus.put(new Uint8Array(4_096).fill(0x42), { name: 'other' }));
  await Promise.all([...busy, ...puts]);
  for (const [name, byte] of [
    ['draft', 0x41],
    ['adopted', 0x43],
    ['other', 0x42],
  ] as const) {
    using blob = await bus.get(name);
    assert.equal(blob.bytes[0], byte, name);
  }
});

test('a source that is too large for the broker is refused before or while it is copied', async () => {
  await using broker = await TestBroker.start({ maxObjectBytes: 100_000 });
  const bus = await broker.connect();
  const before = countDescriptors();
  const tooLarge = { code: 'ERR_SEALANE_LIMIT_EXCEEDED' };
  await assert.rejects(bus.put(new Uint8Array(100_001)), tooLarge);
  await assert.rejects(bus.put(process.execPath), tooLarge);
  await assert.rejects(bus.put(Readable.from([new Uint8Array(99_999), new Uint8Array(2)])), tooLarge);
  assert.throws(() => bus.draft(100_001), tooLarge);
  assert.equal(countDescriptors(), before);
});

test('a source that fails gives its error to the put and leaves no descriptor', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const before = countDescriptors();
  async function* failing() {
    yield new Uint8Array(10);
    throw new Error('the camera is gone');
  }
  await assert.rejects(bus.put(failing()), { message: 'the camera is gone' });
  await assert.rejects(bus.put(join(broker.folder, 'missing', 'file')), {
    code: 'ERR_SEALANE_SYSTEM',
    errnoName: 'ENOENT',
  });
  await assert.rejects(bus.put(broker.folder), {
    code: 'ERR_SEALANE_SYSTEM',
    errnoName: 'EISDIR',
    message: `${JSON.stringify(broker.folder)}: the source can't be read: EISDIR: illegal operation on a directory, read`,
  });
  assert.equal(countDescriptors(), before);
});

test('arguments that do not fit are refused with the argument named', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const invalid = (name: RegExp) => ({ code: 'ERR_SEALANE_INVALID_ARGUMENT', message: name });
  const bytes = new Uint8Array(1);
  await assert.rejects(bus.put(bytes, { name: '' }), invalid(/name/));
  await assert.rejects(bus.put(bytes, { name: 'x'.repeat(65_537) }), invalid(/name/));
  await assert.rejects(bus.put(bytes, { name: '\ud800' }), invalid(/well-formed/));
  await assert.rejects(bus.put(bytes, { owner: 'x'.repeat(257) }), invalid(/owner/));
  await assert.rejects(bus.put(bytes, { allow: [''] }), invalid(/allow/));
  await assert.rejects(bus.put(bytes, { ttlMs: 0 }), invalid(/ttlMs/));
  await assert.rejects(bus.put(bytes, { ttlMs: 1.5 }), invalid(/ttlMs/));
  await assert.rejects(bus.put(bytes, { digest: 'md5:abc' }), invalid(/digest/));
  await assert.rejects(bus.put(bytes, { metadata: { a: 'x'.repeat(4_096) } }), invalid(/metadata/));
  await assert.rejects(bus.put(42 as unknown as PutSource), invalid(/source/));
  await assert.rejects(bus.put({ fd: -1 }), invalid(/fd/));
  await assert.rejects(bus.put(bytes, { nmae: 'x' } as PutOptions), invalid(/nmae/));
  await assert.rejects(bus.put(bytes, { allow: ['b'] }), invalid(/allow/));
});
