/** Guarded mappings: writes that are survived, what they change and what not, and what every other fault and signal still does. */
import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { randomFill, randomFillSync } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { isSealaneError } from '../base/errors.js';
import { SEAL_FUTURE_WRITE } from './descriptor.js';
import { guardedWrites, Mapping } from './mapping.js';
import { Memfd } from './memfd.js';

const PROGRAM = fileURLToPath(new URL('./guard.test.helper.js', import.meta.url));
const FAULTS = fileURLToPath(new URL('../../../../test/helpers/faults.c', import.meta.url));
const PAGE = 4_096;
const MIB = 1_048_576;

const folder = mkdtempSync(join(tmpdir(), 'sealane-guard-'));
after(() => rmSync(folder, { recursive: true }));

/** A file that its owner writes to, filled with 7, and a guarded mapping of it. */
class Pair implements Disposable {
  readonly memfd: Memfd;
  readonly owner: Mapping;
  readonly guarded: Mapping;

  constructor(
    readonly name: string,
    length: number,
    block: number,
  ) {
    this.memfd = Memfd.create(name, length);
    this.owner = Mapping.shared(this.memfd.fd, 0, length);
    this.owner.bytes.fill(7);
    this.memfd.seal(SEAL_FUTURE_WRITE);
    this.guarded = Mapping.guarded(this.memfd.fd, length, block);
  }

  /** The kernel's mappings of the file, without the owner's. */
  get lines(): string[] {
    const lines = readFileSync('/proc/self/maps', 'latin1').split('\n');
    return lines.filter((line) => line.includes(`/memfd:${this.name} `) && !line.includes(' rw-s '));
  }

  /** That both sides show what the owner wrote, and the kernel has one mapping for it. */
  assertWhole(value = 7): void {
    for (const { bytes } of [this.owner, this.guarded])
      assert.ok(Buffer.from(bytes.buffer).every((byte) => byte === value));
    assert.equal(this.lines.length, 1, this.lines.join('\n'));
  }

  [Symbol.dispose](): void {
    this.guarded.close();
    this.owner.close();
    this.memfd.close();
  }
}

const STORES: Record<string, (bytes: Uint8Array<ArrayBuffer>) => unknown> = {
  'plain stores': (bytes) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = i;
  },
  fill: (bytes) => bytes.fill(1),
  set: (bytes) => bytes.set(Buffer.alloc(bytes.length, 2)),
  copyWithin: (bytes) => [bytes.fill(3, 0, 10), bytes.copyWithin(5_000, 0, 9)],
  'reverse and sort': (bytes) => [bytes.fill(3, 0, 100), bytes.reverse(), bytes.sort()],
  DataView: (bytes) => new DataView(bytes.buffer).setFloat64(PAGE - 3, 1.5),
  'stores of each width': (bytes) => {
    for (const type of [Int8Array, Uint16Array, Int32Array, Float32Array, Float64Array])
      new type(bytes.buffer)[1_500] = 1;
    new BigUint64Array(bytes.buffer)[100] = 1n;
  },
  Atomics: (bytes) => {
    const words = new Int32Array(bytes.buffer);
    Atomics.store(words, 5, 1);
    Atomics.add(words, 2_000, 1);
    Atomics.compareExchange(words, 3_000, 0x0707_0707, 1);
    Atomics.exchange(new BigInt64Array(bytes.buffer), 2_000, 1n);
  },
  'text encoders': (bytes) => [
    new TextEncoder().encodeInto('text', bytes),
    Buffer.from(bytes.buffer).write('word', 9_000),
  ],
  'the cryptographic library': (bytes) => randomFillSync(bytes, 100, 10_000),
  'the cryptographic library, in another thread': (bytes) =>
    new Promise((resolve) => randomFill(bytes, 100, 10_000, resolve)),
};

for (const [how, store] of Object.entries(STORES)) {
  test(`a write by ${how} is survived, seen by nobody else, and gone after restore`, async () => {
    using pair = new Pair('stores', 8 * PAGE, PAGE);
    using other = Mapping.guarded(pair.memfd.fd, 8 * PAGE, PAGE);
    const before = guardedWrites()[0];
    await store(pair.guarded.bytes);
    assert.ok(Buffer.from(pair.guarded.bytes.buffer).some((byte) => byte !== 7));
    assert.ok(Buffer.from(other.buffer).every((byte) => byte === 7));
    assert.notEqual(guardedWrites()[0], before);
    assert.notEqual(pair.guarded.restore().length, 0);
    assert.deepEqual(other.restore(), []);
    other.close();
    pair.assertWhole();
    assert.deepEqual(pair.guarded.restore(), []);
    pair.owner.bytes.fill(8);
    pair.assertWhole(8);
  });
}

test('blocks are told in the order of their first writes, one for all that share pages', () => {
  using pair = new Pair('order', 64 * PAGE, 96);
  const { bytes } = pair.guarded;
  for (const block of [500, 20, 21, 42, 0, 500]) bytes[block * 96] = 1;
  // 20 and 21 share the first page with 0; 42 begins in it and reaches into the second.
  assert.deepEqual(pair.guarded.restore(), [500, 20]);
  pair.assertWhole();
  for (const block of [42, 43, 20]) bytes[block * 96] = 1;
  assert.deepEqual(pair.guarded.restore(), [42]);
  pair.assertWhole();
});

