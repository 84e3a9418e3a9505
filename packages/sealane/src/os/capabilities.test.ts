/** What is found out about this machine agrees with what this machine does. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { test } from 'node:test';
import { readCapabilities } from './capabilities.js';
import { SEAL_EXEC } from './descriptor.js';
import { DmaBuf } from './dma-buf.js';
import { Memfd } from './memfd.js';
import { UnixSocket } from './unix-socket.js';

test('limits are those of the process, as /proc shows them', () => {
  const { soft, hard } = readCapabilities().descriptors;
  const text = (limit: number): string => (limit === Number.POSITIVE_INFINITY ? 'unlimited' : String(limit));
  const line = readFileSync('/proc/self/limits', 'latin1').match(/Max open files +(\S+) +(\S+)/);
  assert.deepEqual(line?.slice(1), [text(soft), text(hard)]);
});

test('the page size is that of the system', () => {
  assert.equal(
    readCapabilities().pageSize,
    Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' })),
  );
});

test('the four seals of a blob are there, by name', () => {
  const { seals } = readCapabilities();
  assert.deepEqual([seals.SEAL, seals.SHRINK, seals.GROW, seals.WRITE], [true, true, true, true]);
  assert.deepEqual(Object.keys(seals), ['SEAL', 'SHRINK', 'GROW', 'WRITE', 'FUTURE_WRITE', 'EXEC']);
});

test('memfds carry the seal against execution where the kernel knows it', () => {
  using memfd = Memfd.create('noexec');
  assert.equal((memfd.seals & SEAL_EXEC) !== 0, readCapabilities().noexecSeal);
});

test('the largest packet can be sent, and one byte more can not', () => {
  const { maxPacketBytes } = readCapabilities();
  const [one, two] = UnixSocket.pair();
  assert(maxPacketBytes >= 65_536);
  assert.throws(() => one.send(Buffer.alloc(maxPacketBytes + 1)));
  assert.equal(one.send(Buffer.alloc(maxPacketBytes)), 'sent');
  one.close();
  two.close();
});

test('devices are the files in /dev, and usable where they can be opened', () => {
  const { dmaHeaps, udmabuf, video } = readCapabilities().devices;
  assert.deepEqual(
    dmaHeaps.map(({ path }) => path.replace('/dev/dma_heap/', '')),
    DmaBuf.heaps(),
  );
  assert.equal(udmabuf.length, existsSync('/dev/udmabuf') ? 1 : 0);
  const names = readdirSync('/dev').filter((name) => /^video\d+$/.test(name));
  assert.deepEqual(new Set(video.map(({ path }) => path)), new Set(names.map((name) => `/dev/${name}`)));
  for (const { path, usable } of [...dmaHeaps, ...udmabuf, ...video])
    assert.equal(spawnSync('test', ['-r', path, '-a', '-w', path]).status === 0, usable, path);
});

test('the rest is filled in, and nothing stays open', () => {
  readCapabilities();
  const before = readdirSync('/proc/self/fd').length;
  const found = readCapabilities();
  assert.equal(readdirSync('/proc/self/fd').length, before);
  assert.equal(found.kernelRelease, release());
  assert(['glibc', 'musl'].includes(found.libc));
  assert(existsSync(found.addonPath));
  assert.equal(found.digests, true);
  assert.equal(typeof found.peerPidfd, 'boolean');
  assert.equal(typeof found.hugePages.explicit, 'boolean');
  assert((found.maxMapCount ?? 0) > 0);
  assert((found.inotify.maxInstances ?? 0) > 0);
  assert(found.runtimeDirectory.path.startsWith('/'));
});
