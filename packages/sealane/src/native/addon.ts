/**
 * Loads the native addon and types every function in it. Owns the one loaded instance of this thread.
 * Trusts the binary at its place in the package, or the one that SEALANE_ADDON names. Loading waits for the
 * first use, so that importing the package works on every platform.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SealaneError } from '../base/errors.js';
import packageFolder from '../base/package-folder.cjs';

/** A native object behind an opaque value. Its memory belongs to the garbage collector. */
export interface NativeHandle {
  /** Keeps the kinds of handle apart; it does not exist at run time. */
  readonly nativeKind: 'mapping' | 'poll' | 'digest' | 'window';
}

/**
 * The functions of the addon. A wrong argument throws a TypeError; a failed system call throws an Error with
 * `code` ('EPERM'), `errno` (positive) and `syscall`, and a promise is rejected with the same. Sizes and
 * offsets are integers up to 2^53-1. Descriptors are borrowed unless a line says otherwise.
 */
export interface Addon {
  /** Where functions put results beside their return value: 256 numbers, valid until the next call. */
  readonly scratch: Float64Array;

  /** scratch: size, file system, seals or -1, access mode, regular, device high, low, inode high, low, allocated. */
  inspect(fd: number): void;
  isOpen(fd: number): boolean;
  /** Whether it is readable, on tmpfs, and has these seals. False also where that can't be found out. */
  isSealedMemory(fd: number, seals: number): boolean;
  /** A close-on-exec duplicate; on record if `owned`. */
  duplicate(fd: number, owned: boolean): number;
  /** Opens its file anew, on record, without waiting for a lease (EAGAIN): for reading and writing if `writes`, else for reading. */
  reopen(fd: number, writes: boolean): number;
  /** Closes, and ends the addon's record of it. The error number, or 0. */
  close(fd: number): number;
  /** Takes the descriptor, and closes it: on another thread unless that is known to be quick. */
  dispose(fd: number): void;
  /** The same for what is known to be memory, of whatever size. */
  disposeMemory(fd: number): void;
  /** Records that an object of this thread owns the descriptor: it is closed when the thread's environment ends. */
  own(fd: number): void;
  /** Takes the descriptor off the record. */
  disown(fd: number): void;

  /** Makes a memfd of that size, on record. */
  memfdCreate(name: string, size: number): number;
  /** Makes a memfd with these bytes and seals, on record. */
  memfdSealed(name: string, bytes: Uint8Array, seals: number): number;
  memfdWrite(fd: number, bytes: Uint8Array, offset: number): void;
  memfdWriteAsync(fd: number, bytes: Uint8Array, offset: number): Promise<void>;
  memfdRead(fd: number, into: Uint8Array, offset: number): number;
  memfdResize(fd: number, size: number): void;
  memfdSeal(fd: number, seals: number): void;
  /** The same on another thread. */
  memfdSealAsync(fd: number, seals: number): Promise<void>;

  /** Maps privately; `populate` reads the pages in ahead. */
  mapPrivate(fd: number, offset: number, length: number, populate: boolean): NativeHandle;
  mapShared(fd: number, offset: number, length: number): NativeHandle;
  /** Maps shared for reading only: a write kills the process. `populate` reads the pages in ahead. */
  mapReadOnly(fd: number, offset: number, length: number, populate: boolean): NativeHandle;
  /**
   * Maps a file from its begin on as mapReadOnly does, and duplicates the descriptor: a write is survived, on a private copy of its
   * whole block of `block` bytes, 1 to `length`.
   */
  mapGuarded(fd: number, length: number, block: number): NativeHandle;
  /** Four bytes, an int32, that change with each write that any thread survived. Undefined where Node.js allows no such ArrayBuffer. */
  guardWrites(): ArrayBuffer | undefined;
  /** Resolves to [descriptor on record, mapping]. */
  mapPopulated(name: string, size: number): Promise<[number, NativeHandle]>;
  /** For a writable mapping: advises huge pages, allocates all pages, locks them. Whether the advice was taken. */
  mappingPrepare(mapping: NativeHandle, hugePages: boolean, populate: boolean, lock: boolean): boolean;
  /** The external ArrayBuffer over the range; once per mapping. Undefined where Node.js allows none. */
  mappingBuffer(mapping: NativeHandle): ArrayBuffer | undefined;
  /** For a guarded mapping: maps the file again over what was written into. How many blocks; scratch: which, at most 32. */
  mappingRestore(mapping: NativeHandle): number;
  /** Detaches the ArrayBuffer and lets the file go; the addresses are given back when nothing can hold them. */
  mappingClose(mapping: NativeHandle): void;

