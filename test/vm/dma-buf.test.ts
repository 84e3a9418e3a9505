// DMA-BUFs of real exporters: what they are, what is mapped of them, and what is refused. Skipped where the kernel has no such devices.
import assert from 'node:assert/strict';
import { openSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { type CpuUse, DmaBuf } from 'sealane';
import {
  BLOB_SEALS,
  closeDescriptor,
  duplicate,
  inspect,
  kindOf,
  Mapping,
  Memfd,
  SEAL_SHRINK,
} from 'sealane/internal';
import { EXPORTERS, heap, needs, PAGE, udmabuf } from './devices.test.helper.js';

for (const exporter of EXPORTERS) {
  test(`a buffer of ${exporter.name} is recognised, and has its size`, needs(exporter), () => {
    using buffer = exporter.make(3 * PAGE);
    assert.equal(DmaBuf.is(buffer.fd), true);
    assert.deepEqual([buffer.size, buffer.seals, buffer.closed], [3 * PAGE, 0, false]);
    assert.equal(kindOf(inspect(buffer.fd)), 'a DMA-BUF');
    using again = DmaBuf.take(duplicate(buffer.fd));
    assert.equal(again.size, 3 * PAGE);
    assert.throws(() => Memfd.take(duplicate(buffer.fd)), { code: 'ERR_SEALANE_WRONG_DESCRIPTOR' });
  });

  test(
    `what is written into a buffer of ${exporter.name} shows in every mapping of it`,
    needs(exporter),
    () => {
      using buffer = exporter.make(2 * PAGE);
      using writer = buffer.map('read-write');
      using reader = buffer.map('read');
      assert.equal(writer.length, 2 * PAGE);
      {
        using _access = buffer.cpuAccess('write');
        writer.bytes.fill(42);
      }
      using _access = buffer.cpuAccess('read');
      assert.ok(reader.bytes.every((byte) => byte === 42));
    },
  );

  test(`a mapping of ${exporter.name} outlives its descriptor`, needs(exporter), () => {
    const buffer = exporter.make(PAGE);
    using mapping = buffer.map('read-write');
    buffer.close();
    mapping.bytes[5] = 7;
    assert.equal(mapping.bytes[5], 7);
  });

  test(
    `accesses to a buffer of ${exporter.name} may overlap, end once, and end with it`,
    needs(exporter),
    () => {
      const buffer = exporter.make(PAGE);
      const uses: CpuUse[] = ['read', 'write', 'read-write'];
      const accesses = uses.map((use) => buffer.cpuAccess(use));
      accesses[0]?.end();
      accesses[0]?.end();
      assert.throws(() => buffer.cpuAccess('rw' as CpuUse), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
      buffer.close();
      buffer.close();
      for (const access of accesses) access.end();
      assert.throws(() => buffer.cpuAccess('read'), { code: 'ERR_SEALANE_CLOSED' });
      assert.throws(() => buffer.map('read'), { code: 'ERR_SEALANE_CLOSED' });
    },
  );

  test(`1,000 accesses and 200 buffers of ${exporter.name} leave nothing behind`, needs(exporter), () => {
    const before = readdirSync('/proc/self/fd').length;
    {
      using buffer = exporter.make(PAGE);
      for (let count = 0; count < 1_000; count++) buffer.cpuAccess('read').end();
    }
    for (let count = 0; count < 200; count++) {
      using buffer = exporter.make(PAGE);
      using mapping = buffer.map('read-write');
      mapping.bytes[0] = 1;
    }
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });

  test(
    `one page beyond the end of a buffer of ${exporter.name} is refused by the kernel`,
    needs(exporter),
    () => {
      using buffer = exporter.make(PAGE);
      assert.throws(() => Mapping.shared(buffer.fd, 0, 2 * PAGE), {
        code: 'ERR_SEALANE_SYSTEM',
        errnoName: 'EINVAL',
      });
    },
  );
}

test('a heap rounds up to whole pages', needs(heap), () => {
  using buffer = DmaBuf.allocate(PAGE + 1, { heap: 'system' });
  assert.equal(buffer.size, 2 * PAGE);
  assert.ok(DmaBuf.heaps().includes('system'));
});

test('a heap hands out zeros', needs(heap), () => {
  using buffer = DmaBuf.allocate(16 * PAGE);
  using mapping = buffer.map('read');
  assert.ok(mapping.bytes.every((byte) => byte === 0));
});

test('udmabuf shows the pages of its memfd, from an offset on, both ways', needs(udmabuf), () => {
  using memory = Memfd.create('frame', 4 * PAGE);
  memory.seal(SEAL_SHRINK);
  using buffer = DmaBuf.fromMemory(memory, { offset: PAGE, bytes: 2 * PAGE });
  assert.equal(buffer.size, 2 * PAGE);
  using mapping = buffer.map('read-write');
  memory.write(Uint8Array.of(11), PAGE + 5);
  mapping.bytes[PAGE] = 12;
  const read = new Uint8Array(1);
  memory.read(read, 2 * PAGE);
  assert.deepEqual([mapping.bytes[5], read[0]], [11, 12]);
});

test('udmabuf refuses memory that can shrink or can never be written', needs(udmabuf), () => {
  for (const seals of [0, BLOB_SEALS]) {
    using memory = Memfd.create('refused', PAGE);
    memory.seal(seals);
    assert.throws(() => DmaBuf.fromMemory(memory), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EINVAL' });
  }
});

test('a descriptor of a buffer that was opened with O_PATH is refused', needs(heap), (t) => {
  using buffer = DmaBuf.allocate(PAGE);
  const O_PATH = 0o10000000;
  let fd: number;
  try {
    fd = openSync(`/proc/self/fd/${buffer.fd}`, O_PATH);
  } catch (error) {
    return t.skip(`this kernel opens no such descriptor: ${String(error)}`);
  }
  assert.throws(() => DmaBuf.take(fd), { code: 'ERR_SEALANE_WRONG_DESCRIPTOR', message: /O_PATH/ });
  assert.throws(() => closeDescriptor(fd), { code: 'ERR_SEALANE_INTERNAL' });
});
