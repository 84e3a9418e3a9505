/**
 * A domain of several users: a directory that an administrator makes, in which everybody may make files and nobody may touch those of
 * others (the sticky bit). Owns the rule of what it is like. Trusts its owner, who must be root or the own user.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  type Stats,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { checkInteger, checkOptions, checkPath, checkText } from '../../base/check.js';
import { describe, invalidArgument, isSealaneError, SealaneError } from '../../base/errors.js';
import { findAccount, MAX_ACCOUNT_BYTES, requirePlatform } from '../../os/index.js';
import { protocolError } from '../../wire/index.js';
import { ownUser } from './access.js';
import { attempt, type FileRecord, type FileRules, readRecord, writeNew } from './files.js';
import { isNobody } from './trust.js';

/** What makes a directory a shared domain. */
export const MARKER = 'domain.json';
export const LOCK = 'lock';
export const NODES = 'nodes';
export const SERVICES = 'services';

const PARTS: readonly string[] = [LOCK, MARKER, NODES, SERVICES];

/** The kernel's limit for a path, less its final zero. */
const MAX_PATH_BYTES = 4_095;
const MAX_ID = 4_294_967_294;

const STICKY = 0o1000;
const OPEN_MODE = 0o1777;
/** With the set-group-id bit: what is made in it is of its group. */
const GROUP_MODE = 0o3770;

/** Of a directory that is there. */
export interface SharedDomain {
  /** What everybody who takes part makes is like. */
  readonly files: FileRules;
  /** Of a directory in which everybody who takes part makes files. */
  readonly openMode: number;
  /** Of a node's own directory, and of its socket. */
  readonly nodeMode: number;
  readonly socketMode: number;
}

/** Who may take part. */
export interface SharedDomainOptions {
  /** Only members of this group, by name or id; root is never kept out. Default: everybody on this machine. */
  readonly group?: string | number | undefined;
}

const FOR_EVERYBODY: SharedDomain = {
  files: { mode: 0o644, shared: true },
  openMode: OPEN_MODE,
  nodeMode: 0o755,
  socketMode: 0o666,
};

const FOR_A_GROUP: SharedDomain = {
  files: { mode: 0o640, shared: true },
  openMode: GROUP_MODE,
  nodeMode: 0o2750,
  socketMode: 0o660,
};

/**
 * Makes a directory in which nodes of several users find each other, as an administrator does once; `directory` is made if it is missing,
 * its parent must exist. One that is a shared domain for the same group stays as it is. Rejects with ERR_SEALANE_INVALID_ARGUMENT (also for
 * an unknown group), ERR_SEALANE_UNSAFE_DIRECTORY for a directory that has something else in it or is a domain of another kind,
 * ERR_SEALANE_SYSTEM when it can't be made; ERR_SEALANE_UNSUPPORTED_PLATFORM.
 */
export async function createSharedDomain(
  directory: string,
  options: SharedDomainOptions = {},
): Promise<void> {
  checkPath('directory', directory, MAX_PATH_BYTES);
  checkOptions('options', options, ['group']);
  const gid = checkGroup(options.group);
  requirePlatform();
  const path = resolve(directory);
  if (isMissing(path)) attempt(`making ${path}`, () => mkdirSync(path, { mode: 0o700 }));
  else refuseFile(path);
  if (isComplete(path)) return requireSame(path, gid);
  requireOurs(path);
  make(path, gid);
  openSharedDomain(path);
}

function checkGroup(group: string | number | undefined): number | undefined {
  if (group === undefined) return undefined;
  if (typeof group === 'number') {
    checkInteger('options.group', group, 0, MAX_ID);
    return group;
  }
  checkText('options.group', group, 1, MAX_ACCOUNT_BYTES);
  const gid = group.includes('\0') ? undefined : findAccount('group', group);
  if (gid === undefined)
    throw invalidArgument('options.group', 'be the name or id of a group of this machine', group);
  return gid;
}

/** Its own mode comes last: until then it is its maker's alone. */
function make(path: string, gid: number | undefined): void {
  const { files, openMode } = gid === undefined ? FOR_EVERYBODY : FOR_A_GROUP;
  const give = (part: string, mode: number) => {
    if (gid !== undefined) attempt(`giving ${part} to group ${gid}`, () => chownSync(part, -1, gid));
    attempt(`setting the mode of ${part}`, () => chmodSync(part, mode));
  };
  for (const name of [NODES, SERVICES]) {
    const part = join(path, name);
    if (isMissing(part)) attempt(`making ${part}`, () => mkdirSync(part, { mode: 0o700 }));
    give(part, openMode);
  }
  const lock = join(path, LOCK);
  attempt(`making ${lock}`, () =>
    closeSync(openSync(lock, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW)),
  );
  give(lock, gid === undefined ? 0o666 : 0o660);
  const marker = join(path, MARKER);
  if (isMissing(marker)) writeNew(marker, { shared: true }, files);
  give(marker, files.mode);
  give(path, openMode);
}

/** What is in a file can not be looked at. */
function refuseFile(path: string): void {
  const stats = attempt(`looking at ${path}`, () => lstatSync(path));
  if (!stats.isDirectory() && !stats.isSymbolicLink()) throw unsafe(path, 'is no directory', 'name another');
}

/** A directory of the own user that has nothing in it but what a maker who was interrupted left. */
function requireOurs(path: string): void {
  const stats = attempt(`looking at ${path}`, () => lstatSync(path));
  if (stats.isSymbolicLink() || !stats.isDirectory()) throw unsafe(path, 'is no directory', 'name another');
  if (stats.uid !== ownUser())
    throw unsafe(path, `belongs to user ${stats.uid}`, 'its owner makes it a shared domain, or name another');
  const other = attempt(`listing ${path}`, () => readdirSync(path)).find((name) => !PARTS.includes(name));
  if (other !== undefined)
    throw unsafe(path, `has something else in it: ${describe(other)}`, 'name an empty one');
}