  /** Reserves whole pages of addresses, at which zeros are read. */
  windowReserve(size: number): NativeHandle;
  /**
   * Maps a file over the pages from `at` of a window, or of the memory that an array shows; when it throws, they are what they were.
   * `kind`: 0 private, 1 shared, 2 shared for reading only, 3 private for reading only.
   */
  windowPlace(
    target: NativeHandle | Uint8Array,
    at: number,
    fd: number,
    offset: number,
    length: number,
    kind: number,
  ): void;
  /** Reads the pages in ahead. */
  windowPopulate(target: NativeHandle | Uint8Array, at: number, length: number): void;
  /** Puts zeros in the place of what is mapped in whole pages. */
  windowClear(target: NativeHandle | Uint8Array, at: number, length: number): void;
  /** An external ArrayBuffer over a part, a new one each time. Undefined where Node.js allows none. */
  windowView(window: NativeHandle, at: number, length: number): ArrayBuffer | undefined;
  /** Detaches all ArrayBuffers and lets the files go; the addresses are given back when nothing can hold them. */
  windowClose(window: NativeHandle): void;
  /** Where the memory of an array begins. */
  bytesAddress(bytes: Uint8Array): number;

  /** Size of a DMA-BUF in bytes. */
  dmaBufSize(fd: number): number;
  /** Begins or ends an access of the processor, DMA_BUF_SYNC_...; waits for devices that are at work. */
  dmaBufSync(fd: number, flags: number): void;
  /** The descriptor of a new DMA-BUF, on record, from the heap at that path. */
  dmaHeapAllocate(path: string, length: number): number;
  /** The descriptor of a new DMA-BUF, on record, out of pages of a memfd. */
  udmabufMake(path: string, memfd: number, offset: number, length: number): number;

  /** The descriptor, on record, or -1: backlog full. scratch: pid, uid, gid. */
  socketConnect(path: string, stream: boolean): number;
  /** The descriptor, on record. */
  socketListen(path: string, backlog: number, stream: boolean): number;
  /** scratch: both descriptors, on record, then pid, uid, gid. */
  socketPair(stream: boolean): void;
  /** The descriptor, on record, or -1: nobody waits. scratch: pid, uid, gid. */
  socketAccept(fd: number): number;
  /** scratch: pid, uid, gid. */
  socketPeer(fd: number): void;
  /** 0 sent, 1 full, 2 too many descriptors in flight. scratch: bytes that were sent; a stream may take a part. */
  socketSend(fd: number, bytes: Uint8Array, descriptors: readonly number[] | undefined): number;
  /**
   * Bytes, 0 at the end, or -1 if empty; if `bare`, -2 if descriptors come with it, which stays. scratch: flags (1 descriptors lost, 2
   * truncated), count, descriptors.
   */
  socketReceive(fd: number, into: Uint8Array, bare: boolean): number;
  /** Bytes that were sent and not read yet, as the kernel counts them. */
  socketUnread(fd: number): number;
  /** Whether the peer has closed its end altogether. */
  socketGone(fd: number): boolean;
  /** Sends one byte without waiting; true also when the queue is full. False: the peer is gone. */
  socketWake(fd: number): boolean;
  /** Discards up to `max` packets of one byte; how many, -1 at the end, -2 after another packet. scratch: how many in any case. */
  socketDrain(fd: number, max: number): number;
  socketShutdown(fd: number, sendingOnly: boolean): void;
  /** Ends the connection, whoever else holds it, and closes the descriptor: on another thread if unread packets are left. */
  socketHangUp(fd: number): void;

  /** Where a socket is bound: a path, `@` and an abstract name, or ''. scratch: domain, type, 1 if it listens. */
  listenerInspect(fd: number): string;
  /** A duplicate, on record, close-on-exec and non-blocking: that also makes the original non-blocking. */
  listenerDuplicate(fd: number): number;
  descriptorCloseOnExec(fd: number): void;
  /** Sends one datagram to a path, or to `@` and an abstract name; false: the receiver's queue is full. */
  datagramSend(address: string, bytes: Uint8Array): boolean;

