/** When the addresses of a mapping are given back, and what still uses them until then. Collects garbage on purpose. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { inspect } from './descriptor.js';
import { Mapping } from './mapping.js';
import { Memfd } from './memfd.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MIB = 1_048_576;
const folder = mkdtempSync(join(tmpdir(), 'sealane-mapping-'));
after(() => rmSync(folder, { recursive: true }));

function mapLines(): string[] {
  return readFileSync('/proc/self/maps', 'latin1').split('\n');
}

function mapped(name: string): number {
  return mapLines().filter((line) => line.endsWith(`/memfd:${name} (deleted)`)).length;
}

/** First and last address of every mapping, with its permissions and name. */
function mappings(): { from: number; to: number; text: string }[] {
  return mapLines().flatMap((line) => {
    const [, from, to, text] = line.match(/^([0-9a-f]+)-([0-9a-f]+) (.*)$/) ?? [];
    if (from === undefined || to === undefined || text === undefined) return [];
    return [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16), text }];
  });
}

/** Bytes of the range, or of all addresses, that lead nowhere: what a closed mapping holds until it is collected. */
function coveredBytes(range = { from: 0, to: Number.MAX_SAFE_INTEGER }): number {
  let bytes = 0;
  for (const { from, to, text } of mappings()) {
    if (text.startsWith('---p')) bytes += Math.max(0, Math.min(to, range.to) - Math.max(from, range.from));
  }
  return bytes;
}

