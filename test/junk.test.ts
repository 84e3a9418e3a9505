// Junk arguments: every public entry point takes every kind of value that a program may pass by mistake, and either works as
// documented or fails with an error of the library that says which argument it was. Nothing hangs, and nothing stays open.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AuditFile, Broker, type Bus, connect, DraftPool, openBlob, type Blob as SealedBlob } from 'sealane';
import { Memfd } from 'sealane/internal';
import { collect, countDescriptors, TestBroker } from './bus.js';
import {
  type Entry,
  isAborted,
  isBoolean,
  isCallback,
  isEmptyArray,
  isPlainObject,
  isSignal,
  isText,
  JUNK,
  type Junk,
  notFound,
  tryOne,
} from './junk.test.helper.js';

/** Tries every junk on every entry point; afterwards nothing is open that was not before. */
async function tryAll(bus: Bus, entries: readonly Entry[]): Promise<void> {
  const before = countDescriptors();
  for (const entry of entries) {
    for (const junk of JUNK) await tryOne(entry, junk);
    // The broker, and the thread that populates a pool, learn in their own time that something ended.
    for (let round = 0; round < 1_000 && countDescriptors() > before; round++) await bus.status();
    assert.equal(countDescriptors(), before, `${entry.name} left descriptors open`);
  }
}

/** A bus, one object on it, and that object as a blob. Small limits: some junk is a size. */
async function open(t: TestContext): Promise<{ broker: TestBroker; bus: Bus; blob: SealedBlob }> {
  const broker = await TestBroker.start({ maxObjectBytes: 65_536, maxBytes: 1 << 20 });
  t.after(() => broker[Symbol.asyncDispose]());
  const bus = await broker.connect();
  const blob = await bus.get(await bus.put(new Uint8Array(16), { name: 'there' }));
  t.after(() => blob.close());
  return { broker, bus, blob };
}

/** A put that leaves nothing in the broker: objects are descriptors of this process. */
async function putAndDrop(bus: Bus, source: Junk, options: object = {}): Promise<void> {
  await bus.drop(await bus.put(source, options));
}

const bytes = new Uint8Array(8) as Junk;

/** Where undefined looks for a broker, or puts one, for the time of a test. */
function setDefaultSocket(t: TestContext, socket: string): void {
  const before = process.env.SEALANE_SOCKET;
  process.env.SEALANE_SOCKET = socket;
  t.after(() => {
    if (before === undefined) delete process.env.SEALANE_SOCKET;
    else process.env.SEALANE_SOCKET = before;
  });
}

test('connecting with junk', async (t) => {
  const { broker, bus } = await open(t);
  const { socket } = broker;
  setDefaultSocket(t, socket);
  await tryAll(bus, [
    { name: 'connect', call: (junk) => connect(junk), works: isPlainObject },
    { name: 'connect.socket', call: (junk) => connect({ socket: junk }) },
    { name: 'connect.jobId', call: (junk) => connect({ socket, jobId: junk }), works: isText },
    { name: 'connect.timeoutMs', call: (junk) => connect({ socket, timeoutMs: junk }) },
    { name: 'connect.signal', call: (junk) => connect({ socket, signal: junk }), ...isAborted },
    {
      name: 'connect.trustedUsers',
      call: (junk) => connect({ socket, trustedUsers: junk }),
      works: isEmptyArray,
    },
    {
      name: 'a user of connect.trustedUsers',
      call: (junk) => connect({ socket, trustedUsers: [junk] }),
      required: true,
      works: (junk) => junk === 2 ** 31,
    },
  ]);
});

