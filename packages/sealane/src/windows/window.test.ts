/** What a window of its own addresses shows, and what it refuses. How its addresses live: window-life.test.ts. */
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { SealaneErrorCode } from '../base/errors.js';
import { addressOf } from '../os/address-range.js';
import {
  CONTROL_SEALS,
  inspect,
  POOL_SEALS,
  SEAL_FUTURE_WRITE,
  SEAL_GROW,
  SEAL_SHRINK,
} from '../os/descriptor.js';
import type { Mappable } from '../os/mappable.js';
import { Mapping } from '../os/mapping.js';
import { Memfd } from '../os/memfd.js';
import { Readiness } from '../os/readiness.js';
import { SharedMemory } from '../os/shared-memory.js';
import { UnixSocket } from '../os/unix-socket.js';
import { mapped, mappingsIn } from './life.test.helper.js';
import { mappable } from './mappable.test.helper.js';
import { type MapOptions, Window } from './window.js';

const PAGE = Window.pageSize;
const folder = mkdtempSync(join(tmpdir(), 'sealane-window-'));
after(() => rmSync(folder, { recursive: true }));

/** Sealed memory, each page filled with its number from `first`. */
function pages(count: number, first = 1): Memfd {
  const bytes = new Uint8Array(count * PAGE);
  for (let page = 0; page < count; page++) bytes.fill(first + page, page * PAGE, (page + 1) * PAGE);
  return Memfd.sealed('pages', bytes);
}

/** The first and the last byte of every page of a window. */
function ends(window: Window): number[][] {
  const { bytes } = window;
  return Array.from({ length: window.size / PAGE }, (_, page) => [
    bytes[page * PAGE] ?? -1,
    bytes[(page + 1) * PAGE - 1] ?? -1,
  ]);
}

/** That map() throws this, and changes nothing. */
function refuses(
  window: Window,
  offset: unknown,
  object: unknown,
  options: object,
  code: SealaneErrorCode,
  message = /./,
): void {
  const before = { ends: ends(window), mappings: window.mappings };
  const call = () => window.map(offset as number, object as Mappable, options as MapOptions);
  assert.throws(call, { code, message });
  assert.deepEqual({ ends: ends(window), mappings: window.mappings }, before);
}

test('objects are mapped where their owner wants them, and zeros are read elsewhere', () => {
  using window = Window.reserve(6 * PAGE);
  using one = pages(1, 1);
  using two = pages(2, 2);
  window.map(3 * PAGE, two);
  window.map(PAGE, one);
  const [none, first, second, third] = [
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 3],
  ];
  assert.deepEqual(ends(window), [none, first, none, second, third, none]);
  assert.deepEqual(window.mappings, [
    { offset: PAGE, bytes: PAGE, span: PAGE, objectOffset: 0, access: 'private', kind: 'memory' },
    { offset: 3 * PAGE, bytes: 2 * PAGE, span: 2 * PAGE, objectOffset: 0, access: 'private', kind: 'memory' },
  ]);
});

test('a window may be far larger than memory', () => {
  using window = Window.reserve(2 ** 40);
  using one = pages(1, 9);
  window.map(2 ** 40 - PAGE, one);
  const view = window.view(2 ** 40 - 2 * PAGE);
  assert.deepEqual([view.length, view[PAGE - 1], view[PAGE]], [2 * PAGE, 0, 9]);
});

test('what was mapped is given back, through views that are there as well, and the place can be used again', () => {
  using window = Window.reserve(3 * PAGE);
  using one = pages(1, 1);
  using two = pages(2, 2);
  const view = window.view(PAGE, PAGE);
  window.map(PAGE, one);
  assert.equal(view[5], 1);
  window.unmap(PAGE);
  assert.equal(view[5], 0);
  assert.deepEqual(window.mappings, []);
  window.map(PAGE, two);
  assert.equal(view[5], 2);
});

test('a part of an object can be mapped, from a page on, whole pages or all that is left', () => {
  using window = Window.reserve(4 * PAGE);
  using memory = Memfd.create('part', 3 * PAGE + 10);
  memory.write(new Uint8Array(3 * PAGE + 10).fill(5), 0);
  memory.seal(SEAL_SHRINK);
  window.map(0, memory, { objectOffset: PAGE, bytes: PAGE });
  assert.deepEqual(ends(window).slice(0, 2), [
    [5, 5],
    [0, 0],
  ]);
  window.unmap(0);
  const mapping = window.map(0, memory, { objectOffset: 3 * PAGE });
  assert.deepEqual([mapping.bytes, mapping.span], [10, PAGE]);
  assert.deepEqual([window.bytes[9], window.bytes[10], window.bytes[PAGE - 1]], [5, 0, 0]);
});

