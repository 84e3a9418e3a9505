/**
 * What this machine offers to Sealane, for people who look for the reason of a failure. Owns nothing, and leaves nothing
 * behind: what can be tried out is tried out, the rest is read from /proc and /sys.
 */
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { isSealaneError } from '../base/errors.js';
import { addon, addonPath, type LibcKind, libcKind } from '../native/addon.js';
import { SEAL_NAMES } from './descriptor.js';
import { type Devices, findDevices } from './devices.js';
import { sharedHugePages } from './huge-pages.js';
import { Memfd } from './memfd.js';
import {
  checkRuntimeDirectory,
  type RuntimeDirectoryState,
  runtimeDirectoryPath,
} from './runtime-directory.js';
import { Sha256 } from './sha256.js';
import { isNativeError } from './system-error.js';
import { UnixSocket } from './unix-socket.js';

/** What was found. Undefined numbers and texts: the kernel does not say. */
export interface Capabilities {
  /** As `uname -r` says. */
  readonly kernelRelease: string;
  readonly libc: LibcKind;
  /** The file that the native addon was loaded from. */
  readonly addonPath: string;
  /** Bytes of a page of memory. */
  readonly pageSize: number;
  /** Whether each seal, by its name without F_SEAL_, could be set on a memfd. */
  readonly seals: Readonly<Record<string, boolean>>;
  /** Whether memfds can be made without the right to be executed (Linux 6.3). */
  readonly noexecSeal: boolean;
  /** Whether the kernel names a peer process by a descriptor, SO_PEERPIDFD (Linux 6.5). */
  readonly peerPidfd: boolean;
  readonly hugePages: HugePages;
  /** RLIMIT_NOFILE of this process: most descriptors. Infinity: no limit. */
  readonly descriptors: { readonly soft: number; readonly hard: number };
  /** vm.max_map_count: most mappings of one process. */
  readonly maxMapCount: number | undefined;
  /** Bytes of the largest packet that a Unix socket of type SOCK_SEQPACKET takes. */
  readonly maxPacketBytes: number;
  readonly inotify: InotifyLimits;
  readonly runtimeDirectory: RuntimeDirectoryState;
  /** Whether this Node.js exports the OpenSSL functions that digests need. */
  readonly digests: boolean;
  /** What makes DMA-BUFs, and records pictures. */
  readonly devices: Devices;
}

/** Large pages for shared memory. */
export interface HugePages {
  /** The setting in /sys/kernel/mm/transparent_hugepage/shmem_enabled: never, advise, within_size, always, ... */
  readonly transparent: string | undefined;
  /** Whether a memfd with MFD_HUGETLB can be made and mapped: the kernel has such pages reserved. */
  readonly explicit: boolean;
}

/** Limits of inotify for one user, /proc/sys/fs/inotify. */
export interface InotifyLimits {
  readonly maxInstances: number | undefined;
  readonly maxWatches: number | undefined;
  readonly maxQueuedEvents: number | undefined;
}

/** Flags of memfd_create(2). */
const MFD_NOEXEC_SEAL = 8;
const MFD_HUGETLB = 4;

/** Finds out. Takes some milliseconds. Throws ERR_SEALANE_UNSUPPORTED_PLATFORM where the addon can't be loaded. */
export function readCapabilities(): Capabilities {
  const native = addon();
  native.readLimits();
  const [soft, hard, pageSize] = native.scratch as unknown as [number, number, number];
  return {
    kernelRelease: release(),
    libc: libcKind(),
    addonPath: addonPath(),
    pageSize,
    seals: trySeals(),
    noexecSeal: native.tryMemfdFlags(MFD_NOEXEC_SEAL) === 0,
    peerPidfd: native.tryPeerPidfd(),
    hugePages: { transparent: sharedHugePages(), explicit: native.tryMemfdFlags(MFD_HUGETLB) === 0 },
    descriptors: { soft, hard },
    maxMapCount: readNumber('/proc/sys/vm/max_map_count'),
    maxPacketBytes: tryPackets(),
    inotify: readInotifyLimits(),
    runtimeDirectory: checkRuntimeDirectory(runtimeDirectoryPath()),
    digests: tryDigest(),
    devices: findDevices(),
  };
}

function trySeals(): Record<string, boolean> {
  const seals: Record<string, boolean> = {};
  for (const [seal, name] of SEAL_NAMES) seals[name] = trySeal(seal);
  return seals;
}

function trySeal(seal: number): boolean {
  using memfd = Memfd.create('sealane-trial', 1);
  try {
    memfd.seal(seal);
  } catch (error) {
    if (isSealaneError(error, 'ERR_SEALANE_SYSTEM')) return false;
    throw error;
  }
  return (memfd.seals & seal) !== 0;
}

/** Sends ever closer to the limit, between a size that always works and one that none allows. */
function tryPackets(): number {
  const [sender, receiver] = UnixSocket.pair();
  using _sender = sender;
  using _receiver = receiver;
  let works = 1;
  let fails = 64 * 1_048_576;
  const packet = new Uint8Array(fails);
  const into = new Uint8Array(1);
  while (fails - works > 1) {
    const bytes = Math.floor((works + fails) / 2);
    if (trySend(sender, packet.subarray(0, bytes))) {
      works = bytes;
      receiver.receive(into);
    } else {
      fails = bytes;
    }
  }
  return works;
}

/** Whether the packet was sent: not when it is too large, and not when the kernel has no memory for one of that size. */
function trySend(sender: UnixSocket, packet: Uint8Array): boolean {
  try {
    return sender.send(packet) === 'sent';
  } catch (error) {
    if (isSealaneError(error) && isNativeError(error.cause)) return false;
    throw error;
  }
}

function tryDigest(): boolean {
  try {
    Sha256.create()[Symbol.dispose]();
    return true;
  } catch (error) {
    if (isSealaneError(error, 'ERR_SEALANE_UNSUPPORTED_PLATFORM')) return false;
    throw error;
  }
}

function readInotifyLimits(): InotifyLimits {
  return {
    maxInstances: readNumber('/proc/sys/fs/inotify/max_user_instances'),
    maxWatches: readNumber('/proc/sys/fs/inotify/max_user_watches'),
    maxQueuedEvents: readNumber('/proc/sys/fs/inotify/max_queued_events'),
  };
}

function readNumber(path: string): number | undefined {
  const text = readText(path)?.trim();
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

function readText(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'latin1') : undefined;
}