test('putting junk, and putting with junk', async (t) => {
  const { bus } = await open(t);
  const wrap = (junk: Junk) => ({ [Symbol.asyncIterator]: junk }) as Junk;
  async function* chunks(chunk: unknown) {
    yield chunk;
  }
  const withOption = (option: string, works: (junk: unknown) => boolean, more: object = {}): Entry => ({
    name: `put.${option}`,
    call: (junk) => putAndDrop(bus, bytes, { ...more, [option]: junk }),
    works,
  });
  const never = () => false;
  await tryAll(bus, [
    { name: 'put', call: (junk) => putAndDrop(bus, junk), required: true },
    { name: 'put { fd }', call: (junk) => putAndDrop(bus, { fd: junk } as Junk), required: true },
    { name: 'put an iterable', call: (junk) => putAndDrop(bus, wrap(junk)), required: true },
    { name: 'put an iterator', call: (junk) => putAndDrop(bus, wrap((() => junk) as Junk)), required: true },
    {
      name: 'put a step',
      call: (junk) => putAndDrop(bus, wrap((() => ({ next: () => junk })) as Junk)),
      required: true,
    },
    {
      name: 'put a chunk',
      call: (junk) => putAndDrop(bus, chunks(junk) as Junk),
      works: (junk) => typeof junk === 'string',
      required: true,
    },
    { name: 'put options', call: (junk) => putAndDrop(bus, bytes, junk), works: isPlainObject },
    withOption('name', isText),
    withOption('contentAddressed', isBoolean),
    withOption('digest', never),
    withOption('owner', isText),
    withOption('allow', isEmptyArray),
    withOption('ttlMs', never),
    withOption('metadata', isPlainObject),
    { ...withOption('signal', isSignal), codes: ['ERR_SEALANE_ABORTED'] },
    withOption('onProgress', isCallback),
    {
      name: 'a job of put.allow',
      call: (junk) => putAndDrop(bus, bytes, { owner: 'a', allow: [junk] }),
      works: isText,
      required: true,
    },
    {
      name: 'a value of put.metadata',
      call: (junk) => putAndDrop(bus, bytes, { metadata: { key: junk } }),
      works: (junk) => junk === '' || isText(junk),
      required: true,
    },
  ]);
});

test('adopting and drafting junk', async (t) => {
  const { bus } = await open(t);
  using memfd = Memfd.sealed('adopted', bytes);
  const adopt = async (source: Junk, options: object = {}) => bus.drop(await bus.adopt(source, options));
  const draft = async (options: Junk) => {
    using drafted = bus.draft(8);
    await bus.drop(await drafted.put(options));
  };
  const tooLarge = ['ERR_SEALANE_LIMIT_EXCEEDED'];
  await tryAll(bus, [
    { name: 'adopt', call: (junk) => adopt(junk), required: true },
    { name: 'adopt { fd }', call: (junk) => adopt({ fd: junk } as Junk), required: true },
    { name: 'adopt options', call: (junk) => adopt(memfd as Junk, junk), works: isPlainObject },
    { name: 'adopt.ttlMs', call: (junk) => adopt(memfd as Junk, { ttlMs: junk }) },
    { name: 'draft', call: (junk) => bus.draft(junk), required: true, codes: tooLarge },
    { name: 'draft options', call: (junk) => bus.draft(8, junk), works: isPlainObject },
    { name: 'draft.pool', call: (junk) => bus.draft(8, { pool: junk }) },
    { name: 'draft.put', call: draft, works: isPlainObject },
    { name: 'draft.put.size', call: (junk) => draft({ size: junk } as Junk) },
    { name: 'draft.put.name', call: (junk) => draft({ name: junk } as Junk), works: isText },
    { name: 'draft.put.onProgress', call: (junk) => draft({ onProgress: junk } as Junk), works: isCallback },
    { name: 'DraftPool', call: (junk) => new DraftPool(junk), required: true },
    { name: 'DraftPool.bytes', call: (junk) => new DraftPool(poolOf(junk)), required: true },
    { name: 'DraftPool.count', call: (junk) => new DraftPool({ bytes: 8, count: junk }) },
  ]);
});

/** Gigabytes would be a good size of a pool, and would really be taken. */
function poolOf(junk: unknown): { bytes: Junk } {
  return { bytes: (junk === 2 ** 31 || junk === 2 ** 32 ? Number.NaN : junk) as Junk };
}

