// Worker threads: blobs are handed over by message without a copy, and a thread that ends leaves nothing behind.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type BlobToken, openBlob } from 'sealane';
import { countDescriptors, countMappings, patternBytes, TestBroker } from './bus.js';

const script = join(dirname(fileURLToPath(import.meta.url)), 'processes', 'worker.js');

async function ask(worker: Worker, message: unknown): Promise<unknown> {
  const answer = once(worker, 'message');
  worker.postMessage(message);
  return (await answer)[0];
}

test('a worker opens a blob from a token, also after the blob that made it was closed', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const worker = new Worker(script, { workerData: { mode: 'open' } });
  const bytes = patternBytes(300_000);
  const blob = await bus.get(await bus.put(bytes, { name: 'for the worker', metadata: { kind: 'test' } }));
  const token = structuredClone(blob.token());
  blob.close();
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  assert.deepEqual(await ask(worker, token), { name: 'for the worker', size: 300_000, kind: 'test', sum });
  assert.deepEqual(await ask(worker, token), { error: 'ERR_SEALANE_BAD_TOKEN' });
  await worker.terminate();
});

test('a token opens the same memory in its own thread too, once', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  using blob = await bus.get(await bus.put(patternBytes(10)));
  const token = blob.token();
  using opened = openBlob(token);
  assert.deepEqual(opened.bytes, blob.bytes);
  assert.throws(() => openBlob(token), { code: 'ERR_SEALANE_BAD_TOKEN' });
  assert.throws(() => openBlob({ ...token, key: 'f'.repeat(32) }), { code: 'ERR_SEALANE_BAD_TOKEN' });
  assert.throws(() => openBlob({ ...token, key: '/etc/passwd' }), { code: 'ERR_SEALANE_BAD_TOKEN' });
  const { info: _, ...half } = blob.token();
  const before = countDescriptors();
  assert.throws(() => openBlob(half as BlobToken), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  assert.equal(countDescriptors(), before);
});

for (const mode of ['blobs', 'drafts', 'tokens', 'waiting', 'copying', 'pipes', 'everything']) {
  test(`a worker that is terminated with open ${mode} leaves nothing behind`, async () => {
    await using broker = await TestBroker.start();
    const bus = await broker.connect();
    await bus.put(patternBytes(1 << 20), { name: 'large' });
    execFileSync('mkfifo', [join(broker.folder, 'pipe')]);
    const cycle = async () => {
      const worker = new Worker(script, { workerData: { mode, socket: broker.socket } });
      assert.equal((await once(worker, 'message'))[0], 'holding');
      await worker.terminate();
      await bus.status();
    };
    // The first workers make the thread pool and V8 settle.
    for (let count = 0; count < 3; count++) await cycle();
    // Objects that a worker put before its end stay: the broker, which lives in this process, holds a descriptor for each.
    const held = async () => countDescriptors() - (await bus.status()).objects;
    const descriptors = await held();
    const mappings = countMappings();
    for (let count = 0; count < 5; count++) await cycle();
    // The broker learns of a thread's end in its own time: it serves requests meanwhile.
    let after = await held();
    for (let round = 0; round < 1_000 && after > descriptors; round++) after = await held();
    assert.ok(after <= descriptors, `descriptors grew from ${descriptors} to ${after}`);
    assert.ok(countMappings() <= mappings + 60, `mappings grew from ${mappings} to ${countMappings()}`);
  });
}

test('a broker in a worker closes large contents without a warning of Node.js', async () => {
  const program = `
    const { parentPort } = require('node:worker_threads');
    process.on('warning', (warning) => parentPort.postMessage(warning.message));
    (async () => {
      const { TestBroker } = await import(${JSON.stringify(new URL('./bus.js', import.meta.url).href)});
      const broker = await TestBroker.start();
      const bus = await broker.connect();
      for (let count = 0; count < 3; count++) await bus.drop(await bus.put(new Uint8Array(4 << 20)));
      await broker[Symbol.asyncDispose]();
      parentPort.postMessage('done');
    })();`;
  const worker = new Worker(program, { eval: true });
  const said: unknown[] = [];
  worker.on('message', (message) => said.push(message));
  await once(worker, 'exit');
  assert.deepEqual(said, ['done']);
});

/**
 * What this process has open of ours: memory, files in a folder, sockets. Not the modules that Node.js 20 itself leaves open when
 * a worker is terminated while it imports them.
 */
function ours(folder: string): string[] {
  const targets = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The descriptor with which the folder was read.
      return [];
    }
  });
  return targets.filter((target) => /^(\/memfd:|socket:)/.test(target) || target.startsWith(folder)).sort();
}

test('workers that are terminated while they open and close files leave none of them open', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  await bus.put(patternBytes(1 << 20), { name: 'large' });
  const before = ours(broker.folder);
  for (let count = 0; count < 20; count++) {
    const worker = new Worker(script, { workerData: { mode: 'opening files', socket: broker.socket } });
    assert.equal((await once(worker, 'message'))[0], 'opening');
    // Each is terminated at another moment of its work.
    for (let round = 0; round < count; round++) await bus.status();
    await worker.terminate();
  }
  // What a terminated worker had put and not dropped stays in the broker, which lives in this process.
  for await (const { id, name } of bus.list()) if (name !== 'large') await bus.drop(id);
  // The broker learns of a thread's end in its own time: it serves requests meanwhile.
  for (let round = 0; round < 1_000 && ours(broker.folder).length > before.length; round++)
    await bus.status();
  assert.deepEqual(withoutNumbers(ours(broker.folder)), withoutNumbers(before));
});

function withoutNumbers(targets: string[]): string[] {
  return targets.map((target) => target.replace(/^socket:.*/, 'socket'));
}