test('what was written into a block stays until restore, whatever is written into blocks that share its pages', () => {
  using pair = new Pair('neighbours', 64 * PAGE, PAGE + 96);
  const { bytes } = pair.guarded;
  const written: number[] = [];
  // The first and last byte of each, of which most share their pages with the neighbour; every second block first.
  for (const block of [1, 3, 5, 2, 4, 0]) {
    for (const at of [block * (PAGE + 96), (block + 1) * (PAGE + 96) - 1]) {
      bytes[at] = block + 1;
      written.push(at);
      for (const earlier of written)
        assert.equal(bytes[earlier], Math.floor(earlier / (PAGE + 96)) + 1, `byte ${earlier} after ${at}`);
    }
  }
  assert.notEqual(pair.guarded.restore().length, 0);
  pair.assertWhole();
});

test('a block that is larger than a page becomes private at once, and only pages that are written to are copied', () => {
  using pair = new Pair('large', 64 * MIB, 16 * MIB);
  pair.guarded.bytes[20 * MIB] = 1;
  pair.guarded.bytes[21 * MIB] = 1;
  assert.equal(pair.lines.length, 3);
  const smaps = readFileSync('/proc/self/smaps', 'latin1');
  const at = smaps.indexOf(pair.lines.find((line) => line.includes(' rw-p ')) ?? 'none');
  const copied = Number(smaps.slice(at).match(/Anonymous:\s+(\d+) kB/)?.[1]);
  assert.ok(copied >= 8 && copied <= 4_096, `${copied} kB were copied`);
  assert.deepEqual(pair.guarded.restore(), [1]);
  assert.equal(pair.guarded.bytes[20 * MIB], 7);
  assert.equal(pair.lines.length, 1);
});

test('what the owner writes is seen beside the copy, not in it, and everywhere after restore', () => {
  using pair = new Pair('beside', 8 * PAGE, PAGE);
  pair.guarded.bytes[2 * PAGE] = 1;
  pair.owner.bytes.fill(9);
  assert.deepEqual(
    [1, 2, 3].map((page) => pair.guarded.bytes[page * PAGE + 5]),
    [9, 7, 9],
  );
  pair.guarded.restore();
  pair.assertWhole(9);
});

test('writes everywhere take few kernel mappings: 32 blocks are told, and all are restored', () => {
  using pair = new Pair('everywhere', 1_024 * PAGE, PAGE);
  for (let page = 0; page < 1_024; page += 2) pair.guarded.bytes[page * PAGE] = 1;
  assert.ok(pair.lines.length <= 65, `${pair.lines.length} mappings`);
  const blocks = pair.guarded.restore();
  assert.deepEqual(
    blocks,
    Array.from({ length: 32 }, (_, index) => index * 2),
  );
  pair.assertWhole();
});

test('100,000 writes leave as many mappings and descriptors as there were', () => {
  using pair = new Pair('often', 64 * PAGE, 1_000);
  const count = () => [
    readFileSync('/proc/self/maps', 'latin1').split('\n').length,
    readdirSync('/proc/self/fd').length,
  ];
  pair.assertWhole();
  const before = count();
  let most = 0;
  for (let round = 0; round < 100_000; round++) {
    pair.guarded.bytes[(round * 7_919) % (64 * PAGE)] = 1;
    if (round % 10_000 === 0) most = Math.max(most, pair.lines.length);
    if (round % 3 === 0) pair.guarded.restore();
  }
  pair.guarded.restore();
  assert.ok(most <= 65, `${most} mappings`);
  pair.assertWhole();
  const [mappings = 0, descriptors] = count();
  assert.ok(mappings - (before[0] ?? 0) < 100, `${mappings} mappings after ${before[0]}`);
  assert.equal(descriptors, before[1]);
});

