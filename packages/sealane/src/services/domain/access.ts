/**
 * Whom a service of a shared domain lets in: users and groups, by the ids that the kernel shows of peers. Owns the rule. Ids mean something
 * within one user namespace only, so what a file says of another one's is refused.
 */
import { readlinkSync } from 'node:fs';
import { checkInteger, checkOptions, checkText, isRecord } from '../../base/check.js';
import { describe, invalidArgument, isSealaneError, SealaneError } from '../../base/errors.js';
import { findAccount, MAX_ACCOUNT_BYTES, overflowIds, type PeerIdentity } from '../../os/index.js';
import { protocolError } from '../../wire/index.js';

/**
 * Whom a service of a shared domain lets in: users and groups, by name or id; at most 64 of each. Its creator is always let in, and so
 * are nodes of the own user: with neither users nor groups, only they.
 */
export interface AccessOptions {
  readonly users?: readonly (string | number)[] | undefined;
  readonly groups?: readonly (string | number)[] | undefined;
}

/** The same, by ids; each once. */
export interface Access {
  readonly users: readonly number[];
  readonly groups: readonly number[];
}

/** What has to be known of somebody. */
export type Subject = Pick<PeerIdentity, 'uid' | 'groups'>;

/** More are better put into a group. */
const MAX_ENTRIES = 64;
/** The greatest id: one more stands for none. */
const MAX_ID = 4_294_967_294;

/** What a caller gives, with names looked up; undefined: nothing was given. Throws ERR_SEALANE_INVALID_ARGUMENT, also for unknown names. */
export function checkAccess(given: AccessOptions | undefined): Access | undefined {
  if (given === undefined) return undefined;
  checkOptions('access', given, ['users', 'groups']);
  return { users: checkIds('user', given.users), groups: checkIds('group', given.groups) };
}

function checkIds(kind: 'user' | 'group', given: readonly (string | number)[] | undefined): number[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw invalidArgument(`access.${kind}s`, 'be an array', given);
  if (given.length > MAX_ENTRIES)
    throw invalidArgument(`access.${kind}s`, `have at most ${MAX_ENTRIES} entries`, given.length);
  return [...new Set(given.map((account, index) => toId(kind, account, `access.${kind}s[${index}]`)))];
}

function toId(kind: 'user' | 'group', account: string | number, what: string): number {
  if (typeof account === 'number') {
    checkInteger(what, account, 0, MAX_ID);
    return account;
  }
  checkText(what, account, 1, MAX_ACCOUNT_BYTES);
  const id = account.includes('\0') ? undefined : findAccount(kind, account);
  if (id === undefined)
    throw invalidArgument(what, `be the name or id of a ${kind} of this machine`, account);
  return id;
}

/** Whether users or groups of the list are those of the subject. What stands for groups that are not mapped names none. */
export function admits(access: Access, { uid, groups }: Subject): boolean {
  if (access.users.includes(uid)) return true;
  const overflowGid = overflowIds().gid;
  return access.groups.some((gid) => gid !== overflowGid && groups.has(gid));
}

/** This process. */
export function ownSubject(): Subject {
  return { uid: ownUser(), groups: new Set([process.getegid?.() ?? -1, ...(process.getgroups?.() ?? [])]) };
}

/** The effective user, or -1 where there are no users (not Linux). */
export function ownUser(): number {
  return process.geteuid?.() ?? -1;
}

/** What a file says of it. */
export function writeAccess(access: Access): Readonly<Record<string, unknown>> {
  return { ...access, userNamespace: ownUserNamespace() };
}

/**
 * What a file says, which another user may have written; undefined: everybody. Throws ERR_SEALANE_PROTOCOL, and ERR_SEALANE_ACCESS_DENIED
 * for ids of another user namespace.
 */
export function parseAccess(value: unknown): Access | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value)) throw protocolError(`its access is ${describe(value)}`);
  const { users, groups, userNamespace } = value;
  const access = { users: parseIds('user', users), groups: parseIds('group', groups) };
  const own = ownUserNamespace();
  if (own !== '' && userNamespace === own) return access;
  throw new SealaneError(
    'ERR_SEALANE_ACCESS_DENIED',
    'it lets in users and groups by the ids of another user namespace, where they may be others than here: take part from the namespace of ' +
      'its creator, or let its creator state no access',
  );
}

function parseIds(kind: 'user' | 'group', value: unknown): number[] {
  try {
    if (!Array.isArray(value) || value.some((id) => typeof id !== 'number'))
      throw protocolError(`its access has the ${kind}s ${describe(value)}`);
    return checkIds(kind, value);
  } catch (error) {
    throw isSealaneError(error, 'ERR_SEALANE_INVALID_ARGUMENT') ? protocolError(error.message) : error;
  }
}

/** In words, for messages. */
export function describeAccess({ users, groups }: Access): string {
  const parts = [
    ...(users.length > 0 ? [`users ${users.join(', ')}`] : []),
    ...(groups.length > 0 ? [`groups ${groups.join(', ')}`] : []),
  ];
  return parts.length > 0 ? parts.join(' and ') : 'its own user only';
}

/** What the kernel calls this process's user namespace: a number that no other one has at the same time. Empty: it does not tell. */
function ownUserNamespace(): string {
  try {
    return /^user:\[(\d+)\]$/.exec(readlinkSync('/proc/self/ns/user'))?.[1] ?? '';
  } catch {
    return '';
  }
}
