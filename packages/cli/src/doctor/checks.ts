/** What doctor looks at, and what follows from what it finds. Pure: capabilities in, findings out. */
import type { BrokerStatus } from 'sealane';
import { type Capabilities, type DeviceFile, MAX_PACKET_BYTES } from 'sealane/internal';
import { formatBytes, formatCount, formatDuration } from '../terminal/units.js';

/** One line of doctor's report. */
export interface Finding {
  /** A stable word for scripts. */
  id: string;
  title: string;
  /** ok: as it should be. limited: works, with less. missing: not there. */
  state: 'ok' | 'limited' | 'missing';
  /** What was found. */
  found: string;
  /** What follows from it; absent when all is well. */
  follows?: string;
  /** What to do about it. */
  remedy?: string;
  /** Whether nothing works without it. */
  essential: boolean;
}

/** The seals without which a blob is not immutable. */
const BLOB_SEALS = ['SEAL', 'SHRINK', 'GROW', 'WRITE'];
/** The oldest Node.js that Sealane is tested with. */
const MIN_NODE_MAJOR = 20;
/** Fewer descriptors than this leave a broker less than 3,000 objects. */
const COMFORTABLE_DESCRIPTORS = 4_096;
/** The kernel's default. */
const COMFORTABLE_MAPPINGS = 65_530;
/** The kernel's usual default. */
const COMFORTABLE_INOTIFY_INSTANCES = 128;
/** Settings of shmem_enabled under which large objects can get large pages. */
const HUGE_PAGE_SETTINGS = ['always', 'within_size', 'advise', 'force'];

const ARCHITECTURES = ['x64', 'arm64'];

type Problem = Pick<Finding, 'state' | 'follows' | 'remedy'>;

const OLD_NODE: Problem = {
  state: 'missing',
  follows: 'Sealane is not tested with it',
  remedy: 'install Node.js 20 or later',
};

const FOREIGN_SYSTEM: Problem = {
  state: 'missing',
  follows: 'Sealane does not run here',
  remedy: 'use Linux on x86-64 or arm64',
};

function finding(id: string, title: string, found: string, problem?: Problem, essential = false): Finding {
  return { id, title, found, essential, ...(problem ?? { state: 'ok' }) };
}

/** The runtime and the system; they can be told without the addon. */
export function checkPlatform(
  platform: string,
  arch: string,
  kernel: string,
  nodeVersion: string,
): Finding[] {
  const old = Number(nodeVersion.slice(1).split('.')[0]) < MIN_NODE_MAJOR;
  const foreign = platform !== 'linux' || !ARCHITECTURES.includes(arch);
  const system = `${platform} ${kernel} ${arch}`;
  return [
    finding('node', 'Node.js', nodeVersion, old ? OLD_NODE : undefined, true),
    finding('system', 'System', system, foreign ? FOREIGN_SYSTEM : undefined, true),
  ];
}

/** Everything that the addon found out. */
export function checkCapabilities(capabilities: Capabilities): Finding[] {
  return [
    finding('addon', 'Native addon', capabilities.addonPath, undefined, true),
    checkSeals(capabilities),
    checkNewKernel(capabilities),
    checkDigests(capabilities),
    checkHugePages(capabilities),
    checkDescriptors(capabilities),
    checkMappings(capabilities),
    checkPackets(capabilities),
    checkInotify(capabilities),
    checkDirectory(capabilities),
    checkDmaHeaps(capabilities),
    checkUdmabuf(capabilities),
    checkVideo(capabilities),
  ];
}

/** The addon could not be loaded: the reason is the message. */
export function missingAddon(message: string): Finding {
  const follows = 'nothing but the help works';
  const remedy = 'reinstall the package, or build the addon: node scripts/build-addon.mjs';
  return finding('addon', 'Native addon', message, { state: 'missing', follows, remedy }, true);
}

