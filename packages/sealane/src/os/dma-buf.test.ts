/** What of DMA-BUFs can be tried without a device: what is none, and what is refused. With devices: test/vm. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { addon } from '../native/addon.js';
import { duplicate, inspect, kindOf, SEAL_SHRINK } from './descriptor.js';
import { DmaBuf, type DmaHeapOptions, dmaBufSize, type UdmabufOptions } from './dma-buf.js';
import type { Mappable } from './mappable.js';
import { Memfd } from './memfd.js';
import { pageSize } from './page-size.js';
import { Readiness } from './readiness.js';
import { UnixSocket } from './unix-socket.js';

const PAGE = pageSize();
const folder = mkdtempSync(join(tmpdir(), 'sealane-dma-buf-'));
after(() => rmSync(folder, { recursive: true }));

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test('a file that is named like a DMA-BUF, memory, and a socket are none', () => {
  // As /proc/self/fd shows a DMA-BUF.
  const path = join(folder, 'dmabuf:frame');
  writeFileSync(path, new Uint8Array(PAGE));
  const file = openSync(path, 'r+');
  using memory = Memfd.create('dmabuf:frame', PAGE);
  using readiness = Readiness.open();
  const [socket, peer] = UnixSocket.pair();
  for (const [fd, kind] of [
    [file, 'a file'],
    [memory.fd, 'a memfd'],
    [readiness.fd, 'an anonymous inode'],
    [socket.fd, 'a socket'],
  ] as const) {
    assert.equal(DmaBuf.is(fd), false);
    assert.ok(kindOf(inspect(fd)).startsWith(kind));
    const before = descriptors();
    const message = new RegExp(`^descriptor \\d+ is ${kind}.*, not a DMA-BUF`);
    assert.throws(() => DmaBuf.take(duplicate(fd)), { code: 'ERR_SEALANE_WRONG_DESCRIPTOR', message });
    assert.equal(descriptors(), before, 'what was refused is closed');
  }
  closeSync(file);
  socket.close();
  peer.close();
});

test('the file system alone makes a descriptor a DMA-BUF: of what is said to be one, the kernel is asked for the size', () => {
  using memory = Memfd.create('said', 3 * PAGE);
  const said = { ...inspect(memory.fd), fileSystem: 0x444d4142 };
  assert.equal(kindOf(said), 'a DMA-BUF');
  assert.equal(dmaBufSize(memory.fd, said, 'it'), 3 * PAGE);
  assert.throws(() => dmaBufSize(memory.fd, { ...said, accessMode: 'path' }, 'it'), {
    code: 'ERR_SEALANE_WRONG_DESCRIPTOR',
    message: 'it was opened with O_PATH',
  });
});

test('descriptors that are none are refused', () => {
  const fd = openSync('/dev/null', 'r');
  closeSync(fd);
  assert.throws(() => DmaBuf.is(fd), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EBADF' });
  assert.throws(() => DmaBuf.take(fd), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EBADF' });
  for (const junk of [-1, 0.5, '0', null, undefined, {}, 2 ** 31]) {
    assert.throws(() => DmaBuf.is(junk as number), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
    assert.throws(() => DmaBuf.take(junk as number), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  }
});

test('a heap that is not there is an error with its path and the heaps that are', () => {
  const before = descriptors();
  assert.throws(() => DmaBuf.allocate(PAGE, { heap: 'none-of-this-name' }), {
    code: 'ERR_SEALANE_SYSTEM',
    errnoName: 'ENOENT',
    syscall: 'open',
    message: /from \/dev\/dma_heap\/none-of-this-name \(heaps of this machine: .+\) failed/,
  });
  assert.equal(descriptors(), before);
  assert.deepEqual(DmaBuf.heaps(), existsSync('/dev/dma_heap') ? readdirSync('/dev/dma_heap').sort() : []);
});

test('a device that makes no DMA-BUFs refuses, and is closed', () => {
  const before = descriptors();
  using memory = Memfd.create('pages', PAGE);
  assert.throws(() => addon().dmaHeapAllocate('/dev/null', PAGE), { code: 'ENOTTY', syscall: 'ioctl' });
  assert.throws(() => addon().udmabufMake('/dev/null', memory.fd, 0, PAGE), {
    code: 'ENOTTY',
    syscall: 'ioctl',
  });
  assert.throws(() => addon().dmaBufSync(memory.fd, 1), { code: 'ENOTTY', syscall: 'ioctl' });
  assert.equal(descriptors(), before + 1);
});

test('without udmabuf its making is an error that names the device', (t) => {
  if (existsSync('/dev/udmabuf')) return t.skip('this machine has udmabuf');
  using memory = Memfd.create('pages', PAGE);
  memory.seal(SEAL_SHRINK);
  assert.throws(() => DmaBuf.fromMemory(memory), {
    code: 'ERR_SEALANE_SYSTEM',
    errnoName: 'ENOENT',
    message: /\/dev\/udmabuf/,
  });
});

test('arguments of the wrong kind are refused', () => {
  const invalid = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
  for (const bytes of [0, -1, 0.5, 2 ** 53, '1', null, undefined, 1n])
    assert.throws(() => DmaBuf.allocate(bytes as number), invalid);
  for (const heap of ['', '.', '..', '../udmabuf', 'a/b', '/dev/null', 'x\0', 'x'.repeat(256), 1, null, {}])
    assert.throws(() => DmaBuf.allocate(PAGE, { heap } as DmaHeapOptions), invalid);
  for (const options of [null, 1, [], { heaps: 'system' }])
    assert.throws(() => DmaBuf.allocate(PAGE, options as DmaHeapOptions), invalid);
  using memory = Memfd.create('pages', 4 * PAGE);
  for (const object of [null, undefined, 1, {}, { descriptor: -1 }])
    assert.throws(() => DmaBuf.fromMemory(object as Mappable), invalid);
  for (const offset of [-PAGE, 4 * PAGE, 0.5, '0', null])
    assert.throws(() => DmaBuf.fromMemory(memory, { offset } as UdmabufOptions), invalid);
  for (const bytes of [0, 5 * PAGE, 2 ** 53, '1', null])
    assert.throws(() => DmaBuf.fromMemory(memory, { bytes } as UdmabufOptions), invalid);
  assert.throws(() => DmaBuf.fromMemory(memory, { offset: PAGE, bytes: 4 * PAGE }), invalid);
  for (const options of [{ offset: 1 }, { bytes: 1 }, { offset: PAGE, bytes: PAGE + 1 }])
    assert.throws(() => DmaBuf.fromMemory(memory, options), { code: 'ERR_SEALANE_MISALIGNED' });
});
