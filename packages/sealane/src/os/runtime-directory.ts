/**
 * The directory in which sockets and locks of this user lie. Owns the rule where it is and what makes it safe.
 * Trusts nobody else's directory: on /tmp everyone can make one with our name.
 */
import { lstatSync, mkdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';

/**
 * Where it is: $SEALANE_DIR, else $XDG_RUNTIME_DIR/sealane, else /run/user/UID/sealane if /run/user/UID exists, else
 * /tmp/sealane-UID. An empty variable counts as none. Makes nothing.
 */
export function runtimeDirectoryPath(env: NodeJS.ProcessEnv = process.env): string {
  if (env.SEALANE_DIR) return env.SEALANE_DIR;
  if (env.XDG_RUNTIME_DIR) return join(env.XDG_RUNTIME_DIR, 'sealane');
  const uid = effectiveUser();
  const system = `/run/user/${uid}`;
  return lstatSync(system, { throwIfNoEntry: false }) === undefined
    ? `/tmp/sealane-${uid}`
    : join(system, 'sealane');
}

/** Where the broker's socket is unless somebody says otherwise: $SEALANE_SOCKET, else broker.sock in the runtime directory. */
export function defaultSocketPath(env: NodeJS.ProcessEnv = process.env): string {
  return env.SEALANE_SOCKET || join(runtimeDirectoryPath(env), 'broker.sock');
}

/** What a runtime directory is like; `problem` says why it can't be used, undefined when it is safe or missing. */
export interface RuntimeDirectoryState {
  readonly path: string;
  readonly exists: boolean;
  readonly problem: string | undefined;
}

/** Looks at the directory, and makes nothing. Never throws. */
export function checkRuntimeDirectory(path: string): RuntimeDirectoryState {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    const problem = stats === undefined ? undefined : findProblem(stats)?.join(': ');
    return { path, exists: stats !== undefined, problem };
  } catch (error) {
    return { path, exists: false, problem: `can't be looked at: ${(error as NodeJS.ErrnoException).code}` };
  }
}

/**
 * Makes the directory with mode 0700 if it is missing, and verifies it: a directory, not a symbolic link, of this user,
 * closed to all others. Its parent must exist. Throws ERR_SEALANE_UNSAFE_DIRECTORY when it is not safe,
 * ERR_SEALANE_SYSTEM when it can't be made, ERR_SEALANE_UNSUPPORTED_PLATFORM where nothing could use it.
 */
export function ensureRuntimeDirectory(path: string): void {
  // First of all, since on another platform there may be neither users nor modes, and nothing is to be made in vain.
  addon();
  makeDirectory(path);
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw unsafe(path, 'vanished while it was being checked', 'try again');
  const problem = findProblem(stats);
  if (problem !== undefined) throw unsafe(path, problem[0], problem[1]);
}

/** What makes the directory unsafe and what to do about it; undefined when it is safe. */
function findProblem(stats: Stats): [string, string] | undefined {
  const uid = effectiveUser();
  const elsewhere = 'remove it, or set SEALANE_DIR to a directory of your own';
  if (stats.isSymbolicLink()) return ['is a symbolic link', elsewhere];
  if (!stats.isDirectory()) return ['is not a directory', elsewhere];
  if (stats.uid !== uid)
    return [`belongs to user ${stats.uid}, and this process runs as user ${uid}`, elsewhere];
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
  if ((stats.mode & 0o077) !== 0)
    return [`has mode ${mode}, which lets other users in`, 'set it to 0700 with chmod'];
  return undefined;
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code, errno = 0, syscall = 'mkdir' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const message = `making the runtime directory ${path} failed: ${code}; set SEALANE_DIR to a directory that can be made`;
    throw new SealaneError('ERR_SEALANE_SYSTEM', message, {
      cause: error,
      errno: Math.abs(errno),
      errnoName: code ?? 'UNKNOWN',
      syscall,
    });
  }
}

function unsafe(path: string, problem: string, advice: string): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_UNSAFE_DIRECTORY',
    `the runtime directory ${path} ${problem}: ${advice}`,
  );
}

/** The effective user, or -1 where there are no users (not Linux). */
function effectiveUser(): number {
  return process.geteuid?.() ?? -1;
}
