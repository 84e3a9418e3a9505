/** How the addresses of a window live: views after close, collection, writes in flight, threads that end. Collects garbage on purpose. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { addressOf } from '../os/address-range.js';
import { inspect } from '../os/descriptor.js';
import { Mapping } from '../os/mapping.js';
import { Memfd } from '../os/memfd.js';
import { collectAll, coveredBytes, mapped } from './life.test.helper.js';
import { Window } from './window.js';

const PAGE = Window.pageSize;
const MIB = 1_048_576;

test('a forgotten window ends with its last view', async () => {
  using memory = Memfd.sealed('window forgotten', Buffer.alloc(PAGE, 7));
  const held = { view: openView(memory) as Uint8Array | undefined };
  await collectAll();
  assert.equal(mapped('window forgotten'), 1);
  assert.equal(held.view?.[3], 7);
  held.view = undefined;
  await collectAll();
  assert.equal(mapped('window forgotten'), 0);
});

/** In a function of its own, so that no local variable keeps the window. */
function openView(memory: Memfd): Uint8Array {
  const window = Window.reserve(4 * PAGE);
  window.map(PAGE, memory);
  return window.view(PAGE, 10);
}

test('a forgotten window of which nobody asked a view ends as well', async () => {
  using memory = Memfd.sealed('window unseen', Buffer.alloc(PAGE, 7));
  const make = () => void Window.reserve(PAGE).map(0, memory);
  make();
  await collectAll();
  assert.equal(mapped('window unseen'), 0);
});

test('closing lets the memory go at once, and keeps the addresses while a view is held', async () => {
  using memory = Memfd.sealed('window closed', Buffer.alloc(MIB, 7));
  const held: { view?: Uint8Array } = {};
  const address = closeWithView(memory, held);
  assert.equal(mapped('window closed'), 0);
  await collectAll();
  assert.equal(coveredBytes(address, 64 * MIB), 64 * MIB);
  assert.equal(held.view?.length, 0);
  delete held.view;
  await collectAll();
  assert.ok(coveredBytes(address, 64 * MIB) < 64 * MIB);
});

function closeWithView(memory: Memfd, held: { view?: Uint8Array }): number {
  const window = Window.reserve(64 * MIB);
  window.map(8 * MIB, memory);
  held.view = window.view(8 * MIB, MIB);
  const address = addressOf(window.bytes);
  window.close();
  return address;
}

test('a view that somebody transferred reads zeros after close, until it is collected', async (t) => {
  const transfer = Reflect.get(ArrayBuffer.prototype, 'transfer') as
    | ((this: ArrayBufferLike) => ArrayBuffer)
    | undefined;
  if (transfer === undefined) return t.skip('this Node.js has no ArrayBuffer.prototype.transfer');
  using memory = Memfd.sealed('window transferred', Buffer.alloc(PAGE, 5));
  const window = Window.reserve(PAGE);
  window.map(0, memory);
  const bytes = new Uint8Array(transfer.call(window.bytes.buffer));
  assert.equal(bytes[0], 5);
  window.close();
  await collectAll();
  assert.equal(mapped('window transferred'), 0);
  assert.ok(bytes.every((byte) => byte === 0));
});

test('a write that is in flight when the window is closed never sends bytes of what is mapped next', async () => {
  using first = Memfd.sealed('window first', Buffer.alloc(32 * MIB, 0x41));
  using second = Memfd.sealed('window second', Buffer.alloc(32 * MIB, 0x42));
  const [writer, reader] = await socketPair();
  writer.on('error', () => undefined);
  const written = writeAndClose(writer, first);
  const others: Mapping[] = [];
  for (let round = 0; round < 3; round++) {
    await collectAll();
    const other = Mapping.private(second.fd, 0, 32 * MIB);
    assert.equal(other.bytes[0], 0x42);
    others.push(other);
  }
  const received = collectBytes(reader);
  assert.equal(await written, 'EFAULT');
  writer.destroy();
  const bytes = await received;
  assert.ok(bytes.length > 0);
  assert.equal(bytes.includes(0x42), false);
  for (const other of others) other.close();
});

/** Resolves to the code of the error with which the write ended, or to 'no error'. */
function writeAndClose(writer: Socket, memory: Memfd): Promise<string> {
  const window = Window.reserve(memory.size);
  window.map(0, memory);
  const written = new Promise<string>((resolve) => {
    writer.write(window.bytes, (error) =>
      resolve((error as NodeJS.ErrnoException | null)?.code ?? 'no error'),
    );
  });
  window.close();
  return written;
}

async function socketPair(): Promise<[Socket, Socket]> {
  // An abstract name: nothing of it is left in the file system.
  const path = `\0sealane-window-${process.pid}`;
  const server = createServer().listen(path);
  await once(server, 'listening');
  const writer = connect(path);
  const connected = once(writer, 'connect');
  const [reader] = (await once(server, 'connection')) as [Socket];
  await connected;
  reader.pause();
  server.close();
  return [writer, reader];
}

async function collectBytes(reader: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  reader.on('data', (chunk) => chunks.push(chunk));
  reader.resume();
  await once(reader, 'close');
  return Buffer.concat(chunks);
}