  pollOpen(fd: number, onReady: (readable: boolean, writable: boolean) => void): NativeHandle;
  pollWant(poll: NativeHandle, readable: boolean, writable: boolean): void;
  pollRef(poll: NativeHandle, hold: boolean): void;
  pollClose(poll: NativeHandle): void;
  /** A descriptor, on record, that is readable while the borrowed one is, or -1: that one is always ready. */
  epollOpen(fd: number): number;

  /** An epoll descriptor, on record. */
  readinessOpen(): number;
  readinessAdd(
    epoll: number,
    fd: number,
    key: number,
    readable: boolean,
    writable: boolean,
    edge: boolean,
  ): void;
  readinessChange(
    epoll: number,
    fd: number,
    key: number,
    readable: boolean,
    writable: boolean,
    edge: boolean,
  ): void;
  readinessRemove(epoll: number, fd: number): void;
  /** How many are ready, waited for up to 100 ms. scratch: key, 1 readable + 2 writable, next key ... */
  readinessPoll(epoll: number, timeoutMs: number): number;

  /** An inotify descriptor, non-blocking, on record. */
  inotifyOpen(): number;
  /** The number of the watch. */
  inotifyWatch(fd: number, path: string): number;
  /** Ends the watch if it has not ended. */
  inotifyUnwatch(fd: number, watch: number): void;
  /** Bytes of whole events, or -1: there are none. `into` has room for the longest. */
  inotifyRead(fd: number, into: Uint8Array): number;

  /** Copies up to `length` bytes on a thread; resolves to how many there were. */
  copyStep(from: number, fromOffset: number, to: number, toOffset: number, length: number): Promise<number>;

  /** Opens on a thread, non-blocking; resolves to the descriptor, on record. For writing, the file is made or truncated. */
  fileOpen(path: string, writes: boolean): Promise<number>;
  /** Takes the descriptor, and closes it on a thread; also when it is rejected. */
  fileClose(fd: number): Promise<void>;

  /** Undefined where Node.js exports no OpenSSL. */
  digestCreate(): NativeHandle | undefined;
  digestUpdate(digest: NativeHandle, fd: number, offset: number, length: number): Promise<number>;
  /** 64 hexadecimal digits; frees the state. */
  digestFinish(digest: NativeHandle): string;
  digestFree(digest: NativeHandle): void;

  /** Duplicates the descriptor into the process-wide table; undefined: the table is full. */
  handoffOffer(fd: number): string | undefined;
  /** The descriptor, on record, or -1. */
  handoffTake(key: string): number;
  handoffWithdraw(key: string): boolean;

  /** The descriptor of the locked file, on record, or -1: somebody else holds the lock. */
  lockAcquire(path: string): number;

  /** The groups of the peer of a connected socket. */
  peerGroups(fd: number): number[];
  /** The text of /proc/PID/cgroup of that peer; undefined when it can't be told which process that is. */
  peerCgroup(fd: number): string | undefined;

  /** The id of the user of that name, or -1: there is none. */
  accountUser(name: string): number;
  /** The id of the group of that name, or -1. */
  accountGroup(name: string): number;

  /** CLOCK_REALTIME to scratch: seconds, nanoseconds. */
  clockRealtime(): void;
  /** CLOCK_MONOTONIC to scratch: seconds, nanoseconds; then all of it in nanoseconds, as low and high word of 64 bits. */
  clockMonotonic(): void;

  /** A video device, non-blocking, on record. */
  videoOpen(path: string): number;
  /** ioctl(2) with a request of V4L2 and its structure, which the kernel fills in; false: not now (EAGAIN). */
  videoAsk(fd: number, request: number, bytes: Uint8Array): boolean;

  /** Lets other threads that want to run have this processor first. */
  scheduleYield(): void;

  /** scratch: soft and hard RLIMIT_NOFILE (Infinity: none), page size in bytes. */
  readLimits(): void;
  /** Tries memfd_create with these flags, and to map a page of it: 0, or the error number. */
  tryMemfdFlags(flags: number): number;
  /** Whether the kernel knows SO_PEERPIDFD. */
  tryPeerPidfd(): boolean;

