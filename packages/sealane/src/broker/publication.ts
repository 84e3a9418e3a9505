/**
 * The broker's socket in the file system. Owns the lock beside it, for life, and the socket file while it is ours.
 * A path that names a socket always names one that listens: it is bound under another name and then renamed. A dead broker's
 * socket is replaced; nothing else is.
 */
import { chmodSync, lstatSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { invalidArgument, isSealaneError, SealaneError } from '../base/errors.js';
import { FileLock } from '../os/lock.js';
import { defaultSocketPath, ensureRuntimeDirectory, runtimeDirectoryPath } from '../os/runtime-directory.js';
import { nodeError } from '../os/system-error.js';
import { type SocketKind, UnixSocket } from '../os/unix-socket.js';
import { MAX_SOCKET_PATH_BYTES } from './options.js';

/** What is appended to the path for the name under which the socket is bound at first. Only the holder of the lock uses it. */
const NEW_SUFFIX = '.new';

/** Anyone may connect when other users are admitted: who they are is asked of the kernel. Else the mode keeps them off. */
const SHARED_MODE = 0o666;

/** What opening a symbolic link, a directory or a socket as the lock fails with. */
const NO_FILE: ReadonlySet<string> = new Set(['ELOOP', 'EISDIR', 'ENXIO']);

export class Publication implements Disposable {
  private constructor(
    /** The path of the socket. */
    readonly path: string,
    /** The listening socket. */
    readonly socket: UnixSocket,
    private readonly lock: FileLock,
    private readonly file: Stats,
  ) {}

  /**
   * Listens at `path`, or at the default place, for connections of a kind. Throws ERR_SEALANE_BROKER_RUNNING when another broker serves it,
   * ERR_SEALANE_INVALID_ARGUMENT when something that is no socket is there or the path is too long,
   * ERR_SEALANE_UNSAFE_DIRECTORY for a runtime directory that is not ours alone, and ERR_SEALANE_SYSTEM.
   */
  static open(
    path: string | undefined,
    backlog: number,
    shared: boolean,
    kind: SocketKind = 'packet',
  ): Publication {
    const place = path === undefined ? defaultPlace() : resolve(path);
    checkPath(place);
    checkDirectory(place);
    const lock = acquireLock(place);
    if (lock === undefined) throw isAlive(place, kind) ? brokerRunning(place) : lockHeld(place);
    try {
      checkOccupant(place, kind);
      const { socket, file } = listen(place, backlog, shared, kind);
      return new Publication(place, socket, lock, file);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /**
   * Stops listening, and removes the socket file unless somebody else has put another one there. One that can't be removed any
   * more refuses whoever connects, and the next broker replaces it. Keeps the lock. Idempotent.
   */
  retract(): void {
    if (this.socket.closed) return;
    this.socket.close();
    try {
      const present = statIfThere(this.path);
      if (present !== undefined && present.dev === this.file.dev && present.ino === this.file.ino)
        unlinkSync(this.path);
    } catch {
      // The directory was replaced, or may not be written any more.
    }
  }

  /** Retracts, and gives up the lock: another broker may start. Idempotent. */
  close(): void {
    this.retract();
    this.lock.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The default path, in a directory that is made and verified; $SEALANE_SOCKET names a place of the user's own. */
function defaultPlace(): string {
  const path = resolve(defaultSocketPath());
  const directory = resolve(runtimeDirectoryPath());
  if (dirname(path) === directory) ensureRuntimeDirectory(directory);
  return path;
}

function checkPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return;
  throw invalidArgument(
    'the path of the socket',
    `have at most ${MAX_SOCKET_PATH_BYTES} bytes as an absolute path (it has ${bytes})`,
    path,
  );
}

function checkDirectory(path: string): void {
  const directory = dirname(path);
  if (statIfThere(directory) !== undefined) return;
  throw invalidArgument(
    'the path of the socket',
    `lie in a directory that exists; there is no ${directory}`,
    path,
  );
}

/** Undefined: another broker holds it. The lock's file is made by us, or was by a broker before. */
function acquireLock(path: string): FileLock | undefined {
  const lockPath = `${path}.lock`;
  try {
    return FileLock.tryAcquire(lockPath);
  } catch (error) {
    if (!isSealaneError(error) || !NO_FILE.has(error.errnoName ?? '')) throw error;
    throw invalidArgument(
      'the lock beside the socket',
      'be a file; remove what is there, or choose another path for the socket',
      lockPath,
    );
  }
}

/** Throws unless the path is free, or a socket that nobody listens on. */
function checkOccupant(path: string, kind: SocketKind): void {
  const present = statIfThere(path);
  if (present === undefined) return;
  if (!present.isSocket()) {
    throw invalidArgument(
      'the path of the socket',
      'be free; something that is not a socket is there: remove it, or choose another path',
      path,
    );
  }
  // The lock is ours, but its file may have been removed under another broker.
  if (isAlive(path, kind)) throw brokerRunning(path);
}

function isAlive(path: string, kind: SocketKind): boolean {
  try {
    UnixSocket.connect(path, kind)?.close();
    return true;
  } catch (error) {
    if (isSealaneError(error) && (error.errnoName === 'ECONNREFUSED' || error.errnoName === 'ENOENT'))
      return false;
    // A socket of another type that somebody listens on, or one that we may not connect to.
    return true;
  }
}

function listen(
  path: string,
  backlog: number,
  shared: boolean,
  kind: SocketKind,
): { socket: UnixSocket; file: Stats } {
  const newPath = `${path}${NEW_SUFFIX}`;
  removeRemains(newPath);
  const socket = UnixSocket.listen(newPath, backlog, kind);
  try {
    if (shared) chmodSync(newPath, SHARED_MODE);
    const file = lstatSync(newPath);
    renameSync(newPath, path);
    return { socket, file };
  } catch (error) {
    socket.close();
    unlinkSync(newPath);
    throw error;
  }
}

/** A broker that was killed between bind and rename leaves its socket behind. Throws when something else is there. */
function removeRemains(path: string): void {
  const present = statIfThere(path);
  if (present === undefined) return;
  if (present.isSocket()) unlinkSync(path);
  else
    throw invalidArgument(
      'the name of a new socket',
      'be free; remove what is there, or choose another path',
      path,
    );
}

function statIfThere(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw nodeError(error, `looking at ${path} failed`);
  }
}

/** As when its socket was removed, or when the kernel can't end a broker that was killed. */
function lockHeld(path: string): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_BROKER_RUNNING',
    `another broker holds ${path}.lock, but nobody listens at ${path}: it is just starting, or its socket was removed; ` +
      `stop it (\`fuser ${path}.lock\` names it), or choose another path for the socket of this one`,
  );
}

function brokerRunning(path: string): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_BROKER_RUNNING',
    `another broker serves ${path}: use it, stop it, or choose another path for the socket of this one`,
  );
}
