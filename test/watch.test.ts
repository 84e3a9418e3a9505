// Watching, waiting and listing: what a consumer sees, in order, however slow it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Blob, Bus } from 'sealane';
import { collect, countDescriptors, TestBroker } from './bus.js';

async function put(bus: Bus, name: string, content: string): Promise<number> {
  return (await bus.put(Buffer.from(content), { name })).id;
}

/** The text of the next version, which is closed. */
async function nextText(watch: AsyncIterator<Blob, undefined>): Promise<string | undefined> {
  const result = await watch.next();
  if (result.done) return undefined;
  using blob = result.value;
  return blob.text();
}

test('a watch begins with the newest version and yields what comes', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  await put(bus, 'a', 'a1');
  await put(bus, 'a', 'a2');
  const watch = bus.watch('a');
  assert.equal(await nextText(watch), 'a2');
  const waiting = nextText(watch);
  await put(bus, 'other', 'not this');
  await put(bus, 'a', 'a3');
  assert.equal(await waiting, 'a3');
  await watch.return();
});

test('a slow consumer skips to the newest', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const watch = bus.watch('a');
  for (let version = 1; version <= 100; version++) await put(bus, 'a', `a${version}`);
  assert.equal(await nextText(watch), 'a100');
  await put(bus, 'a', 'a101');
  assert.equal(await nextText(watch), 'a101');
  await watch.return();
});

test('every: true yields each version in order, also those that were dropped meanwhile', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  await put(bus, 'a', 'before');
  const watch = bus.watch('a', { every: true, existing: false });
  const first = nextText(watch);
  await put(bus, 'a', 'a1');
  assert.equal(await first, 'a1');
  for (let version = 2; version <= 20; version++) await bus.drop(await put(bus, 'a', `a${version}`));
  for (let version = 2; version <= 20; version++) assert.equal(await nextText(watch), `a${version}`);
  await watch.return();
});

test('a consumer of every version that falls too far behind is told', async () => {
  await using broker = await TestBroker.start({ maxWatchBacklog: 10 });
  const bus = await broker.connect();
  const watch = bus.watch('a', { every: true });
  for (let version = 1; version <= 12; version++) await put(bus, 'a', `a${version}`);
  await assert.rejects(collect(watch), { code: 'ERR_SEALANE_WATCH_OVERRUN' });
  assert.equal(await nextText(watch), undefined);
});

test('a consumer of every version that does not consume keeps nobody from publishing', async () => {
  await using broker = await TestBroker.start({ maxBytes: 100_000 });
  const bus = await broker.connect();
  const slow = bus.watch('a', { every: true });
  const stuck = bus.watch('*', { every: true });
  await bus.status();
  for (let version = 1; version <= 30; version++) {
    await bus.drop(await bus.put(new Uint8Array(20_000).fill(version), { name: 'a' }));
  }
  await assert.rejects(collect(slow), { code: 'ERR_SEALANE_WATCH_OVERRUN' });
  await assert.rejects(collect(stuck), { code: 'ERR_SEALANE_WATCH_OVERRUN' });
  for (let index = 0; index < 5; index++) await bus.put(new Uint8Array(20_000), { name: 'live' });
  await assert.rejects(bus.put(new Uint8Array(20_000)), { code: 'ERR_SEALANE_LIMIT_EXCEEDED' });
});

test('a pattern yields the newest of each name', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  for (const name of ['cam/1', 'cam/2', 'mic/1', 'cam/1']) await put(bus, name, name);
  const watch = bus.watch('cam/*');
  const seen = [await nextText(watch), await nextText(watch)].sort();
  assert.deepEqual(seen, ['cam/1', 'cam/2']);
  const waiting = nextText(watch);
  await put(bus, 'mic/2', 'mic/2');
  await put(bus, 'cam/3', 'cam/3');
  assert.equal(await waiting, 'cam/3');
  await watch.return();
});

test('a literal watch takes a star as a star', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const watch = bus.watch('a*', { literal: true });
  await put(bus, 'ab', 'pattern');
  await put(bus, 'a*', 'literal');
  assert.equal(await nextText(watch), 'literal');
  await watch.return();
});

