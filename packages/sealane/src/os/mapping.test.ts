/** What a mapping shows, what it shares, and what is left after its end. Its memory's life: mapping-life.test.ts. */
import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SealaneError } from '../base/errors.js';
import { BLOB_SEALS, inspect, SEAL_FUTURE_WRITE, SEAL_WRITE } from './descriptor.js';
import { Mapping } from './mapping.js';
import { Memfd } from './memfd.js';

const MIB = 1_048_576;

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.code === code;
}

function hasErrno(name: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.errnoName === name;
}

/** The lines of /proc/self/maps about memfds of that name. */
function mapped(name: string): string[] {
  const lines = readFileSync('/proc/self/maps', 'latin1').split('\n');
  return lines.filter((line) => line.endsWith(`/memfd:${name} (deleted)`));
}

/** That almost all of it is in memory: the kernel may take a page away at any time. */
function assertResident(name: string, kilobytes: number): void {
  const resident = residentKilobytes(name);
  assert(resident >= 0.9 * kilobytes && resident <= kilobytes, `${resident} kB of ${kilobytes} are resident`);
}

/** Kilobytes of that name's mappings that are in memory, by /proc/self/smaps. */
function residentKilobytes(name: string): number {
  const text = readFileSync('/proc/self/smaps', 'latin1');
  const at = text.indexOf(`/memfd:${name} (deleted)`);
  return at === -1 ? 0 : Number(text.slice(at).match(/Rss:\s+(\d+) kB/)?.[1]);
}

test('a private mapping shows the content of a sealed memfd', () => {
  using memfd = Memfd.sealed('shown', Buffer.from('sealed content'));
  using mapping = Mapping.private(memfd.fd, 0, 14);
  assert.equal(Buffer.from(mapping.buffer).toString(), 'sealed content');
  assert.equal(mapping.bytes.length, 14);
  assert.equal(mapping.length, 14);
});

test('buffer and bytes are made once', () => {
  using memfd = Memfd.sealed('once', Buffer.alloc(10));
  using mapping = Mapping.private(memfd.fd, 0, 10);
  assert.equal(mapping.bytes, mapping.bytes);
  assert.equal(mapping.bytes.buffer, mapping.buffer);
});

test('a part can begin and end anywhere', () => {
  const content = Buffer.alloc(20_000);
  for (let i = 0; i < content.length; i += 2) content.writeUInt16LE(i, i);
  using memfd = Memfd.sealed('parts', content);
  for (const [offset, length] of [
    [0, 1],
    [4095, 2],
    [4096, 4096],
    [4097, 8191],
    [19_999, 1],
    [5, 19_995],
  ] as const) {
    using mapping = Mapping.private(memfd.fd, offset, length);
    assert(
      Buffer.from(mapping.buffer).equals(content.subarray(offset, offset + length)),
      `${offset}, ${length}`,
    );
  }
});

test('a write into a private mapping stays private, and the memfd is untouched', () => {
  using memfd = Memfd.sealed('private', Buffer.from('original'));
  using one = Mapping.private(memfd.fd, 0, 8);
  using two = Mapping.private(memfd.fd, 0, 8);
  one.bytes[0] = 79;
  assert.equal(Buffer.from(one.buffer).toString(), 'Original');
  assert.equal(Buffer.from(two.buffer).toString(), 'original');
});

test('a write into a shared mapping reaches the memfd and other mappings', () => {
  using memfd = Memfd.create('shared', 8192);
  using one = Mapping.shared(memfd.fd, 0, 8192);
  using two = Mapping.shared(memfd.fd, 5000, 10);
  one.bytes[5001] = 42;
  assert.equal(two.bytes[1], 42);
  const read = Buffer.alloc(1);
  memfd.read(read, 5001);
  assert.equal(read[0], 42);
});