test('a write into a private mapping stays in the window', () => {
  using window = Window.reserve(PAGE);
  using memory = pages(1, 1);
  window.map(0, memory);
  window.bytes[0] = 99;
  const read = new Uint8Array(1);
  memory.read(read, 0);
  assert.deepEqual([window.bytes[0], read[0]], [99, 1]);
  window.unmap(0);
  window.map(0, memory);
  assert.equal(window.bytes[0], 1);
});

test('a page of a private mapping that was written into shows nothing that its owner writes later, until it is mapped again', () => {
  using window = Window.reserve(2 * PAGE);
  using pool = SharedMemory.create('pool', 2 * PAGE, POOL_SEALS);
  const picture = new Uint8Array(pool.buffer).fill(1);
  window.map(0, pool);
  window.bytes[0] = 99;
  picture.fill(2);
  assert.deepEqual([window.bytes[0], window.bytes[1], window.bytes[PAGE]], [99, 1, 2]);
  window.unmap(0);
  window.map(0, pool);
  assert.deepEqual([window.bytes[0], window.bytes[1], window.bytes[PAGE]], [2, 2, 2]);
});

test('a write into a shared mapping reaches the object, and what others write there shows', () => {
  using window = Window.reserve(PAGE);
  using memory = SharedMemory.create('shared', PAGE, CONTROL_SEALS);
  const bytes = new Uint8Array(memory.buffer);
  window.map(0, memory, { access: 'read-write' });
  window.bytes[0] = 99;
  bytes[1] = 98;
  assert.deepEqual([bytes[0], window.bytes[1]], [99, 98]);
});

test('a mapping for reading shows what its owner writes', () => {
  using window = Window.reserve(2 * PAGE);
  using pool = SharedMemory.create('pool', PAGE, POOL_SEALS);
  using blob = pages(1, 7);
  window.map(0, pool, { access: 'read' });
  new Uint8Array(pool.buffer)[0] = 42;
  assert.equal(window.bytes[0], 42);
  // Kernels before 6.7 refuse a shared mapping of what is sealed against writing, so it is a private one there.
  window.map(PAGE, blob, { access: 'read' });
  assert.equal(window.bytes[PAGE], 7);
});

test('a mapping outlives the descriptor that it came from', () => {
  using window = Window.reserve(PAGE);
  const memory = pages(1, 3);
  window.map(0, memory, { populate: true });
  memory.close();
  assert.deepEqual(ends(window), [[3, 3]]);
});

test('what was written where nothing is mapped is gone once something was', () => {
  using window = Window.reserve(PAGE);
  using memory = pages(1, 3);
  window.bytes.fill(77);
  window.map(0, memory);
  window.unmap(0);
  assert.deepEqual(ends(window), [[0, 0]]);
});