test('other threads may write while this one restores: all is whole once they are done', async () => {
  using pair = new Pair('threads', 256 * PAGE, 3 * PAGE);
  let writing = 40;
  for (let writer = writing; writer > 0; writer--)
    randomFill(pair.guarded.bytes, writer * PAGE, 200 * PAGE, () => {
      writing -= 1;
    });
  let restored = 0;
  while (writing > 0) {
    restored += pair.guarded.restore().length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.notEqual(restored + pair.guarded.restore().length, 0);
  pair.assertWhole();
});

test('a system call that would write into a guarded mapping fails, and writes nothing', () => {
  using pair = new Pair('calls', 2 * PAGE, PAGE);
  const fd = openSync('/dev/zero', 'r');
  assert.throws(() => readSync(fd, pair.guarded.bytes, 0, 100, null), { code: 'EFAULT' });
  closeSync(fd);
  assert.deepEqual(pair.guarded.restore(), []);
  pair.assertWhole();
});

test('close gives back the descriptor and all mappings, also with copies; nothing can be restored then', () => {
  using pair = new Pair('closed', 8 * PAGE, PAGE);
  const before = readdirSync('/proc/self/fd').length;
  pair.guarded.bytes.fill(1);
  const { bytes } = pair.guarded;
  pair.guarded.close();
  assert.equal(bytes.length, 0);
  assert.equal(readdirSync('/proc/self/fd').length, before - 1);
  assert.deepEqual(pair.lines, []);
  assert.throws(
    () => pair.guarded.restore(),
    (error) => isSealaneError(error, 'ERR_SEALANE_CLOSED'),
  );
  Mapping.guarded(pair.memfd.fd, PAGE, 1).close();
  assert.equal(readdirSync('/proc/self/fd').length, before - 1);
});

test('a guarded mapping outlives the descriptor that it was made from', () => {
  using pair = new Pair('descriptor', 2 * PAGE, PAGE);
  pair.memfd.close();
  pair.guarded.bytes[0] = 1;
  assert.deepEqual(pair.guarded.restore(), [0]);
  pair.assertWhole();
});

test('a worker that ends with copies leaves no descriptor and no mapping', async () => {
  const before = readdirSync('/proc/self/fd').length;
  await ended(new Worker(PROGRAM, { workerData: ['left modified'] }));
  assert.equal(readdirSync('/proc/self/fd').length, before);
  assert.ok(!readFileSync('/proc/self/maps', 'latin1').includes('/memfd:guarded'));
});

test('wrong arguments are refused, and other mappings have nothing to restore', () => {
  using memfd = Memfd.create('arguments', 10);
  for (const [length, block] of [
    [0, 1],
    [10, 0],
    [10, 11],
    [11, 1],
    [10, 1.5],
  ] as const)
    assert.throws(() => Mapping.guarded(memfd.fd, length, block), TypeError, `${length} ${block}`);
  assert.throws(() => Mapping.guarded(9_999_999, 10, 1), { errnoName: 'EBADF' });
  using plain = Mapping.sharedReadOnly(memfd.fd, 0, 10);
  assert.throws(() => plain.restore(), TypeError);
});

async function ended(worker: Worker): Promise<void> {
  await new Promise((resolve) => worker.once('exit', resolve));
}

function play(role: string, ...more: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [PROGRAM, role, ...more], { encoding: 'utf8' });
}

/** The library that faults when it is loaded; undefined, and the test is skipped, without a compiler. */
function faults(t: TestContext): string | undefined {
  const library = join(folder, 'faults.so');
  const { error } = spawnSync('cc', ['-std=gnu11', '-shared', '-fPIC', '-o', library, FAULTS], {
    stdio: 'inherit',
  });
  if (error === undefined) return library;
  t.skip(`no C compiler: ${error.message}`);
  return undefined;
}

const SURVIVED = 'wrote 1, restored 1 to 7';
const TRAPS = 'RuntimeError: memory access out of bounds, RuntimeError: unreachable';

/** What the process says, and how it ends, of each role. */
const ENDS: Record<string, { says: string[]; signal?: string; status?: number }> = {
  traps: { says: [TRAPS, TRAPS, SURVIVED] },
  'foreign write': { says: [SURVIVED], signal: 'SIGSEGV' },
  killed: { says: [SURVIVED], signal: 'SIGSEGV' },
  'listener before': { says: [SURVIVED, 'told', SURVIVED, 'told'] },
  'listener for a while': { says: [SURVIVED, 'told', SURVIVED, TRAPS] },
  'worker only': { says: [SURVIVED, TRAPS, TRAPS, TRAPS, TRAPS, SURVIVED] },
  threads: { says: ['0,0,0', 'true'] },
};
for (const [role, end] of Object.entries(ENDS)) {
  test(`signals, ${role}`, () => assertEnd(play(role), end));
}

/** With faults.c: what happens before and after a handler of somebody else. */
const FOREIGN: typeof ENDS = {
  'handler later': {
    says: [SURVIVED, 'reported', SURVIVED, 'reported', SURVIVED, `reported`, TRAPS, 'reported'],
    signal: 'SIGSEGV',
  },
  'handler before': { says: [SURVIVED], status: 42 },
  'ignored before': { says: [SURVIVED, 'alive'], signal: 'SIGSEGV' },
};
for (const [role, end] of Object.entries(FOREIGN)) {
  test(`a handler of somebody else, ${role}`, (t) => {
    const library = faults(t);
    if (library !== undefined) assertEnd(play(role, library), end);
  });
}

for (const what of ['null write', 'null read', 'null call', 'constant write']) {
  test(`a real crash is one still: ${what}`, (t) => {
    const library = faults(t);
    if (library !== undefined)
      assertEnd(play('crash', library, what), { says: [SURVIVED], signal: 'SIGSEGV' });
  });
}

function assertEnd(
  result: SpawnSyncReturns<string>,
  end: { says: string[]; signal?: string; status?: number },
): void {
  const { signal = null, status = signal === null ? 0 : null } = end;
  assert.deepEqual(result.stdout.trim().split('\n'), end.says, result.stderr);
  assert.deepEqual([result.signal, result.status], [signal, status], result.stderr);
}