test('a mapping for reading only shows what the owner writes, then and later, from any offset', () => {
  using memfd = Memfd.create('watched', 8192);
  using writable = Mapping.shared(memfd.fd, 0, 8192);
  memfd.seal(SEAL_FUTURE_WRITE);
  using part = Mapping.sharedReadOnly(memfd.fd, 5000, 8);
  assert.equal(part.bytes[3], 0);
  writable.bytes[5003] = 42;
  assert.equal(part.bytes[3], 42);
  assert.equal(Atomics.load(part.bytes, 3), 42);
  assert.equal(mapped('watched').filter((line) => / r--s /.test(line)).length, 1);
  assert.throws(() => Mapping.shared(memfd.fd, 0, 8192), hasErrno('EPERM'));
  part.close();
  assert.equal(part.closed, true);
  assert.equal(mapped('watched').filter((line) => / r--s /.test(line)).length, 0);
});

test('a mapping for reading only can be populated, be empty, and reach no further than the file', () => {
  using memfd = Memfd.create('read ahead', 4 * MIB);
  memfd.write(Buffer.alloc(4 * MIB, 1), 0);
  using mapping = Mapping.sharedReadOnly(memfd.fd, 0, 4 * MIB, { populate: true });
  assertResident('read ahead', 4096);
  assert.equal(mapping.bytes[MIB], 1);
  using empty = Mapping.sharedReadOnly(memfd.fd, 0, 0);
  assert.equal(empty.bytes.length, 0);
  assert.throws(() => Mapping.sharedReadOnly(memfd.fd, 1, 4 * MIB), TypeError);
});

test('a write into a mapping for reading only ends the process', () => {
  const program = `
    const { Mapping } = await import(${JSON.stringify(new URL('./mapping.js', import.meta.url).href)});
    const { Memfd } = await import(${JSON.stringify(new URL('./memfd.js', import.meta.url).href)});
    const mapping = Mapping.sharedReadOnly(Memfd.create('read', 10).fd, 0, 10);
    console.log(mapping.bytes[0]);
    mapping.bytes[0] = 1;`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.equal(result.stdout, '0\n');
  assert.equal(result.signal, 'SIGSEGV');
});

test('an open shared mapping forbids the write seal, and closing it allows it at once', () => {
  using memfd = Memfd.create('sealed later', 4096);
  const mapping = Mapping.shared(memfd.fd, 0, 4096);
  mapping.bytes[0] = 1;
  assert.throws(
    () => memfd.seal(SEAL_WRITE),
    (error) => error instanceof SealaneError && error.errnoName === 'EBUSY',
  );
  mapping.close();
  memfd.seal(BLOB_SEALS);
  const unused = Memfd.create('never made a buffer', 4096);
  Mapping.shared(unused.fd, 0, 4096).close();
  unused.seal(BLOB_SEALS);
  unused.close();
});

test('after close every view is empty, the file is let go, and nothing can be asked for', () => {
  using memfd = Memfd.sealed('let go', Buffer.alloc(8192, 1));
  const mapping = Mapping.private(memfd.fd, 0, 8192);
  const { bytes, buffer } = mapping;
  const part = bytes.subarray(100, 200);
  const words = new Uint32Array(buffer);
  assert.equal(mapped('let go').length, 1);
  mapping.close();
  mapping.close();
  assert.deepEqual([bytes.length, part.length, words.length, buffer.byteLength], [0, 0, 0, 0]);
  assert.equal(mapped('let go').length, 0);
  assert.equal(mapping.closed, true);
  assert.throws(() => mapping.buffer, hasCode('ERR_SEALANE_CLOSED'));
  assert.throws(() => mapping.bytes, hasCode('ERR_SEALANE_CLOSED'));
});

test('the memory stays when the memfd is closed', () => {
  const memfd = Memfd.sealed('outlived', Buffer.from('still here'));
  using mapping = Mapping.private(memfd.fd, 0, 10);
  memfd.close();
  assert.equal(Buffer.from(mapping.buffer).toString(), 'still here');
});

test('a length of zero is an ordinary empty buffer and no mapping', () => {
  using memfd = Memfd.sealed('nothing', new Uint8Array(0));
  using mapping = Mapping.private(memfd.fd, 0, 0);
  assert.equal(mapping.buffer.byteLength, 0);
  assert.equal(mapping.bytes.length, 0);
  assert.equal(mapped('nothing').length, 0);
});