function checkSeals({ seals }: Capabilities): Finding {
  const known = Object.keys(seals).filter((name) => seals[name]);
  const missing = BLOB_SEALS.filter((name) => !seals[name]);
  const found = known.join(' ') || 'none';
  if (missing.length > 0) {
    const follows = `objects can't be made immutable (no ${missing.join(', ')})`;
    return finding(
      'seals',
      'Seals',
      found,
      { state: 'missing', follows, remedy: 'use Linux 3.17 or later' },
      true,
    );
  }
  if (seals.FUTURE_WRITE) return finding('seals', 'Seals', found, undefined, true);
  const follows = 'memory pools that only their publisher writes are not possible; objects are';
  return finding(
    'seals',
    'Seals',
    found,
    { state: 'limited', follows, remedy: 'use Linux 5.1 or later' },
    true,
  );
}

function checkNewKernel({ noexecSeal, peerPidfd }: Capabilities): Finding {
  const found = `non-executable memory: ${yesNo(noexecSeal)}, SO_PEERPIDFD: ${yesNo(peerPidfd)}`;
  if (noexecSeal && peerPidfd) return finding('kernel-features', 'Newer kernel', found);
  const follows = 'hardening that newer kernels offer is left out; everything works';
  return finding('kernel-features', 'Newer kernel', found, {
    state: 'limited',
    follows,
    remedy: 'use Linux 6.5 or later',
  });
}

function checkDigests({ digests }: Capabilities): Finding {
  if (digests) return finding('digests', 'Digests', 'SHA-256 by the OpenSSL inside Node.js');
  const follows = 'digests and content-addressed objects are not possible';
  const remedy = 'use an official build of Node.js';
  return finding('digests', 'Digests', 'this Node.js exports no OpenSSL', {
    state: 'missing',
    follows,
    remedy,
  });
}

function checkHugePages({ hugePages, pageSize }: Capabilities): Finding {
  const setting = hugePages.transparent ?? 'unknown';
  const found = `transparent for shared memory: ${setting}, reserved: ${yesNo(hugePages.explicit)}`;
  if (HUGE_PAGE_SETTINGS.includes(setting)) return finding('huge-pages', 'Huge pages', found);
  const follows = `large objects consist of ${formatBytes(pageSize)} pages, each of which costs a fault when it is touched first`;
  const remedy = 'optional: echo advise | sudo tee /sys/kernel/mm/transparent_hugepage/shmem_enabled';
  return finding('huge-pages', 'Huge pages', found, { state: 'limited', follows, remedy });
}

function checkDescriptors({ descriptors: { soft, hard } }: Capabilities): Finding {
  const found = `${formatLimit(soft)} (hard limit ${formatLimit(hard)})`;
  if (soft >= COMFORTABLE_DESCRIPTORS) return finding('descriptors', 'Descriptors', found);
  const follows = 'each object takes one in the broker, so it holds few objects';
  const remedy =
    soft < hard
      ? `ulimit -n ${formatLimit(hard)}`
      : 'raise nofile in /etc/security/limits.conf, or LimitNOFILE of the service';
  return finding('descriptors', 'Descriptors', found, { state: 'limited', follows, remedy });
}

function checkMappings({ maxMapCount }: Capabilities): Finding {
  const found = maxMapCount === undefined ? 'unknown' : `${maxMapCount} in one process`;
  if (maxMapCount === undefined || maxMapCount >= COMFORTABLE_MAPPINGS)
    return finding('mappings', 'Mappings', found);
  const follows = 'a process can hold views of few objects at once';
  const remedy = `sudo sysctl vm.max_map_count=${COMFORTABLE_MAPPINGS}`;
  return finding('mappings', 'Mappings', found, { state: 'limited', follows, remedy });
}

function checkPackets({ maxPacketBytes }: Capabilities): Finding {
  const found = `up to ${formatBytes(maxPacketBytes)}`;
  if (maxPacketBytes >= MAX_PACKET_BYTES) return finding('packets', 'Socket packets', found, undefined, true);
  const follows = `requests may have ${formatBytes(MAX_PACKET_BYTES)}`;
  const remedy = 'sudo sysctl net.core.wmem_default=212992';
  return finding('packets', 'Socket packets', found, { state: 'missing', follows, remedy }, true);
}