/** Finalizers run on the event loop, after a collection. */
async function collectAll(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('100,000 mappings that are made, read and closed in one loop take few kernel mappings, and end', async () => {
  using memfd = Memfd.sealed('loop', Buffer.alloc(8192, 7));
  const before = mapLines().length;
  const coveredBefore = coveredBytes();
  let most = 0;
  for (let i = 0; i < 100_000; i++) {
    const mapping = Mapping.private(memfd.fd, 0, 8192);
    if (mapping.bytes[8191] !== 7) assert.fail('wrong content');
    mapping.close();
    if (i % 25_000 === 0) most = Math.max(most, mapLines().length);
  }
  most = Math.max(most, mapLines().length);
  assert(most - before < 1000, `${most - before} more mappings than before`);
  await collectAll();
  assert.equal(mapped('loop'), 0);
  // Neighbours that lead nowhere merge into one mapping, so what is left is told by bytes: of 800 MB, less than what allocators reserve.
  const left = coveredBytes() - coveredBefore;
  assert(left < 400_000_000, `${left} bytes of addresses are left`);
});

test('out of mappings, one more is an error that names the limit, the process goes on, and closing some helps', async (t) => {
  const limit = Number(readFileSync('/proc/sys/vm/max_map_count', 'latin1'));
  if (limit > 100_000) return t.skip(`vm.max_map_count is ${limit}, too much to use up in a test`);
  using memfd = Memfd.sealed('many', Buffer.alloc(16_384, 7));
  const held: Mapping[] = [];
  const mapMore = (): void => {
    // Places that differ, so that no two merge.
    for (let made = 0; made <= limit; made++) {
      const mapping = Mapping.private(memfd.fd, (held.length % 2) * 8_192, 4_096);
      held.push(mapping);
      assert.equal(mapping.bytes[0], 7);
    }
  };
  const exhausted = { code: 'ERR_SEALANE_EXHAUSTED', message: /vm\.max_map_count/ };
  assert.throws(mapMore, exhausted);
  assert(held.length > limit / 2, `${held.length} mappings of ${limit} could be made`);
  assert.equal(Buffer.alloc(64 * MIB, 1)[0], 1, 'memory of others can still be had');
  for (const mapping of held.splice(0, 10_000)) mapping.close();
  await collectAll();
  assert.throws(mapMore, exhausted);
  for (const mapping of held.splice(0)) mapping.close();
  await collectAll();
  assert.equal(mapped('many'), 0);
});

test('the addresses of a closed mapping stay taken while its ArrayBuffer is held, and are given back after', async () => {
  using memfd = Memfd.create('addresses', 64 * MIB);
  const held: { bytes?: Uint8Array } = {};
  const range = mapAndClose(memfd, held);
  await collectAll();
  assert.equal(coveredBytes(range), 64 * MIB);
  assert.equal(held.bytes?.length, 0);
  delete held.bytes;
  await collectAll();
  assert(coveredBytes(range) < 64 * MIB);
});

/** Answers where it was. In a function of its own, so that no local variable keeps the mapping. */
function mapAndClose(memfd: Memfd, held: { bytes?: Uint8Array }): { from: number; to: number } {
  const mapping = Mapping.private(memfd.fd, 0, 64 * MIB);
  held.bytes = mapping.bytes;
  const range = mappings().find(({ text }) => text.includes('/memfd:addresses '));
  mapping.close();
  assert(range !== undefined);
  return range;
}

test('a mapping that is forgotten lives as long as its ArrayBuffer, and ends with it', async () => {
  using memfd = Memfd.sealed('forgotten', Buffer.from('content'));
  const held = { buffer: openBuffer(memfd) as ArrayBuffer | undefined };
  await collectAll();
  assert.equal(mapped('forgotten'), 1);
  assert.equal(Buffer.from(held.buffer ?? new ArrayBuffer(0)).toString(), 'content');
  held.buffer = undefined;
  await collectAll();
  assert.equal(mapped('forgotten'), 0);
});

function openBuffer(memfd: Memfd): ArrayBuffer {
  return Mapping.private(memfd.fd, 0, memfd.size).buffer;
}

test('a forgotten mapping of which nobody asked a buffer ends as well', async () => {
  using memfd = Memfd.sealed('never asked', Buffer.alloc(1));
  const make = () => void Mapping.private(memfd.fd, 0, 1);
  make();
  await collectAll();
  assert.equal(mapped('never asked'), 0);
});

test('a write that is in flight when the mapping is closed never sends bytes of what is mapped next', async () => {
  using first = Memfd.sealed('first', Buffer.alloc(32 * MIB, 0x41));
  using second = Memfd.sealed('second', Buffer.alloc(32 * MIB, 0x42));
  const [writer, reader] = await socketPair();
  const written = writeAndClose(writer, first);
  const others: Mapping[] = [];
  for (let i = 0; i < 3; i++) {
    await collectAll();
    const other = Mapping.private(second.fd, 0, 32 * MIB);
    assert.equal(other.bytes[0], 0x42);
    others.push(other);
  }
  const received = collectBytes(reader);
  assert.equal(await written, 'EFAULT');
  writer.destroy();
  const bytes = await received;
  assert(bytes.length > 0);
  assert.equal(bytes.includes(0x42), false);
  for (const other of others) other.close();
});

/** Resolves to the code of the error with which the write ended, or to 'no error'. */
function writeAndClose(writer: Socket, memfd: Memfd): Promise<string> {
  const mapping = Mapping.private(memfd.fd, 0, memfd.size);
  // The error itself comes to the callback as well.
  writer.on('error', () => {});
  const written = new Promise<string>((resolve) => {
    writer.write(mapping.bytes, (error) =>
      resolve((error as NodeJS.ErrnoException | null)?.code ?? 'no error'),
    );
  });
  mapping.close();
  return written;
}

async function socketPair(): Promise<[Socket, Socket]> {
  const path = join(folder, 'socket');
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

test('an asynchronous write of ours out of a mapping that is closed meanwhile fails or succeeds, and does no harm', async () => {
  using source = Memfd.sealed('source', Buffer.alloc(32 * MIB, 0x41));
  using target = Memfd.create('target');
  const mapping = Mapping.private(source.fd, 0, source.size);
  const written = target.writeAsync(mapping.bytes, 0);
  mapping.close();
  const outcome = await written.then(
    () => 'written',
    (error) => error.errnoName,
  );
  assert(outcome === 'written' || outcome === 'EFAULT', outcome);
  const bytes = Buffer.alloc(target.size);
  target.read(bytes, 0);
  assert.equal(
    bytes.every((byte) => byte === 0x41),
    true,
  );
});

test('a buffer that somebody transferred keeps its memory after close, until it is collected', async (t) => {
  const transfer = Reflect.get(ArrayBuffer.prototype, 'transfer') as
    | ((this: ArrayBuffer) => ArrayBuffer)
    | undefined;
  if (transfer === undefined) return t.skip('this Node.js has no ArrayBuffer.prototype.transfer');
  using memfd = Memfd.sealed('transferred', Buffer.alloc(MIB, 5));
  const mapping = Mapping.private(memfd.fd, 0, MIB);
  const held = { buffer: transfer.call(mapping.buffer) as ArrayBuffer | undefined };
  mapping.close();
  await collectAll();
  assert.equal(mapped('transferred'), 1);
  assert(new Uint8Array(held.buffer ?? new ArrayBuffer(0)).every((byte) => byte === 5));
  held.buffer = undefined;
  await collectAll();
  assert.equal(mapped('transferred'), 0);
});

test('structuredClone with transfer copies or refuses, and the mapping can be closed all the same', async () => {
  using memfd = Memfd.sealed('cloned', Buffer.alloc(100, 5));
  const mapping = Mapping.private(memfd.fd, 0, 100);
  const { buffer } = mapping;
  try {
    const clone = structuredClone(buffer, { transfer: [buffer] });
    mapping.close();
    assert(new Uint8Array(clone).every((byte) => byte === 5));
  } catch (error) {
    assert.equal((error as Error).name, 'DataCloneError');
    mapping.close();
  }
  await collectAll();
  assert.equal(mapped('cloned'), 0);
});

/** What a worker does before it ends: mappings of every state, open ones among them. */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  (async () => {
    const { Mapping } = await import(${JSON.stringify(new URL('./mapping.js', import.meta.url).href)});
    const kept = (globalThis.kept = []);
    for (let i = 0; i < 300; i++) {
      const mapping = Mapping.private(workerData.fd, 0, 4096);
      if (i % 3 !== 0) mapping.bytes[0];
      if (i % 7 === 0) mapping.close();
      if (i % 2 === 0) kept.push(mapping);
    }
    for (let i = 0; i < 4; i++) Mapping.sharedPopulated('of a worker', 1048576);
    parentPort.postMessage('ready');
    if (workerData.end === 'exit') process.exit(0);
    if (workerData.end === 'throw') throw new Error('on purpose');
    if (workerData.end === 'terminate') setInterval(() => {}, 1000);
    if (workerData.end === 'busy') for (;;);
  })()`;

for (const end of ['terminate', 'busy', 'exit', 'throw', 'return']) {
  test(`a worker with open mappings ends without a trace (${end})`, async () => {
    using memfd = Memfd.sealed('of a worker', Buffer.alloc(4096, 1));
    const worker = new Worker(WORKER, { eval: true, workerData: { fd: memfd.fd, end } });
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.on('error', (error) => assert.equal(error.message, 'on purpose'));
    await new Promise((resolve) => worker.once('message', resolve));
    if (end === 'terminate' || end === 'busy') await worker.terminate();
    await ended;
    assert.equal(mapped('of a worker'), 0);
    assert.equal(inspect(memfd.fd).size, 4096);
  });
}