test('leaving the loop, return() and the signal end a watch, also one that waits', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  await put(bus, 'a', 'a1');
  for await (using blob of bus.watch('a')) {
    assert.equal(blob.text(), 'a1');
    break;
  }
  const watch = bus.watch('nothing');
  const waiting = watch.next();
  await watch.return();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  const controller = new AbortController();
  const aborted = bus.watch('nothing', { signal: controller.signal }).next();
  controller.abort();
  await assert.rejects(aborted, { code: 'ERR_SEALANE_ABORTED' });
  assert.equal((await bus.status()).watches, 0);
});

test('a wait is answered by the first object of that name, and can be given up', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const other = await broker.connect();
  const waiting = bus.wait('result');
  const controller = new AbortController();
  const given = bus.wait('result', { signal: controller.signal });
  controller.abort();
  await assert.rejects(given, { code: 'ERR_SEALANE_ABORTED' });
  await put(other, 'result', 'done');
  using blob = await waiting;
  assert.equal(blob.text(), 'done');
  using again = await bus.wait('result');
  assert.equal(again.id, blob.id);
});

test('an answer that comes after its wait was given up leaves no descriptor', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  await put(bus, 'a', 'a1');
  const before = countDescriptors();
  for (let round = 0; round < 200; round++) {
    const controller = new AbortController();
    const got = bus.get('a', { signal: controller.signal });
    const waited = bus.wait('a', { signal: controller.signal });
    controller.abort();
    await assert.rejects(got, { code: 'ERR_SEALANE_ABORTED' });
    await assert.rejects(waited, { code: 'ERR_SEALANE_ABORTED' });
  }
  await bus.status();
  assert.equal(countDescriptors(), before);
});

test('more waits than the broker takes are refused, and other calls go on', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const stop = new AbortController();
  const waits = Array.from({ length: 500 }, (_, index) =>
    bus.wait(`never-${index}`, { signal: stop.signal }).catch((error) => error.code),
  );
  const info = await bus.put(Buffer.from('still alive'), { name: 'alive' });
  using blob = await bus.get(info);
  assert.equal(blob.text(), 'still alive');
  stop.abort();
  const codes = new Set(await Promise.all(waits));
  codes.delete('ERR_SEALANE_LIMIT_EXCEEDED');
  assert.deepEqual([...codes], ['ERR_SEALANE_ABORTED']);
});

test('a list has every object once, in order, however many pages it takes', async () => {
  await using broker = await TestBroker.start({ maxListEntries: 7 });
  const bus = await broker.connect();
  const ids: number[] = [];
  for (let index = 0; index < 50; index++)
    ids.push(await put(bus, `${index % 2 === 0 ? 'even' : 'odd'}/${index}`, 'x'));
  ids.push((await bus.put(Buffer.from('nameless'))).id);
  const all = await collect(bus.list());
  assert.deepEqual(
    all.map(({ id }) => id),
    ids,
  );
  const even = await collect(bus.list({ pattern: 'even/*' }));
  assert.equal(even.length, 25);
  assert.ok(even.every(({ name }) => name?.startsWith('even/')));
  const digests = await collect(bus.list({ pattern: '*1', digests: true }));
  assert.ok(digests.every(({ digest }) => /^sha256:[0-9a-f]{64}$/.test(digest ?? '')));
});

test('a name of 65,536 bytes and four kilobytes of metadata go there and back', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const name = 'ä'.repeat(32_768);
  const metadata = { key: 'v'.repeat(4_093) };
  const allow = Array.from({ length: 1_000 }, (_, index) => `job-${index}-${'x'.repeat(200)}`);
  await bus.put(Buffer.from('x'), { name, metadata, owner: 'me', allow });
  using blob = await bus.get(name);
  assert.equal(blob.name, name);
  assert.deepEqual({ ...blob.metadata }, metadata);
  assert.deepEqual(blob.info.allowed, allow);
  assert.equal((await collect(bus.list())).length, 1);
});

test('dropping by name uncovers the version before; holders keep what was dropped', async () => {
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  await put(bus, 'a', 'a1');
  await put(bus, 'a', 'a2');
  using held = await bus.get('a');
  await bus.drop('a');
  assert.equal(held.text(), 'a2');
  using uncovered = await bus.get('a');
  assert.equal(uncovered.text(), 'a1');
  await bus.drop('a');
  await assert.rejects(bus.drop('a'), { code: 'ERR_SEALANE_NOT_FOUND' });
});
