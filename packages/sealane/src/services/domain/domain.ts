/**
 * A domain: a directory of its own in which nodes and services find each other, and the lock under which its files change. Owns the
 * rule of what lies where. Trusts the directories only once they are verified to be this user's alone, or a shared domain.
 */
import { join, resolve } from 'node:path';
import { assert } from '../../base/assert.js';
import { checkPath } from '../../base/check.js';
import { invalidArgument, SealaneError } from '../../base/errors.js';
import { FileLock } from '../../os/lock.js';
import {
  checkRuntimeDirectory,
  ensureRuntimeDirectory,
  runtimeDirectoryPath,
} from '../../os/runtime-directory.js';
import { MAX_SOCKET_PATH_BYTES } from '../../os/unix-socket.js';
import { type FileRules, PRIVATE_FILES } from './files.js';
import { checkDomainName, DEFAULT_DOMAIN, isServiceFolder, serviceFolderName } from './names.js';
import { LOCK, NODES, openSharedDomain, SERVICES, type SharedDomain } from './shared-domain.js';

/** Which domain. */
export interface DomainOptions {
  /** 1 to 32 of the characters A-Z a-z 0-9 . _ - and no dot at the start. Default `default`. */
  readonly name?: string | undefined;
  /** The directory under which domains lie. Default: the runtime directory, see {@link runtimeDirectoryPath}. Its parent must exist. */
  readonly directory?: string | undefined;
  /** A directory that is one domain of several users. Default: $SEALANE_SHARED_DIR, unless one of the others is given. */
  readonly sharedDirectory?: string | undefined;
}

/** How long the lock is waited for: its holder needs microseconds, unless it was stopped in the middle. */
const LOCK_TIMEOUT_MS = 10_000;
/** Longest sleep between two attempts to have the lock. */
const MAX_SLEEP_MS = 10;
/** The longest name of a socket in the folder of nodes: 16 digits and `.sock`; in a shared domain 16 digits and `.new/sock`. */
const SOCKET_NAME_BYTES = 21;
const SHARED_SOCKET_NAME_BYTES = 25;
/** The kernel's limit for a path, less its final zero. */
const MAX_PATH_BYTES = 4_095;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** The files of one domain. Holds nothing open; several for one domain may exist, also in one thread. */
export class Domain {
  /** The directory under which the domain lies, absolute; of a shared domain its own. */
  readonly directory: string;
  /** The domain's own directory. */
  readonly path: string;
  /** The folder in which nodes are. */
  readonly nodes: string;
  /** The folder in which services are. */
  readonly services: string;
  /** What several users agree on; undefined: it is this user's alone. */
  readonly shared: SharedDomain | undefined;
  #locked = false;

  private constructor(options: DomainOptions) {
    const sharedDirectory = sharedDirectoryOf(options);
    const { name = DEFAULT_DOMAIN, directory = sharedDirectory ?? runtimeDirectoryPath() } = options;
    checkDomainName(name);
    checkPath('directory', directory, MAX_PATH_BYTES);
    this.directory = resolve(directory);
    this.path = sharedDirectory === undefined ? join(this.directory, 'domains', name) : this.directory;
    this.nodes = join(this.path, NODES);
    this.services = join(this.path, SERVICES);
    this.#checkLength(sharedDirectory === undefined ? SOCKET_NAME_BYTES : SHARED_SOCKET_NAME_BYTES);
    this.shared = sharedDirectory === undefined ? undefined : openSharedDomain(this.path);
  }