test('asking for junk, and asking with junk', async (t) => {
  const { bus } = await open(t);
  const gone = AbortSignal.abort();
  const list = (options: Junk) => collect(bus.list(options));
  await tryAll(bus, [
    { name: 'get', call: (junk) => bus.get(junk), ...notFound },
    { name: 'get { id }', call: (junk) => bus.get({ id: junk }), ...notFound },
    { name: 'get { name }', call: (junk) => bus.get({ name: junk }), ...notFound },
    { name: 'get { digest }', call: (junk) => bus.get({ digest: junk }), ...notFound },
    { name: 'get options', call: (junk) => bus.get('there', junk), works: isPlainObject },
    { name: 'get.signal', call: (junk) => bus.get('there', { signal: junk }), ...isAborted },
    { name: 'get.populate', call: (junk) => bus.get('there', { populate: junk }), works: isBoolean },
    {
      name: 'wait',
      call: (junk) => bus.wait(junk, { signal: gone }),
      required: true,
      codes: ['ERR_SEALANE_ABORTED'],
    },
    { name: 'wait options', call: (junk) => bus.wait('there', junk), works: isPlainObject },
    { name: 'stat', call: (junk) => bus.stat(junk), ...notFound },
    { name: 'stat options', call: (junk) => bus.stat('there', junk), works: isPlainObject },
    { name: 'stat.digest', call: (junk) => bus.stat('there', { digest: junk }), works: isBoolean },
    { name: 'stat.signal', call: (junk) => bus.stat('there', { signal: junk }), ...isAborted },
    { name: 'drop', call: (junk) => bus.drop(junk), ...notFound },
    { name: 'list', call: list, works: isPlainObject },
    { name: 'list.pattern', call: (junk) => list({ pattern: junk } as Junk), works: isText },
    { name: 'list.digests', call: (junk) => list({ digests: junk } as Junk), works: isBoolean },
    { name: 'list.signal', call: (junk) => list({ signal: junk } as Junk), ...isAborted },
    { name: 'watch', call: (junk) => bus.watch(junk), works: isText, required: true },
    { name: 'watch options', call: (junk) => bus.watch('*', junk), works: isPlainObject },
    { name: 'watch.every', call: (junk) => bus.watch('*', { every: junk }), works: isBoolean },
    { name: 'watch.existing', call: (junk) => bus.watch('*', { existing: junk }), works: isBoolean },
    { name: 'watch.literal', call: (junk) => bus.watch('*', { literal: junk }), works: isBoolean },
    { name: 'watch.signal', call: (junk) => bus.watch('*', { signal: junk }), works: isSignal },
  ]);
});

test('views, copies and tokens of junk', async (t) => {
  const { broker, bus, blob } = await open(t);
  const file = join(broker.folder, 'copy');
  // Well-formed, and of nobody: a token that is made and not opened keeps a descriptor.
  const token = { sealane: 'blob-token/1', key: 'f'.repeat(32), info: blob.info } as const;
  const openWith = (change: object) => openBlob({ ...token, ...change });
  await tryAll(bus, [
    { name: 'view.offset', call: (junk) => blob.view(junk) },
    { name: 'view.length', call: (junk) => blob.view(0, junk) },
    { name: 'as', call: (junk) => blob.as(junk), required: true },
    { name: 'as.byteOffset', call: (junk) => blob.as(Uint8Array, junk) },
    { name: 'as.length', call: (junk) => blob.as(Uint8Array, 0, junk) },
    { name: 'copyTo', call: (junk) => blob.copyTo(junk), required: true },
    { name: 'copyTo { fd }', call: (junk) => blob.copyTo({ fd: junk }), required: true },
    { name: 'copyTo options', call: (junk) => blob.copyTo(file, junk), works: isPlainObject },
    { name: 'copyTo.signal', call: (junk) => blob.copyTo(file, { signal: junk }), ...isAborted },
    { name: 'copyTo.onProgress', call: (junk) => blob.copyTo(file, { onProgress: junk }), works: isCallback },
    { name: 'digest', call: (junk) => blob.digest(junk), works: isPlainObject },
    { name: 'digest.signal', call: (junk) => blob.digest({ signal: junk }), works: isSignal },
    { name: 'openBlob', call: (junk) => openBlob(junk), required: true },
    { name: 'openBlob.sealane', call: (sealane) => openWith({ sealane }), required: true },
    { name: 'openBlob.info', call: (info) => openWith({ info }), required: true },
    {
      name: 'openBlob.key',
      call: (key) => openWith({ key }),
      required: true,
      codes: ['ERR_SEALANE_BAD_TOKEN'],
    },
  ]);
});

