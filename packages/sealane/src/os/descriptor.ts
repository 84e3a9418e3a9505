/**
 * Descriptors as bare numbers: what they are, their duplicates, their end, and the check that makes a received one a blob.
 * Owns nothing itself. Trusts no descriptor: whoever sent it chose its kind, its size and its seals.
 */
import { assert } from '../base/assert.js';
import { SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { systemError } from './system-error.js';

/** F_SEAL_SEAL: the seals can't change any more. */
export const SEAL_SEAL = 1;
/** F_SEAL_SHRINK: the size can't become smaller. */
export const SEAL_SHRINK = 2;
/** F_SEAL_GROW: the size can't become larger. */
export const SEAL_GROW = 4;
/** F_SEAL_WRITE: the content can't change. */
export const SEAL_WRITE = 8;
/** F_SEAL_FUTURE_WRITE: nobody can make a new writable mapping; one that exists stays writable. */
export const SEAL_FUTURE_WRITE = 16;
/** F_SEAL_EXEC: the executable bits can't change. */
export const SEAL_EXEC = 32;
/** The seals that make a memfd immutable. Others may be there as well. */
export const BLOB_SEALS = SEAL_SEAL | SEAL_SHRINK | SEAL_GROW | SEAL_WRITE;

/**
 * The seals of memory that one process writes and others read: the size is fixed, and the writable mapping that was made before the
 * seals stays the only one.
 */
export const POOL_SEALS = SEAL_SEAL | SEAL_SHRINK | SEAL_GROW | SEAL_FUTURE_WRITE;
/** The seals of memory that two processes write: neither can cut it off under the other. */
export const CONTROL_SEALS = SEAL_SEAL | SEAL_SHRINK | SEAL_GROW;

/** Names of single seals, for messages. */
export const SEAL_NAMES: ReadonlyMap<number, string> = new Map([
  [SEAL_SEAL, 'SEAL'],
  [SEAL_SHRINK, 'SHRINK'],
  [SEAL_GROW, 'GROW'],
  [SEAL_WRITE, 'WRITE'],
  [SEAL_FUTURE_WRITE, 'FUTURE_WRITE'],
  [SEAL_EXEC, 'EXEC'],
]);

/** TMPFS_MAGIC of statfs(2): an ordinary memfd. Huge-page memory is hugetlbfs, and a peer can make it fault. */
const TMPFS = 0x01021994;

/** HUGETLBFS_MAGIC of statfs(2). */
const HUGETLBFS = 0x958458f6;

/** DMA_BUF_MAGIC of statfs(2). */
const DMA_BUF = 0x444d4142;

/** Bytes of the largest page that memory is handed out in without anybody asking for huge ones: arm64 can have pages of 64 KiB. */
const LARGEST_PAGE = 65_536;

/** The types of files, S_IFMT of inode(7). */
const TYPES: ReadonlyMap<number, string> = new Map([
  [0o100000, 'a file'],
  [0o010000, 'a pipe'],
  [0o140000, 'a socket'],
  [0o020000, 'a character device'],
  [0o060000, 'a block device'],
  [0o040000, 'a directory'],
  [0o120000, 'a symbolic link'],
]);

const REGULAR = 0o100000;

/** What a descriptor is. */
export interface DescriptorInfo {
  /** Size in bytes, at most 2^53-1. */
  size: number;
  /** f_type of statfs(2), asked only of what supports seals or has no type; -1 for the rest, whose file system may never answer. */
  fileSystem: number;
  /** The seals as a bit mask, or -1 where the file supports none. */
  seals: number;
  /** What the descriptor allows; `path` for O_PATH, which allows nothing. */
  accessMode: 'r' | 'w' | 'rw' | 'path';
  /** Its type for people: 'a file', 'a pipe', 'a socket' ... */
  type: string;
  /** Whether it is a regular file; a memfd is one. */
  regular: boolean;
  /** With `inode`, names the file; a bigint only where it exceeds 2^53-1. */
  device: number | bigint;
  /** With `device`, names the file; a bigint only where it exceeds 2^53-1. */
  inode: number | bigint;
  /** Memory or disk space that it takes, in bytes; less than the size where it is sparse. */
  allocatedBytes: number;
}

const ACCESS_MODES = ['r', 'w', 'rw', 'path'] as const;

/**
 * What a descriptor is. Borrows it. Throws ERR_SEALANE_SYSTEM (EBADF, ...), and ERR_SEALANE_WRONG_DESCRIPTOR for a
 * file of more than 2^53-1 bytes. `name` is what errors call it: a number tells nothing to another process.
 */
export function inspect(fd: number, name = `descriptor ${fd}`): DescriptorInfo {
  const native = addon();
  try {
    native.inspect(fd);
  } catch (error) {
    throw systemError(error, `inspecting ${name}`);
  }
  const info = readInfo(native.scratch);
  if (!Number.isSafeInteger(info.size)) {
    throw wrongDescriptor(name, `has more bytes (about ${info.size}) than the 2^53-1 that can be addressed`);
  }
  return info;
}

/** Throws ERR_SEALANE_SYSTEM (EBADF) unless all are open. */
export function requireOpenDescriptors(fds: readonly number[]): void {
  for (const fd of fds) if (!addon().isOpen(fd)) inspect(fd);
}

/** Whether all are. */
export function areOpen(fds: readonly number[]): boolean {
  return fds.every((fd) => addon().isOpen(fd));
}

/**
 * Whether it is, without doubt, memory that is safe to map: a readable memfd on tmpfs with at least these seals, which imply that no
 * file system's server is behind it. What it is otherwise {@link inspect} says.
 */
export function isSealedMemory(fd: number, seals: number): boolean {
  return addon().isSealedMemory(fd, seals);
}

/** How many descriptors this process may have, the soft RLIMIT_NOFILE; Infinity: any number. Node.js has raised it to the hard one at its start. */
export function descriptorLimit(): number {
  const native = addon();
  native.readLimits();
  return native.scratch[0] as number;
}

/** A duplicate, close-on-exec. The caller owns it. Throws ERR_SEALANE_EXHAUSTED when no descriptor is left. */
export function duplicate(fd: number): number {
  try {
    return addon().duplicate(fd, false);
  } catch (error) {
    throw systemError(error, `duplicating descriptor ${fd}`);
  }
}

/**
 * Closes a descriptor that the caller owns. An error of the file behind it is not reported: the descriptor is gone all
 * the same. Closing one that is not open is a bug of ours, ERR_SEALANE_INTERNAL.
 */
export function closeDescriptor(fd: number): void {
  const errno = addon().close(fd);
  assert(errno !== EBADF, `descriptor ${fd} was closed twice or never open`);
}

/**
 * The same on a thread, for what takes long. Not close() of node:fs: in a worker that warns of every descriptor that node:fs has not opened.
 * Never rejects.
 */
export async function closeDescriptorOnThread(fd: number): Promise<void> {
  await addon()
    .fileClose(fd)
    .catch(() => undefined);
}

/**
 * Closes a descriptor that somebody else made. Its close may wait for them (the server of a FUSE file system, the peer of a
 * socket that lingers) or free gigabytes, so it happens on a thread of its own unless it is known to be quick. Takes the
 * descriptor. Throws ERR_SEALANE_SYSTEM (EBADF) when it is not open.
 */
export function disposeDescriptor(fd: number): void {
  try {
    addon().dispose(fd);
  } catch (error) {
    throw systemError(error, `closing descriptor ${fd}`);
  }
}

/**
 * Closes, perhaps a moment later and on another thread, descriptors that {@link isSealedMemory} said yes of: somebody else made them, and
 * freeing what they hold may take long. Takes them.
 */
export function disposeMemory(fds: readonly number[]): void {
  for (const fd of fds) addon().disposeMemory(fd);
}

/** {@link disposeDescriptor} for each. */
export function disposeDescriptors(fds: readonly number[]): void {
  for (const fd of fds) disposeDescriptor(fd);
}

/**
 * Takes a descriptor off the record of those that are closed when this thread ends: from now on the caller alone sees to it. To be
 * called before a descriptor of a packet is closed by other means than {@link closeDescriptor}, or given away.
 */
export function releaseDescriptor(fd: number): void {
  addon().disown(fd);
}

/** EBADF, the same on every Linux architecture that Node.js runs on. */
const EBADF = 9;

/**
 * Demands a descriptor that is safe to map and never changes: a readable, regular file on tmpfs with the blob seals and,
 * if it is given, of this size. Borrows the descriptor. Throws, in this order, ERR_SEALANE_WRONG_DESCRIPTOR,
 * ERR_SEALANE_NOT_SEALED, ERR_SEALANE_SIZE_MISMATCH. `name` as for {@link inspect}; most descriptors that are checked came from
 * another process, where the number is none or another's.
 */
export function requireBlobDescriptor(
  fd: number,
  expectedSize?: number,
  name = 'the descriptor',
): DescriptorInfo {
  const info = inspect(fd, name);
  requireReadableMemfd(name, info);
  requireSeals(name, info, BLOB_SEALS);
  if (expectedSize !== undefined) requireSize(name, info, expectedSize);
  return info;
}

/**
 * Demands a descriptor of memory that a peer made to be shared: a readable memfd on tmpfs with at least these seals and of exactly this
 * size. Borrows it. Throws, in this order, ERR_SEALANE_WRONG_DESCRIPTOR, ERR_SEALANE_NOT_SEALED, ERR_SEALANE_SIZE_MISMATCH. Only with
 * CONTROL_SEALS, or more, is it safe to map: else the peer can cut it off. `name` as for {@link inspect}.
 */
export function requireSealedMemory(
  fd: number,
  seals: number,
  size: number,
  name = 'the descriptor',
): DescriptorInfo {
  const info = inspect(fd, name);
  requireReadableMemfd(name, info);
  requireSeals(name, info, seals);
  requireSize(name, info, size);
  return info;
}

/**
 * Demands, of what {@link inspect} said, memory that is safe to map: a readable memfd on tmpfs with at least these seals. Throws
 * ERR_SEALANE_WRONG_DESCRIPTOR, ERR_SEALANE_NOT_SEALED. `name` as for {@link inspect}.
 */
export function requireMemory(info: DescriptorInfo, seals: number, name: string): void {
  requireReadableMemfd(name, info);
  requireSeals(name, info, seals);
}

/** Whether it is a DMA-BUF, by the magic number of its file system: a name or a size can be imitated. */
export function isDmaBufInfo(info: DescriptorInfo): boolean {
  return info.fileSystem === DMA_BUF;
}

/** What it is, for messages: 'a DMA-BUF', 'a memfd', 'a pipe' ... */
export function kindOf(info: DescriptorInfo): string {
  if (info.fileSystem === HUGETLBFS) return 'huge-page memory (hugetlbfs)';
  if (info.fileSystem === TMPFS) return 'a memfd';
  return isDmaBufInfo(info) ? 'a DMA-BUF' : info.type;
}

/**
 * The memory that a memfd's holder answers for, in bytes: its size, all of which reading may fill, and what was allocated beyond
 * its end (fallocate with FALLOC_FL_KEEP_SIZE, huge pages), which no size tells of.
 */
export function heldBytes({ size, allocatedBytes }: DescriptorInfo): number {
  return size + Math.max(0, allocatedBytes - Math.ceil(size / LARGEST_PAGE) * LARGEST_PAGE);
}

/** The names of the seals in a mask, for messages: 'SHRINK, GROW', or 'none'. */
export function sealNames(seals: number): string {
  const names: string[] = [];
  for (const [seal, name] of SEAL_NAMES) if ((seals & seal) !== 0) names.push(name);
  return names.length === 0 ? 'none' : names.join(', ');
}

/**
 * A duplicate that an asynchronous operation works on, so that it stays the same file whatever its caller closes. It is
 * closed when the thread's environment ends, also in the middle of the operation.
 */
export class OwnedDescriptor implements Disposable {
  #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Duplicates a borrowed descriptor. Throws as {@link duplicate}. */
  static duplicate(fd: number): OwnedDescriptor {
    try {
      return new OwnedDescriptor(addon().duplicate(fd, true));
    } catch (error) {
      throw systemError(error, `duplicating descriptor ${fd}`);
    }
  }

  /** The duplicate. Throws ERR_SEALANE_INTERNAL once closed. */
  get fd(): number {
    assert(this.#fd !== -1, 'a duplicate is used after its end');
    return this.#fd;
  }

  /** Closes the duplicate. Idempotent. */
  close(): void {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#fd = -1;
    closeDescriptor(fd);
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }
}

function requireReadableMemfd(name: string, info: DescriptorInfo): void {
  const advice = 'hand over a memfd made by memfd_create with MFD_ALLOW_SEALING';
  if (info.accessMode === 'path')
    throw wrongDescriptor(name, `was opened with O_PATH, which allows no reading: ${advice}`);
  if (!info.regular || info.fileSystem !== TMPFS)
    throw wrongDescriptor(name, `is ${kindOf(info)}, not a memfd: ${advice}`);
  if (info.accessMode === 'w')
    throw wrongDescriptor(name, 'is open for writing only: hand over one that can be read');
}

function requireSeals(name: string, info: DescriptorInfo, seals: number): void {
  if ((info.seals & seals) === seals) return;
  const missing = sealNames(seals & ~info.seals);
  const advice = `add them with fcntl(F_ADD_SEALS) before handing it over`;
  throw new SealaneError('ERR_SEALANE_NOT_SEALED', `${name} lacks the seals ${missing}: ${advice}`);
}

function requireSize(name: string, info: DescriptorInfo, size: number): void {
  if (info.size === size) return;
  const message = `${name} has ${info.size} bytes, but ${size} were stated: state its real size`;
  throw new SealaneError('ERR_SEALANE_SIZE_MISMATCH', message);
}

function wrongDescriptor(name: string, what: string): SealaneError {
  return new SealaneError('ERR_SEALANE_WRONG_DESCRIPTOR', `${name} ${what}`);
}

function readInfo(scratch: Float64Array): DescriptorInfo {
  const at = (index: number): number => scratch[index] as number;
  return {
    size: at(0),
    fileSystem: at(1),
    seals: at(2),
    accessMode: ACCESS_MODES[at(3)] ?? 'path',
    type: TYPES.get(at(4)) ?? 'an anonymous inode (eventfd, epoll or the like)',
    regular: at(4) === REGULAR,
    device: joinWords(at(5), at(6)),
    inode: joinWords(at(7), at(8)),
    allocatedBytes: at(9),
  };
}

/** A 64-bit number from its two halves: a number while it is exact. */
function joinWords(high: number, low: number): number | bigint {
  return high < 0x200000 ? high * 0x100000000 + low : (BigInt(high) << 32n) | BigInt(low);
}