test('views are inside, and end with the window', () => {
  const window = Window.reserve(2 * PAGE);
  const whole = window.bytes;
  const part = window.view(10, 20);
  assert.equal(window.bytes.buffer, whole.buffer);
  assert.deepEqual([part.length, window.view(2 * PAGE).length, window.view(0, 0).length], [20, 0, 0]);
  whole[10] = 5;
  assert.equal(part[0], 5);
  for (const [offset, length] of [
    [-1, 1],
    [0, 2 * PAGE + 1],
    [2 * PAGE + 1, 0],
    [1.5, 1],
    [PAGE, PAGE + 1],
  ])
    assert.throws(() => window.view(offset, length), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  window.close();
  window.close();
  assert.deepEqual([whole.length, part.length, window.closed, window.mappings], [0, 0, true, []]);
  using memory = pages(1);
  for (const call of [
    () => window.bytes,
    () => window.view(),
    () => window.map(0, memory),
    () => window.unmap(0),
  ])
    assert.throws(call, { code: 'ERR_SEALANE_CLOSED' });
});

test('places that overlap, lie outside, or begin inside of a page are refused', () => {
  using window = Window.reserve(6 * PAGE);
  using two = pages(2);
  window.map(2 * PAGE, two);
  const overlap = 'ERR_SEALANE_OVERLAP';
  for (const offset of [PAGE, 2 * PAGE, 3 * PAGE]) refuses(window, offset, two, {}, overlap, /unmap/);
  refuses(window, 3 * PAGE, two, { bytes: PAGE }, overlap);
  using four = pages(4);
  refuses(window, PAGE, four, {}, overlap);
  refuses(window, 5 * PAGE, two, {}, 'ERR_SEALANE_INVALID_ARGUMENT', /leave room for the \d+ bytes/);
  refuses(window, 6 * PAGE, two, {}, 'ERR_SEALANE_INVALID_ARGUMENT');
  refuses(window, 7 * PAGE, two, {}, 'ERR_SEALANE_INVALID_ARGUMENT');
  refuses(window, 100, two, {}, 'ERR_SEALANE_MISALIGNED', /page size/);
  window.map(0, two);
  window.map(4 * PAGE, two);
  assert.deepEqual(
    window.mappings.map(({ offset }) => offset / PAGE),
    [0, 2, 4],
  );
});

test('parts that reach beyond the object are refused, whatever the object says of its size', () => {
  using window = Window.reserve(8 * PAGE);
  using two = pages(2);
  const invalid = 'ERR_SEALANE_INVALID_ARGUMENT';
  refuses(window, 0, two, { bytes: 3 * PAGE }, invalid);
  refuses(window, 0, two, { objectOffset: PAGE, bytes: 2 * PAGE }, invalid);
  refuses(window, 0, two, { objectOffset: 2 * PAGE }, invalid);
  refuses(window, 0, two, { objectOffset: 1 }, 'ERR_SEALANE_MISALIGNED');
  refuses(window, 0, two, { bytes: 100 }, 'ERR_SEALANE_MISALIGNED');
  refuses(window, 0, two, { objectOffset: 2 ** 53 - 1 }, invalid);
  refuses(window, 0, two, { bytes: 2 ** 53 - 1 }, invalid);
  using empty = Memfd.sealed('empty', new Uint8Array(0));
  refuses(window, 0, empty, {}, invalid, /have bytes to map/);
  const mapping = window.map(0, { descriptor: two.fd, size: 2 ** 40, seals: 0 });
  assert.equal(mapping.bytes, 2 * PAGE);
});

test('memory that can shrink is refused, and so is what is no memory', () => {
  using window = Window.reserve(PAGE);
  const memory = (seals: number): Memfd => {
    const memfd = Memfd.create('unsealed', PAGE);
    memfd.seal(seals);
    return memfd;
  };
  refuses(window, 0, memory(0), {}, 'ERR_SEALANE_NOT_SEALED', /lacks the seals SHRINK/);
  refuses(window, 0, memory(SEAL_GROW), {}, 'ERR_SEALANE_NOT_SEALED');
  refuses(window, 0, { descriptor: memory(0).fd, size: PAGE, seals: 15 }, {}, 'ERR_SEALANE_NOT_SEALED');
  const path = join(folder, 'file');
  writeFileSync(path, new Uint8Array(PAGE));
  const file = openSync(path, 'r');
  const [socket, peer] = UnixSocket.pair();
  using readiness = Readiness.open();
  for (const [descriptor, kind] of [
    [file, /is a file, not a memfd/],
    [socket.fd, /is a socket/],
    [readiness.fd, /is an anonymous inode/],
    [openSync('/dev/zero', 'r'), /is a character device/],
    [openSync(folder, 'r'), /is a directory/],
  ] as const)
    refuses(window, 0, mappable(descriptor), {}, 'ERR_SEALANE_WRONG_DESCRIPTOR', kind);
  closeSync(file);
  refuses(window, 0, mappable(file), {}, 'ERR_SEALANE_SYSTEM', /EBADF/);
  socket.close();
  peer.close();
});

test('a mapping that the kernel refuses says why, with the kind of the descriptor, and leaves all as it was', () => {
  using window = Window.reserve(2 * PAGE);
  using other = pages(1, 9);
  window.map(PAGE, other);
  window.bytes[0] = 55;
  using blob = pages(1);
  const forbidden =
    / a memfd \(descriptor \d+\) for access 'read-write' failed: mmap: .*\(EPERM\); its seals forbid/;
  refuses(window, 0, blob, { access: 'read-write' }, 'ERR_SEALANE_SYSTEM', forbidden);
  using pool = SharedMemory.create('pool', PAGE, SEAL_FUTURE_WRITE | CONTROL_SEALS);
  refuses(window, 0, pool, { access: 'read-write' }, 'ERR_SEALANE_SYSTEM', /EPERM/);
  using memory = SharedMemory.create('shared', PAGE, CONTROL_SEALS);
  const readOnly = openSync(`/proc/self/fd/${memory.descriptor}`, 'r');
  refuses(window, 0, mappable(readOnly), { access: 'read-write' }, 'ERR_SEALANE_SYSTEM', /EACCES/);
  assert.equal(window.map(0, mappable(readOnly)).access, 'private');
  closeSync(readOnly);
});

test('the errors of the kernel carry its number', () => {
  using window = Window.reserve(PAGE);
  using blob = pages(1);
  const call = () => window.map(0, blob, { access: 'read-write' });
  assert.throws(call, { code: 'ERR_SEALANE_SYSTEM', errno: 1, errnoName: 'EPERM', syscall: 'mmap' });
});

test('a range without addresses for it, and one of no whole pages, are refused', () => {
  assert.throws(() => Window.reserve(2 ** 52), { code: 'ERR_SEALANE_EXHAUSTED' });
  assert.throws(() => Window.reserve(PAGE + 1), { code: 'ERR_SEALANE_MISALIGNED' });
  for (const bytes of [0, -PAGE, Number.NaN, 2 ** 53, '4096', undefined, 4096n, null])
    assert.throws(() => Window.reserve(bytes as number), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('arguments of the wrong kind are refused before anything happens', () => {
  using window = Window.reserve(2 * PAGE);
  using blob = pages(1);
  const invalid = 'ERR_SEALANE_INVALID_ARGUMENT';
  for (const offset of [-1, 0.5, Number.NaN, '0', null, undefined, 0n, {}])
    refuses(window, offset, blob, {}, invalid);
  for (const object of [null, undefined, 1, 'x', [], {}, { descriptor: '1' }, { descriptor: -1 }, new Map()])
    refuses(window, 0, object, {}, invalid);
  for (const access of ['write', 'rw', '', null, 1, {}, '__proto__'])
    refuses(window, 0, blob, { access }, invalid);
  for (const options of [null, 1, [], 'private', { acess: 'read' }, { populate: 1 }])
    refuses(window, 0, blob, options as object, invalid);
  for (const bytes of [0, -1, 0.5, '1', null, 1n]) {
    refuses(window, 0, blob, { bytes }, invalid);
    if (bytes !== 0) refuses(window, 0, blob, { objectOffset: bytes }, invalid);
  }
  window.map(0, blob);
  for (const offset of [PAGE, 1, -PAGE, '0', undefined, 2 * PAGE])
    assert.throws(() => window.unmap(offset as number), { code: invalid });
  assert.equal(window.mappings.length, 1);
});

test('an object that lies about its descriptor gets one look, and a closed one is told so', () => {
  using window = Window.reserve(PAGE);
  using good = pages(1);
  const [socket, peer] = UnixSocket.pair();
  let looks = 0;
  const liar = {
    get descriptor() {
      return looks++ === 0 ? good.fd : socket.fd;
    },
    size: PAGE,
    seals: 15,
  };
  window.map(0, liar);
  assert.deepEqual([looks, ends(window)], [1, [[1, 1]]]);
  window.unmap(0);
  const closed = pages(1);
  closed.close();
  refuses(window, 0, closed, {}, 'ERR_SEALANE_CLOSED');
  socket.close();
  peer.close();
});

test('what getters of arguments do is done before the first look at what they change', () => {
  const window = Window.reserve(4 * PAGE);
  using blob = pages(1);
  const mapping: MapOptions = {
    get bytes() {
      window.map(0, blob);
      return PAGE;
    },
  };
  assert.throws(() => window.map(0, blob, mapping), { code: 'ERR_SEALANE_OVERLAP' });
  // The number is that of another file now.
  const sealed = pages(1);
  const swapped: { memory?: Memfd } = {};
  const swapping: MapOptions = {
    get access() {
      sealed.close();
      swapped.memory = Memfd.create('swapped', PAGE);
      return 'private' as const;
    },
  };
  const { fd } = sealed;
  assert.throws(() => window.map(PAGE, mappable(fd), swapping), { code: 'ERR_SEALANE_NOT_SEALED' });
  assert.equal(swapped.memory?.fd, fd, 'the number was taken again');
  swapped.memory.close();
  const closing = {
    get descriptor() {
      window.close();
      return blob.fd;
    },
    size: PAGE,
    seals: 15,
  };
  assert.throws(() => window.map(PAGE, closing), { code: 'ERR_SEALANE_CLOSED' });
});

test('a thousand mappings lie beside each other, and nothing of them is left', () => {
  using window = Window.reserve(2_000 * PAGE);
  using blob = pages(1);
  for (let page = 1; page < 2_000; page += 2) window.map(page * PAGE, blob);
  assert.equal(mapped('pages'), 1_000);
  assert.equal(window.bytes.filter((byte) => byte !== 0).length, 1_000 * PAGE);
  const address = addressOf(window.bytes);
  assert.ok(mappingsIn(address, window.size) >= 2_000);
  for (const { offset } of window.mappings) window.unmap(offset);
  assert.equal(mapped('pages'), 0);
  assert.ok(mappingsIn(address, window.size) < 10);
  assert.equal(inspect(blob.fd).size, PAGE);
});

test('a mapping of an object elsewhere is not disturbed', () => {
  using window = Window.reserve(PAGE);
  using blob = pages(1);
  using mapping = Mapping.private(blob.fd, 0, PAGE);
  window.map(0, blob);
  window.bytes[0] = 9;
  window.unmap(0);
  assert.equal(mapping.bytes[0], 1);
});