/** The last step gives the directory its mode. */
function isComplete(path: string): boolean {
  return !isMissing(join(path, MARKER)) && (lstatSync(path).mode & STICKY) !== 0;
}

function requireSame(path: string, gid: number | undefined): void {
  openSharedDomain(path);
  const stats = lstatSync(path);
  const found = isForGroup(stats) ? stats.gid : undefined;
  if (found === gid) return;
  const forWhom = (group: number | undefined) => (group === undefined ? 'everybody' : `group ${group}`);
  const advice = 'remove it when nobody uses it any more, or name another directory';
  const problem = `is a shared domain for ${forWhom(found)}, not for ${forWhom(gid)}`;
  throw new SealaneError('ERR_SEALANE_UNSAFE_DIRECTORY', `${path} ${problem}: ${advice}`);
}

/**
 * Verifies a directory that is to be a shared domain: made as {@link createSharedDomain} makes it, by root or the own user. Throws
 * ERR_SEALANE_UNSAFE_DIRECTORY, with what is wrong and what to do; ERR_SEALANE_ACCESS_DENIED for a process whose own user has no name in its
 * user namespace, and for one that may not enter.
 */
export function openSharedDomain(path: string): SharedDomain {
  requirePlatform();
  requireName();
  const top = look(path);
  requireDirectory(path, top, top.uid);
  requireOwner(path, top);
  for (const name of [NODES, SERVICES])
    requireDirectory(join(path, name), look(join(path, name), path), top.uid);
  requireFile(join(path, LOCK), look(join(path, LOCK), path), top.uid);
  requireMarker(join(path, MARKER), top.uid);
  return isForGroup(top) ? FOR_A_GROUP : FOR_EVERYBODY;
}

function requireName(): void {
  const uid = ownUser();
  if (!isNobody(uid)) return;
  const message = `this process's user has no name in its user namespace (the kernel shows ${uid}), so that no other node could know it`;
  throw new SealaneError(
    'ERR_SEALANE_ACCESS_DENIED',
    `${message}: map the user into the namespace (uid_map)`,
  );
}

function requireOwner(path: string, { uid }: Stats): void {
  if (isNobody(uid)) {
    const problem = `belongs to a user whom this user namespace does not map (the kernel shows ${uid})`;
    throw unsafe(
      path,
      problem,
      'map its owner into the namespace (uid_map), or let a user who is mapped make it',
    );
  }
  if (uid === 0 || uid === ownUser()) return;
  const problem = `belongs to user ${uid}, who could rename what others make in it`;
  throw unsafe(path, problem, 'let root make it, with `sealane domain create`');
}

function requireDirectory(path: string, stats: Stats, owner: number): void {
  const again = 'let its owner make it anew, with `sealane domain create`';
  if (stats.isSymbolicLink()) throw unsafe(path, 'is a symbolic link', 'name the directory itself');
  if (!stats.isDirectory()) throw unsafe(path, 'is not a directory', again);
  if (stats.uid !== owner) throw unsafe(path, `belongs to user ${stats.uid}, not to user ${owner}`, again);
  if ((stats.mode & STICKY) === 0)
    throw unsafe(
      path,
      `has mode ${octal(stats)}, which is not sticky: everybody could remove what others make`,
      again,
    );
}

function requireFile(path: string, stats: Stats, owner: number): void {
  if (stats.isFile() && stats.uid === owner) return;
  throw unsafe(
    path,
    `is not a file of user ${owner}`,
    'let its owner make it anew, with `sealane domain create`',
  );
}

/** Whoever may write to it says what the directory is. */
function requireMarker(path: string, owner: number): void {
  const stats = look(path, path);
  requireFile(path, stats, owner);
  if ((stats.mode & 0o022) !== 0)
    throw unsafe(path, `has mode ${octal(stats)}, which lets others write`, 'set it to 0644 with chmod');
  try {
    readRecord(path, parseMarker, owner);
  } catch (error) {
    throw isSealaneError(error, 'ERR_SEALANE_PROTOCOL')
      ? unsafe(path, 'is none of ours', error.message)
      : error;
  }
}

function parseMarker({ shared }: FileRecord): void {
  if (shared !== true) throw protocolError(`its member shared is ${describe(shared)}`);
}

function isForGroup({ mode }: Stats): boolean {
  return (mode & 0o007) === 0;
}

function isMissing(path: string): boolean {
  return attempt(`looking at ${path}`, () => lstatSync(path, { throwIfNoEntry: false })) === undefined;
}

/** `domain`: of which it is a part. */
function look(path: string, domain?: string): Stats {
  let stats: Stats | undefined;
  try {
    stats = lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw notAllowed(domain ?? path, error);
  }
  if (stats !== undefined) return stats;
  throw unsafe(path, 'is missing', '`sealane domain create DIR` makes a shared domain');
}

function notAllowed(path: string, cause: unknown): SealaneError {
  const code = (cause as NodeJS.ErrnoException).code;
  const message = `user ${ownUser()} may not enter the shared domain ${path} (${code})`;
  const advice = 'join its group, and log in again: a process has the groups that its user had at login';
  return new SealaneError('ERR_SEALANE_ACCESS_DENIED', `${message}: ${advice}`, { cause });
}

function octal({ mode }: Stats): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

function unsafe(path: string, problem: string, advice: string): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_UNSAFE_DIRECTORY',
    `the shared domain's ${path} ${problem}: ${advice}`,
  );
}