  /**
   * Becomes the program `words[0]` (execvpe); returns only by throwing. `words` and `environment`: strings that each end with a zero
   * byte. `object` is inherited as `target`; `passed` are pairs of a descriptor that is inherited as it is and 0 (make it blocking), 1
   * (non-blocking) or 2 (leave it). `start`: soft RLIMIT_NOFILE (below 0: leave it), then low and high half of the sets of ignored and of
   * blocked signals.
   */
  exec(
    words: Uint8Array,
    environment: Uint8Array,
    object: number,
    target: number,
    passed: readonly number[],
    start: readonly number[],
  ): void;
}

/** The C library of the running Node.js. */
export type LibcKind = 'glibc' | 'musl';

/** Binaries for each kind of machine, which lie in the package and are picked here: no script runs at installation. */
const PREBUILDS = join(packageFolder, 'prebuilds');

let loaded: Addon | undefined;
let libc: LibcKind | undefined;

/** The addon of this thread. Throws ERR_SEALANE_UNSUPPORTED_PLATFORM where there is none. */
export function addon(): Addon {
  loaded ??= load();
  return loaded;
}

/** Where the addon is loaded from. */
export function addonPath(): string {
  const chosen = process.env.SEALANE_ADDON;
  if (chosen !== undefined && chosen !== '') return chosen;
  return join(PREBUILDS, machineName(), 'sealane.node');
}

/**
 * Which C library this Node.js runs on, by the program interpreter that its executable names. Where it names none, because it
 * is the interpreter itself that was started with Node.js as its argument, by the libraries in the address space.
 */
export function libcKind(): LibcKind {
  libc ??= interpreterKind(executableHead()) ?? mappedKind(ownMappings());
  return libc;
}

/** By the path of a program interpreter, as in /lib/ld-musl-x86_64.so.1 and /lib64/ld-linux-x86-64.so.2. */
export function interpreterKind(executable: string): LibcKind | undefined {
  if (executable.includes('/ld-musl-')) return 'musl';
  return executable.includes('/ld-linux-') ? 'glibc' : undefined;
}

/** By the lines of /proc/PID/maps. The library of glibc is libc.so.6 or libc-2.28.so, that of musl libc.so or its interpreter. */
export function mappedKind(mappings: string): LibcKind {
  return /\/(ld-musl-[^/\n]*|libc\.so)$/m.test(mappings) ? 'musl' : 'glibc';
}

function machineName(): string {
  return `linux-${process.arch}-${libcKind()}`;
}

function load(): Addon {
  if (process.platform !== 'linux') {
    throw unsupported(`Sealane needs Linux; this is ${process.platform}`);
  }
  const path = addonPath();
  if (!existsSync(path)) throw missing(path);
  try {
    // A copy: Node-API's object is a hash table, of which each call would look its function up.
    return { ...(createRequire(join(packageFolder, 'package.json'))(path) as Addon) };
  } catch (error) {
    throw unsupported(`Sealane's native addon at ${path} can't be loaded: ${String(error)}`, error);
  }
}

function missing(path: string): SealaneError {
  const { SEALANE_ADDON } = process.env;
  if (SEALANE_ADDON !== undefined && SEALANE_ADDON !== '') {
    return unsupported(`there is no native addon at ${path}, which SEALANE_ADDON names`);
  }
  const there = prebuilt();
  const list = there.length === 0 ? 'none at all' : there.join(', ');
  const hint = 'in a clone of the repository `npm run setup` builds it, elsewhere install the package again';
  return unsupported(
    `Sealane has no native addon for ${machineName()} at ${path}; there is ${list}. If that should be there: ${hint}`,
  );
}

/** The kinds of machine that this package has binaries for. */
function prebuilt(): string[] {
  if (!existsSync(PREBUILDS)) return [];
  return readdirSync(PREBUILDS)
    .filter((name) => existsSync(join(PREBUILDS, name, 'sealane.node')))
    .sort();
}

/** The first page of the executable: the program header with the interpreter's name stands there. */
function executableHead(): string {
  const head = Buffer.alloc(4096);
  try {
    const fd = openSync('/proc/self/exe', 'r');
    try {
      return head.toString('latin1', 0, readSync(fd, head, 0, head.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    // Without /proc the more common library is assumed; a wrong guess is an addon that is not found.
    return '';
  }
}

function ownMappings(): string {
  try {
    return readFileSync('/proc/self/maps', 'latin1');
  } catch {
    return '';
  }
}

function unsupported(message: string, cause?: unknown): SealaneError {
  return new SealaneError('ERR_SEALANE_UNSUPPORTED_PLATFORM', message, { cause });
}
