// What doctor concludes from what a machine offers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Capabilities } from 'sealane/internal';
import { absentBroker, checkCapabilities, checkPlatform, type Finding, missingAddon } from './checks.js';

const GOOD: Capabilities = {
  kernelRelease: '6.18.0',
  libc: 'glibc',
  addonPath: '/x/sealane.node',
  pageSize: 4096,
  seals: { SEAL: true, SHRINK: true, GROW: true, WRITE: true, FUTURE_WRITE: true, EXEC: true },
  noexecSeal: true,
  peerPidfd: true,
  hugePages: { transparent: 'advise', explicit: false },
  descriptors: { soft: 20_000, hard: 20_000 },
  maxMapCount: 65_530,
  maxPacketBytes: 212_000,
  inotify: { maxInstances: 128, maxWatches: 65_536, maxQueuedEvents: 16_384 },
  runtimeDirectory: { path: '/run/user/0/sealane', exists: true, problem: undefined },
  digests: true,
  devices: {
    dmaHeaps: [{ path: '/dev/dma_heap/system', usable: true }],
    udmabuf: [{ path: '/dev/udmabuf', usable: true }],
    video: [{ path: '/dev/video0', usable: true }],
  },
};

function find(id: string, changes: Partial<Capabilities>): Finding {
  const found = checkCapabilities({ ...GOOD, ...changes }).find((finding) => finding.id === id);
  assert.ok(found, id);
  return found;
}

test('a machine with everything is all right', () => {
  const findings = [...checkPlatform('linux', 'x64', '6.18.0', 'v20.20.2'), ...checkCapabilities(GOOD)];
  assert.deepEqual(
    findings.filter(({ state }) => state !== 'ok'),
    [],
  );
});

test('what nothing works without is essential', () => {
  const broken = [
    ...checkPlatform('darwin', 'arm64', '24', 'v18.0.0'),
    missingAddon('no addon'),
    find('seals', { seals: { ...GOOD.seals, WRITE: false } }),
    find('packets', { maxPacketBytes: 1000 }),
    find('directory', { runtimeDirectory: { path: '/x', exists: true, problem: 'has mode 0777' } }),
  ];
  for (const { id, state, essential } of broken) assert.deepEqual([state, essential], ['missing', true], id);
});

test('what is less than it could be is limited, and everything but ok says what follows and what to do', () => {
  const less = [
    find('seals', { seals: { ...GOOD.seals, FUTURE_WRITE: false } }),
    find('kernel-features', { peerPidfd: false }),
    find('huge-pages', { hugePages: { transparent: 'never', explicit: false } }),
    find('huge-pages', { hugePages: { transparent: undefined, explicit: false } }),
    find('descriptors', { descriptors: { soft: 1024, hard: 4096 } }),
    find('descriptors', { descriptors: { soft: 1024, hard: 1024 } }),
    find('mappings', { maxMapCount: 1000 }),
    find('inotify', { inotify: { ...GOOD.inotify, maxInstances: 8 } }),
  ];
  for (const { id, state } of less) assert.equal(state, 'limited', id);
  const rest = [
    find('digests', { digests: false }),
    absentBroker('/x.sock', 'no broker', 'start one'),
    missingAddon('none'),
  ];
  for (const { id, follows, remedy } of [...less, ...rest]) assert.ok(follows && remedy, id);
});

test('devices are found, not for this user, or not there, and nothing essential', () => {
  const none = { dmaHeaps: [], udmabuf: [], video: [] };
  const others = {
    dmaHeaps: [{ path: '/dev/dma_heap/system', usable: false }],
    udmabuf: [{ path: '/dev/udmabuf', usable: false }],
    video: [
      { path: '/dev/video0', usable: false },
      { path: '/dev/video1', usable: false },
    ],
  };
  for (const id of ['dma-heaps', 'udmabuf', 'video']) {
    const [missing, limited] = [find(id, { devices: none }), find(id, { devices: others })];
    assert.deepEqual([missing.state, missing.found, missing.essential], ['missing', 'none', false]);
    assert.deepEqual([limited.state, limited.essential], ['limited', false]);
    for (const { follows, remedy } of [missing, limited]) assert.ok(follows && remedy, id);
  }
  assert.equal(
    find('video', { devices: others }).found,
    '/dev/video0 (not for this user), /dev/video1 (not for this user)',
  );
  const [first = { path: '', usable: false }, second = first] = others.video;
  const some = { ...others, video: [first, { ...second, usable: true }] };
  assert.equal(find('video', { devices: some }).state, 'ok');
});

test('limits that do not exist are told as such', () => {
  const limits = { soft: Number.POSITIVE_INFINITY, hard: Number.POSITIVE_INFINITY };
  assert.equal(find('descriptors', { descriptors: limits }).found, 'unlimited (hard limit unlimited)');
});