test('a range past the end of the file is refused: its bytes would kill the process', () => {
  using memfd = Memfd.sealed('ends', Buffer.alloc(100));
  for (const [offset, length] of [
    [0, 101],
    [100, 1],
    [99, 2],
    [2 ** 52, 2 ** 52],
  ] as const) {
    assert.throws(
      () => Mapping.private(memfd.fd, offset, length),
      /past the end of the file, which has 100 bytes/,
    );
    assert.throws(() => Mapping.shared(memfd.fd, offset, length), TypeError);
  }
});

test('wrong arguments are TypeErrors', () => {
  using memfd = Memfd.create('arguments', 100);
  assert.throws(() => Mapping.private(memfd.fd, -1, 10), TypeError);
  assert.throws(() => Mapping.private(memfd.fd, 0, 1.5), TypeError);
  assert.throws(() => Mapping.private(memfd.fd, 0, Number.NaN), TypeError);
  assert.throws(() => Mapping.private(-1, 0, 10), TypeError);
});

test('what the kernel refuses is a system error', () => {
  using memfd = Memfd.sealed('refused', Buffer.alloc(100));
  assert.throws(() => Mapping.shared(memfd.fd, 0, 100), hasErrno('EPERM'));
  assert.throws(() => Mapping.private(2_000_000_000, 0, 100), hasErrno('EBADF'));
});

test('a mapping for which there are no addresses is ERR_SEALANE_EXHAUSTED with a hint', () => {
  using memfd = Memfd.create('endless', 2 ** 50);
  assert.throws(
    () => Mapping.private(memfd.fd, 0, 2 ** 50),
    (error) => {
      return hasCode('ERR_SEALANE_EXHAUSTED')(error) && /vm\.max_map_count/.test(String(error));
    },
  );
});

test('a mapping that is larger than an ArrayBuffer can be made, and says so when it is asked for one', (t) => {
  if (constants.MAX_LENGTH > 2 ** 40) return t.skip(`this Node.js allows ${constants.MAX_LENGTH} bytes`);
  using memfd = Memfd.create('too large', constants.MAX_LENGTH + 1);
  using mapping = Mapping.private(memfd.fd, 0, constants.MAX_LENGTH + 1);
  assert.throws(() => mapping.buffer, hasCode('ERR_SEALANE_LIMIT_EXCEEDED'));
  using part = Mapping.private(memfd.fd, constants.MAX_LENGTH, 1);
  assert.equal(part.bytes[0], 0);
});

test('populate reads all pages in ahead, and copies none', () => {
  using memfd = Memfd.sealed('populated', Buffer.alloc(4 * MIB, 1));
  using lazy = Mapping.private(memfd.fd, 0, 4 * MIB);
  assert.equal(residentKilobytes('populated'), 0);
  lazy.close();
  using mapping = Mapping.private(memfd.fd, 0, 4 * MIB, { populate: true });
  assertResident('populated', 4096);
  assert.match(
    readFileSync('/proc/self/smaps', 'latin1').split('memfd:populated')[1] ?? '',
    /Private_Dirty:\s+0 kB/,
  );
  assert.equal(mapping.bytes[MIB], 1);
});

test('a populated draft has its pages before it is touched, and can be filled and sealed', async () => {
  const { memfd, mapping } = await Mapping.sharedPopulated('draft', 2 * MIB);
  assert.equal(memfd.size, 2 * MIB);
  assert.equal(inspect(memfd.fd).allocatedBytes, 2 * MIB);
  assertResident('draft', 2048);
  mapping.bytes.set(Buffer.from('filled'), MIB);
  mapping.close();
  memfd.seal(BLOB_SEALS);
  const bytes = Buffer.alloc(6);
  memfd.read(bytes, MIB);
  assert.equal(bytes.toString(), 'filled');
  memfd.close();
});

test('a draft that can not be made rejects, with nothing left behind', async () => {
  await assert.rejects(Mapping.sharedPopulated('endless draft', 2 ** 50), hasCode('ERR_SEALANE_EXHAUSTED'));
  await assert.rejects(Mapping.sharedPopulated('endless draft', 0), TypeError);
  assert.equal(mapped('endless draft').length, 0);
});