test('20,000 windows that are made, filled, read and closed leave no mapping and no descriptor', async () => {
  using memory = Memfd.sealed('window loop', Buffer.alloc(2 * PAGE, 7));
  const descriptors = readdirSync('/proc/self/fd').length;
  for (let round = 0; round < 20_000; round++) {
    using window = Window.reserve(4 * PAGE);
    window.map(PAGE, memory);
    if (window.view(PAGE, 1)[0] !== 7) assert.fail('wrong content');
    if (round % 2 === 0) window.unmap(PAGE);
  }
  await collectAll();
  assert.equal(mapped('window loop'), 0);
  assert.equal(readdirSync('/proc/self/fd').length, descriptors);
});

test('out of mappings, one more is an error that names the limit, the window is as it was, and closing it helps', async (t) => {
  const limit = Number(readFileSync('/proc/sys/vm/max_map_count', 'latin1'));
  if (limit > 100_000) return t.skip(`vm.max_map_count is ${limit}, too much to use up in a test`);
  using memory = Memfd.sealed('window many', Buffer.alloc(PAGE, 7));
  const window = Window.reserve(2 * limit * PAGE);
  let next = 0;
  // With a page between, so that no two merge.
  const mapMore = (): void => {
    for (; next < limit; next++) window.map(2 * next * PAGE, memory);
  };
  const exhausted = { code: 'ERR_SEALANE_EXHAUSTED', message: /vm\.max_map_count/ };
  assert.throws(mapMore, exhausted);
  assert.ok(next > limit / 8, `${next} mappings of ${limit} could be made`);
  assert.equal(window.mappings.length, next);
  assert.equal(Buffer.alloc(64 * MIB, 1)[0], 1, 'memory of others can still be had');
  assert.equal(window.view(2 * next * PAGE, 1)[0], 0);
  assert.equal(window.view(2 * (next - 1) * PAGE, 1)[0], 7);
  window.close();
  await collectAll();
  using another = Window.reserve(PAGE);
  another.map(0, memory);
  assert.equal(another.bytes[0], 7);
});

/** What a worker does before it ends: windows of every state, open ones among them, one of them over memory that this thread made. */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  (async () => {
    const { Window } = await import(${JSON.stringify(new URL('./window.js', import.meta.url).href)});
    const kept = (globalThis.kept = []);
    const object = { descriptor: workerData.fd, size: 4096, seals: 0 };
    for (let i = 0; i < 100; i++) {
      const window = Window.reserve(4 * Window.pageSize);
      window.map(Window.pageSize, object);
      if (i % 3 !== 0) window.view(0, 10 + i);
      if (i % 5 === 0) window.bytes[0];
      if (i % 7 === 0) window.close();
      if (i % 2 === 0) kept.push(window);
    }
    for (let i = 0; i < 3; i++) {
      const memory = new WebAssembly.Memory({ initial: 4, maximum: 8 });
      const window = Window.over(memory, { offset: 65536, bytes: 65536 });
      window.map(0, object);
      if (i === 0) window.close();
      kept.push(window.closed ? memory : window);
    }
    parentPort.postMessage('ready');
    if (workerData.end === 'exit') process.exit(0);
    if (workerData.end === 'throw') throw new Error('on purpose');
    if (workerData.end === 'terminate') setInterval(() => {}, 1000);
    if (workerData.end === 'busy') for (;;);
  })()`;

for (const end of ['terminate', 'busy', 'exit', 'throw', 'return']) {
  test(`a worker with open windows ends without a trace (${end})`, async () => {
    using memory = Memfd.sealed('window of a worker', Buffer.alloc(4096, 1));
    const worker = new Worker(WORKER, { eval: true, workerData: { fd: memory.fd, end } });
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.on('error', (error) => assert.equal((error as Error).message, 'on purpose'));
    await new Promise((resolve) => worker.once('message', resolve));
    if (end === 'terminate' || end === 'busy') await worker.terminate();
    await ended;
    await collectAll();
    assert.equal(mapped('window of a worker'), 0);
    assert.equal(inspect(memory.fd).size, 4096);
  });
}

test('workers that are terminated at any moment of mapping and unmapping leave nothing mapped', async () => {
  using memory = Memfd.sealed('window of a victim', Buffer.alloc(4096, 1));
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    (async () => {
      const { Window } = await import(${JSON.stringify(new URL('./window.js', import.meta.url).href)});
      const object = { descriptor: workerData.fd, size: 4096, seals: 0 };
      parentPort.postMessage('ready');
      for (;;) {
        const window = Window.reserve(8 * Window.pageSize);
        window.map(0, object);
        window.view(0, 5);
        window.unmap(0);
        window.map(Window.pageSize, object);
        if (Math.random() < 0.5) window.close();
        await new Promise((resolve) => setImmediate(resolve));
      }
    })()`;
  for (let count = 0; count < 10; count++) {
    const worker = new Worker(program, { eval: true, workerData: { fd: memory.fd } });
    await once(worker, 'message');
    for (let round = 0; round < count; round++) await new Promise((resolve) => setImmediate(resolve));
    await worker.terminate();
  }
  assert.equal(mapped('window of a victim'), 0);
});