function checkInotify({ inotify: { maxInstances } }: Capabilities): Finding {
  const found = maxInstances === undefined ? 'unknown' : `${maxInstances} instances for a user`;
  if (maxInstances !== undefined && maxInstances >= COMFORTABLE_INOTIFY_INSTANCES)
    return finding('inotify', 'inotify', found);
  const follows = 'processes beyond them look for changes in intervals';
  const remedy = `sudo sysctl fs.inotify.max_user_instances=${COMFORTABLE_INOTIFY_INSTANCES * 8}`;
  return finding('inotify', 'inotify', found, { state: 'limited', follows, remedy });
}

function checkDirectory({ runtimeDirectory: { path, exists, problem } }: Capabilities): Finding {
  if (problem === undefined) {
    return finding(
      'directory',
      'Runtime directory',
      exists ? path : `${path} (made when a broker starts)`,
      undefined,
      true,
    );
  }
  const follows = 'no broker starts at the default place';
  const remedy = 'correct it, or choose another with $SEALANE_DIR or --socket';
  return finding(
    'directory',
    'Runtime directory',
    `${path} ${problem}`,
    { state: 'missing', follows, remedy },
    true,
  );
}

function checkDmaHeaps({ devices: { dmaHeaps } }: Capabilities): Finding {
  return checkDevices('dma-heaps', 'DMA heaps', dmaHeaps, {
    follows: 'DmaBuf.allocate has nothing to allocate from; DMA-BUFs of other devices work',
    remedy: 'optional: use a kernel with CONFIG_DMABUF_HEAPS_SYSTEM',
  });
}

function checkUdmabuf({ devices: { udmabuf } }: Capabilities): Finding {
  return checkDevices('udmabuf', 'udmabuf', udmabuf, {
    follows: 'DmaBuf.fromMemory makes no DMA-BUF of memory',
    remedy: 'optional: sudo modprobe udmabuf',
  });
}

function checkVideo({ devices: { video } }: Capabilities): Finding {
  return checkDevices('video', 'Video devices', video, {
    follows: 'V4l2Source has no camera',
    remedy: "optional: connect one, or try the kernel's own: sudo modprobe vivid",
  });
}

/** Devices that only who works with frames needs; `without`: what it means that there is none. */
function checkDevices(
  id: string,
  title: string,
  devices: readonly DeviceFile[],
  without: Omit<Problem, 'state'>,
): Finding {
  const found = devices.map(({ path, usable }) => (usable ? path : `${path} (not for this user)`)).join(', ');
  if (devices.length === 0) return finding(id, title, 'none', { state: 'missing', ...without });
  if (devices.some(({ usable }) => usable)) return finding(id, title, found);
  const remedy = `have this user added to the group that ls -l ${devices[0]?.path} shows, if it has one`;
  return finding(id, title, found, { state: 'limited', follows: 'this user can not open them', remedy });
}

/** A broker that answered. */
export function presentBroker(
  socket: string,
  { pid, version, objects, bytes, connections, uptimeMs }: BrokerStatus,
): Finding {
  const content = [
    formatCount(objects, 'object'),
    formatBytes(bytes),
    formatCount(connections, 'connection'),
  ].join(', ');
  return finding(
    'broker',
    'Broker',
    `${socket}: version ${version}, process ${pid}, up ${formatDuration(uptimeMs)}, ${content}`,
  );
}

/** A broker that did not. It is nothing that the machine lacks. */
export function absentBroker(socket: string, message: string, remedy: string): Finding {
  const follows = 'put, get and the like need one; an application may embed its own';
  return finding('broker', 'Broker', message.includes(socket) ? message : `${socket}: ${message}`, {
    state: 'missing',
    follows,
    remedy,
  });
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

function formatLimit(limit: number): string {
  return Number.isFinite(limit) ? String(limit) : 'unlimited';
}