test('starting a broker with junk', async (t) => {
  const { broker, bus } = await open(t);
  const socket = join(broker.folder, 'another.sock');
  setDefaultSocket(t, socket);
  const counts = ['maxObjects', 'maxObjectsPerUser', 'maxConnections', 'maxConnectionsPerUser'];
  const more = ['maxNameBytes', 'maxAllowedJobs', 'maxMessageBytes', 'maxListEntries', 'maxOutstanding'];
  const most = ['maxWatches', 'maxWatchBacklog', 'helloTimeoutMs', 'backlog'];
  const sizes = ['maxBytes', 'maxBytesPerUser', 'maxObjectBytes', 'maxRecordBytes', 'maxRecordBytesPerUser'];
  const isSize = (junk: unknown) => junk === 2 ** 31 || junk === 2 ** 32;
  const withOption = (option: string, works?: (junk: unknown) => boolean): Entry => ({
    name: `Broker.start.${option}`,
    call: (junk) => Broker.start({ socket, [option]: junk }),
    ...(works === undefined ? {} : { works }),
  });
  await tryAll(bus, [
    { name: 'Broker.start', call: (junk) => Broker.start(junk), works: isPlainObject },
    { name: 'Broker.start.socket', call: (junk) => Broker.start({ socket: junk }) },
    ...[...counts, ...more, ...most].map((option) => withOption(option)),
    ...sizes.map((option) => withOption(option, isSize)),
    withOption('users', isEmptyArray),
    withOption('policy', isPlainObject),
    withOption('audit'),
    ...Object.entries({ whenFull: undefined, maxBufferBytes: undefined, onTrouble: isCallback }).map(
      ([part, works]): Entry => ({
        name: `Broker.start.audit.${part}`,
        call: (junk) => Broker.start({ socket, audit: { sink: { write: () => undefined }, [part]: junk } }),
        ...(works === undefined ? {} : { works }),
      }),
    ),
    {
      name: 'Broker.start.audit.sink',
      call: (junk) => Broker.start({ socket, audit: { sink: junk } }),
      required: true,
    },
    { name: 'AuditFile.open', call: (junk) => AuditFile.open(junk), required: true },
    ...['admit', 'jobs', 'grants', 'quotas'].map((part) => ({
      name: `Broker.start.policy.${part}`,
      call: (junk: Junk) => Broker.start({ socket, policy: { [part]: junk } }),
      works: isEmptyArray,
    })),
    {
      name: 'a user of Broker.start.users',
      call: (junk) => Broker.start({ socket, users: [junk] }),
      required: true,
      works: (junk) => junk === 2 ** 31,
    },
  ]);
});

test('a URL that names no file of this machine is refused, with the URL', async (t) => {
  const { bus, blob } = await open(t);
  const before = countDescriptors();
  const urls = [
    'http://x/y',
    'file://elsewhere/x',
    'file:///a%2Fb',
    'file:///a%00b',
    'file:///%ff',
    'data:,x',
  ];
  for (const url of urls.map((text) => new URL(text))) {
    const refusal = { code: 'ERR_SEALANE_INVALID_ARGUMENT', message: /^(source|file) must .*; got "/ };
    await assert.rejects(bus.put(url), refusal, url.href);
    await assert.rejects(blob.copyTo(url), refusal, url.href);
  }
  assert.equal(countDescriptors(), before);
});

test('a path is refused when it is too long, and a socket when its path is longer than a socket may have', async (t) => {
  const { bus, blob } = await open(t);
  const long = { code: 'ERR_SEALANE_INVALID_ARGUMENT', message: /4095/ };
  await assert.rejects(bus.put('x'.repeat(4_096)), long);
  await assert.rejects(blob.copyTo('x'.repeat(4_096)), long);
  await assert.rejects(connect({ socket: `/${'x'.repeat(107)}` }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /107/,
  });
});

test('a broker and its clients go on after all that', async (t) => {
  const { bus, blob } = await open(t);
  await assert.rejects(bus.put({ fd: 2 ** 32 }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /4294967296/,
  });
  assert.throws(() => blob.view(10n as Junk), {
    message: /^offset must be an integer from 0 to 16; got 10n$/,
  });
  await putAndDrop(bus, bytes);
});