  /**
   * Makes the directories of the domain where they are missing, with mode 0700, and verifies them; those of a shared domain must be there.
   * Throws ERR_SEALANE_INVALID_ARGUMENT for a wrong name and for a directory under which the path of a socket would be too long,
   * ERR_SEALANE_UNSAFE_DIRECTORY, ERR_SEALANE_SYSTEM when they can't be made, ERR_SEALANE_ACCESS_DENIED for a shared domain of others.
   */
  static open(options: DomainOptions = {}): Domain {
    const domain = new Domain(options);
    if (domain.shared !== undefined) return domain;
    for (const path of domain.#directories()) ensureRuntimeDirectory(path);
    return domain;
  }

  /** The same for a domain that is only looked at: makes nothing; undefined when it does not exist, and is not a shared one. */
  static find(options: DomainOptions = {}): Domain | undefined {
    const domain = new Domain(options);
    if (domain.shared !== undefined) return domain;
    const directories = domain.#directories();
    if (directories.some((path) => !checkRuntimeDirectory(path).exists)) return undefined;
    for (const path of directories) ensureRuntimeDirectory(path);
    return domain;
  }

  /** The socket at which a node listens. */
  nodeSocket(node: string): string {
    return join(this.nodes, this.shared === undefined ? `${node}.sock` : `${node}/sock`);
  }

  /** The file that says who a node is. */
  nodeFile(node: string): string {
    return join(this.nodes, this.shared === undefined ? `${node}.json` : `${node}/node.json`);
  }

  /** The folder of a service in a domain that is not shared. */
  serviceFolder(service: string): string {
    return join(this.services, serviceFolderName(service));
  }

  /** Whether a name in the folder of services is that of a service, neither half made nor half removed. */
  isServiceFolder(name: string): boolean {
    return this.shared === undefined ? isServiceFolder(name) : SHARED_FOLDER.test(name);
  }

  /** How its files are made and removed. */
  get files(): FileRules {
    return this.shared?.files ?? PRIVATE_FILES;
  }

  /**
   * Does what changes files while nobody else does, in this process or another. Keep it short: it blocks this thread, and others wait.
   * Throws ERR_SEALANE_TIMEOUT when the lock can't be had in time, by default 10 seconds, ERR_SEALANE_SYSTEM (the directory was removed, ...), and
   * whatever `action` throws.
   */
  locked<T>(action: () => T, timeoutMs = LOCK_TIMEOUT_MS): T {
    const deadline = performance.now() + timeoutMs;
    for (let sleepMs = 1; ; sleepMs = Math.min(sleepMs * 2, MAX_SLEEP_MS)) {
      const done = this.tryLocked(action);
      if (done !== undefined) return done.value;
      if (performance.now() > deadline) throw this.#stuck(timeoutMs);
      Atomics.wait(sleeper, 0, 0, sleepMs);
    }
  }

  /** The same without waiting; undefined: somebody else holds the lock, and nothing was done. */
  tryLocked<T>(action: () => T): { readonly value: T } | undefined {
    assert(!this.#locked, 'the lock of a domain is taken twice');
    using lock = FileLock.tryAcquire(this.#lockPath());
    if (lock === undefined) return undefined;
    this.#locked = true;
    try {
      return { value: action() };
    } finally {
      this.#locked = false;
    }
  }

  /** Throws ERR_SEALANE_INTERNAL unless this is called from within {@link locked}. */
  requireLock(): void {
    assert(this.#locked, 'the lock of the domain is not held');
  }

  #directories(): string[] {
    return [this.directory, join(this.directory, 'domains'), this.path, this.nodes, this.services];
  }

  #lockPath(): string {
    return join(this.path, LOCK);
  }

  #stuck(timeoutMs: number): SealaneError {
    return new SealaneError(
      'ERR_SEALANE_TIMEOUT',
      `another process held the lock of the domain, ${this.#lockPath()}, for ${timeoutMs / 1_000} seconds: it may be stopped; ` +
        'find it with fuser or lslocks, and continue or end it',
    );
  }

  #checkLength(nameBytes: number): void {
    const bytes = Buffer.byteLength(this.nodes) + 1 + nameBytes;
    if (bytes <= MAX_SOCKET_PATH_BYTES) return;
    const most = Buffer.byteLength(this.directory) - (bytes - MAX_SOCKET_PATH_BYTES);
    throw invalidArgument(
      'directory',
      `have at most ${most} bytes, since the paths of sockets below it have ${bytes} and the kernel allows ${MAX_SOCKET_PATH_BYTES}: ` +
        (nameBytes === SOCKET_NAME_BYTES ? 'set SEALANE_DIR to a shorter one' : 'make it at a shorter path'),
      this.directory,
    );
  }
}

/** The folder of a service that several users may make: the last digits are random, so that nobody can be there first. */
const SHARED_FOLDER = /^[0-9a-f]{20}-[0-9a-f]{8}$/;

function sharedDirectoryOf({ name, directory, sharedDirectory }: DomainOptions): string | undefined {
  if (sharedDirectory === undefined)
    return name === undefined && directory === undefined
      ? process.env.SEALANE_SHARED_DIR || undefined
      : undefined;
  checkPath('sharedDirectory', sharedDirectory, MAX_PATH_BYTES);
  if (name === undefined && directory === undefined) return sharedDirectory;
  throw invalidArgument(
    'sharedDirectory',
    'be given without domain and directory: it is one domain',
    sharedDirectory,
  );
}
