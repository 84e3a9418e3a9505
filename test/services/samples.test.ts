// What a sample carries: its header, user header and alignment; who gets it; and the memory that it lies in.
import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import type { PublisherOptions, Sample } from 'sealane';
import { bytesOf, joined, Stage, text, until } from './nodes.test.helper.js';

/** A publisher and a subscriber of one service, connected. */
async function pair(stage: Stage, settings: object = {}, options: PublisherOptions = {}) {
  const service = await stage.service(settings);
  const publisher = await service.publisher(options);
  const subscriber = await service.subscriber();
  await joined([publisher], [subscriber]);
  return { service, publisher, subscriber };
}

function must(sample: Sample | undefined): Sample {
  assert.ok(sample);
  return sample;
}

test('the header names the sender, counts samples, and tells when each was sent by the monotonic clock', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  const service = await node.service('x').publishSubscribe();
  const publisher = await service.publisher();
  const subscriber = await service.subscriber();
  await joined([publisher], [subscriber]);
  for (let sequence = 1; sequence <= 3; sequence++) {
    const loan = publisher.loan(1);
    const before = process.hrtime.bigint();
    loan.send();
    const after = process.hrtime.bigint();
    const { header, missed } = must(subscriber.receive());
    assert.deepEqual(
      [header.node, header.publisher, header.pid, header.sequence, header.sourceTimestampNs, missed],
      [node.id, publisher.port, process.pid, sequence, 0n, 0],
    );
    assert.ok(before <= header.timestampNs, `${before} <= ${header.timestampNs}`);
    assert.match(inspect(header), /sequence: \d+/, 'console.log shows it');
    const times = { timestampNs: `${header.timestampNs}`, sourceTimestampNs: '0' };
    const told = { node: node.id, publisher: publisher.port, pid: process.pid, sequence, ...times };
    assert.deepEqual(JSON.parse(JSON.stringify(header)), told);
    assert.ok(header.timestampNs <= after, `${header.timestampNs} <= ${after}`);
  }
  assert.equal(publisher.figures.sent, 3);
});

test('the time at which data was made travels with it, and is not kept for the next sample of the slot', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t));
  const times = [0n, 1n, 2n ** 64n - 1n, 1_234_567_890_123_456_789n];
  for (const ns of times) {
    const loan = publisher.loan(0);
    loan.setSourceTimestamp(ns);
    loan.send();
    using sample = must(subscriber.receive());
    assert.equal(sample.header.sourceTimestampNs, ns);
  }
  for (let count = 0; count < 20; count++) {
    publisher.loan(0).send();
    using sample = must(subscriber.receive());
    assert.equal(sample.header.sourceTimestampNs, 0n);
  }
  const loan = publisher.loan(0);
  for (const ns of [-1n, 2n ** 64n, 5 as unknown as bigint])
    assert.throws(() => loan.setSourceTimestamp(ns), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('timestamps can be switched off', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t), {}, { timestamps: false });
  publisher.sendCopy(bytesOf('a'));
  assert.equal(must(subscriber.receive()).header.timestampNs, 0n);
});

test('a user header of each size arrives beside a payload that does not touch it', async (t) => {
  for (const userHeaderBytes of [0, 1, 64, 65, 4096]) {
    const { publisher, subscriber } = await pair(new Stage(t), { userHeaderBytes, maxBytes: 100 });
    const loan = publisher.loan(100);
    assert.equal(loan.userHeader.length, userHeaderBytes);
    loan.bytes.fill(1);
    loan.userHeader.fill(2);
    loan.setSourceTimestamp(3n);
    loan.send();
    const sample = must(subscriber.receive());
    assert.equal(sample.userHeader.length, userHeaderBytes);
    assert.ok(sample.userHeader.every((byte) => byte === 2));
    assert.ok(sample.bytes.every((byte) => byte === 1));
    assert.deepEqual([sample.header.sourceTimestampNs, sample.header.sequence], [3n, 1]);
  }
});

test('every payload lies at the alignment of the service, and apart from all others', async (t) => {
  for (const alignment of [8, 64, 256, 4096]) {
    const settings = {
      alignment,
      maxBytes: 100,
      userHeaderBytes: 20,
      bufferSize: 8,
      maxBorrowed: 8,
      maxLoaned: 4,
    };
    const { publisher, subscriber } = await pair(new Stage(t), settings);
    const loans = Array.from({ length: 4 }, () => publisher.loan(100));
    // A mapping begins at a page, so that an offset in it says how an address is aligned.
    for (const { bytes } of loans) assert.equal(bytes.byteOffset % alignment, 0);
    for (const [index, loan] of loans.entries()) {
      loan.bytes.fill(index + 1);
      loan.userHeader.fill(100 + index);
    }
    for (const loan of loans) loan.send();
    const samples = subscriber.receiveBatch(8);
    const seen = samples.map(({ bytes, userHeader }) => {
      assert.equal(bytes.byteOffset % alignment, 0);
      return [...new Set(bytes), ...new Set(userHeader)];
    });
    assert.deepEqual(
      seen,
      loans.map((_, index) => [index + 1, 100 + index]),
    );
  }
});

test('a loan has the length that was asked for, also when the slot was used with another', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t), { maxBytes: 1000 });
  for (const length of [1000, 1, 0, 999, 1, 1000]) {
    for (let count = 0; count < 12; count++) {
      const loan = publisher.loan(length);
      assert.equal(loan.bytes.length, length);
      loan.bytes.fill(length % 251);
      loan.send();
      using sample = must(subscriber.receive());
      assert.equal(sample.bytes.length, length);
      assert.ok(sample.bytes.every((byte) => byte === length % 251));
    }
  }
});

test('sendCopy sends what was there when it was called', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t));
  const bytes = bytesOf('before');
  assert.equal(publisher.sendCopy(bytes), 1);
  bytes.fill(0);
  publisher.sendCopy(Buffer.from('also a part of this').subarray(0, 4));
  assert.equal(text(subscriber.receive()), 'before');
  assert.equal(text(subscriber.receive()), 'also');
  for (const wrong of ['text', undefined, new Uint16Array(1), new ArrayBuffer(1)])
    assert.throws(() => publisher.sendCopy(wrong as unknown as Uint8Array), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
    });
});

test('with ownProcess false other processes get the samples, and no thread of its own does', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const publisher = await service.publisher({ ownProcess: false });
  const own = await service.subscriber();
  const inAnotherNode = await (await stage.service()).subscriber();
  const worker = stage.worker('subscribe');
  await worker.line();
  const other = stage.peer('subscribe');
  await other.line();
  await publisher.connected();
  const toAll = await service.publisher();
  await toAll.connected(4);
  assert.equal(publisher.sendCopy(bytesOf('to others')), 1);
  assert.equal(toAll.sendCopy(bytesOf('to all')), 4);
  other.tell('next');
  other.tell('next');
  assert.deepEqual([await other.line(), await other.line()].sort(), ['to all', 'to others']);
  worker.tell('next');
  assert.equal(await worker.line(), 'to all');
  for (const subscriber of [own, inAnotherNode]) {
    assert.equal(text(await subscriber.next()), 'to all');
    assert.equal(subscriber.receive(), undefined);
  }
});

/** What the kernel says of the largest mapping of samples of this process: kB, by name. */
function samplesMapping(): Map<string, number> {
  const parts = readFileSync('/proc/self/smaps', 'utf8').split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
  const sizes = parts
    .filter((part) => part.includes('/memfd:sealane-samples'))
    .map(
      (part) =>
        new Map([...part.matchAll(/^(\w+): +(\d+) kB/gm)].map(([, name = '', kb]) => [name, Number(kb)])),
    );
  sizes.sort((a, b) => (b.get('Size') ?? 0) - (a.get('Size') ?? 0));
  return sizes[0] ?? new Map();
}

const pool = { maxBytes: 65_536, maxSubscribers: 1, bufferSize: 8, maxBorrowed: 4 };

test('memory of samples is allocated as it is used, or all of it at once on request', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service(pool);
  const lazy = await service.publisher();
  const lazyKb = samplesMapping().get('Rss') ?? -1;
  assert.ok(lazyKb <= 64, `${lazyKb} kB`);
  lazy.close();
  const { figures } = await service.publisher({ prefault: true });
  const ready = samplesMapping();
  assert.equal((ready.get('Size') ?? 0) * 1024, Math.ceil(figures.memoryBytes / 4096) * 4096);
  // Almost: the kernel may take a page away at any time.
  assert.ok((ready.get('Rss') ?? 0) >= 0.9 * (ready.get('Size') ?? 0));
});

test('memory of samples is locked on request', async (t) => {
  const service = await new Stage(t).service(pool);
  try {
    await service.publisher({ lock: true });
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'ERR_SEALANE_EXHAUSTED');
    return t.skip('this user may not lock that much memory (RLIMIT_MEMLOCK)');
  }
  const locked = samplesMapping();
  assert.ok((locked.get('Locked') ?? 0) > 0);
  assert.equal(locked.get('Rss'), locked.get('Size'));
});

test('huge pages are asked for, and samples arrive whether or not there are any', async (t) => {
  const settings = { ...pool, maxBytes: 4 << 20 };
  const { publisher, subscriber } = await pair(new Stage(t), settings, { hugePages: true, prefault: true });
  const allowed = /\[(advise|always|within_size|force)\]/.test(
    readFileSync('/sys/kernel/mm/transparent_hugepage/shmem_enabled', 'utf8'),
  );
  if (allowed) assert.ok((samplesMapping().get('ShmemPmdMapped') ?? 0) > 0);
  else t.diagnostic('this kernel gives no huge pages to shared memory (shmem_enabled)');
  publisher.sendCopy(new Uint8Array(4 << 20).fill(9));
  assert.equal(must(subscriber.receive()).bytes.at(-1), 9);
});

test('a pool that can not be made is refused with the settings to lower', async (t) => {
  const node = await new Stage(t).node();
  const wrong = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
  const many = { maxBytes: 1, bufferSize: 65_536, maxSubscribers: 256 };
  await assert.rejects(node.service('x').publishSubscribe(many), { ...wrong, message: /lower bufferSize/ });
});

test('a pool of more bytes than the process can map is refused: with its settings, or with its publisher', async (t) => {
  const node = await new Stage(t).node();
  const large = { maxBytes: 4_294_967_296, bufferSize: 65_536 };
  const service = node.service('x').publishSubscribe(large);
  if (constants.MAX_LENGTH < 2 ** 50) {
    const wrong = { code: 'ERR_SEALANE_INVALID_ARGUMENT', message: /lower maxBytes/ };
    return assert.rejects(service, wrong);
  }
  const opened = await service;
  await assert.rejects(opened.publisher(), { code: 'ERR_SEALANE_EXHAUSTED' });
  assert.deepEqual(await opened.ports(), []);
});

test('what was sent before its publisher closed still arrives', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t));
  const held: Sample[] = [];
  publisher.sendCopy(bytesOf('a'));
  publisher.sendCopy(bytesOf('b'));
  held.push(must(subscriber.receive()));
  publisher.close();
  await until(() => subscriber.figures.publishers.length === 0);
  held.push(must(subscriber.receive()));
  assert.equal(subscriber.receive(), undefined);
  assert.deepEqual(held.map(text), ['a', 'b']);
});
