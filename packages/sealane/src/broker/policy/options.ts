/**
 * What a policy says, as values: who is admitted, who may act under which job, what is granted by name, and quotas. Checked here,
 * so that a policy is taken as a whole or not at all. Owns no rule: policy.ts has them.
 */
import { checkInteger, checkOptions, checkText } from '../../base/check.js';
import { invalidArgument } from '../../base/errors.js';
import { MAX_PATTERN_BYTES } from '../../base/limits.js';
import { NamePattern } from '../../wire/index.js';
import type { Right } from '../access.js';

/**
 * Who is meant. Of the kinds that are given all must fit (a user of this group in that control group), of each list one entry.
 * Nobody is meant by an empty subject: `everyone` has to be said.
 */
export interface PolicySubject {
  /** All that are admitted. */
  everyone?: boolean | undefined;
  /** User ids. */
  users?: readonly number[] | undefined;
  /** Group ids: the effective group of a process, or one of its supplementary groups. */
  groups?: readonly number[] | undefined;
  /**
   * Patterns of paths in the unified control group hierarchy, for example `/system.slice/camera.service`. Needs Linux 6.5
   * (SO_PEERPIDFD); before that nobody fits.
   */
  cgroups?: readonly string[] | undefined;
}

/** Binds job ids to those who may act under them. */
export interface PolicyJob extends PolicySubject {
  /** Patterns of job ids. */
  ids: readonly string[];
}

/** Lets a subject do something with objects of some names, whomever they belong to. */
export interface PolicyGrant extends PolicySubject {
  /** Patterns of job ids, one of which the caller acts under. */
  jobs?: readonly string[] | undefined;
  /** Patterns of names; `*` alone also means objects without a name. */
  names: readonly string[];
  /** What may be done: to stat is to list, to watch and to wait is to get. */
  may: readonly Right[];
}

/** Limits for each of some users, or for each of some jobs. The first that fits a user, or a job, counts. */
export interface PolicyQuota {
  /** User ids. */
  users?: readonly number[] | undefined;
  /** Group ids: for each user whose process is in one of them. */
  groups?: readonly number[] | undefined;
  /** Patterns of job ids: for each job, over all users. */
  jobs?: readonly string[] | undefined;
  maxObjects?: number | undefined;
  maxBytes?: number | undefined;
  maxRecordBytes?: number | undefined;
}

/** A policy. What is absent is empty: nobody but the broker's user is admitted, no job exists, nothing is granted. */
export interface PolicyOptions {
  /** Who may connect, beside the broker's own user. */
  admit?: readonly PolicySubject[] | undefined;
  jobs?: readonly PolicyJob[] | undefined;
  grants?: readonly PolicyGrant[] | undefined;
  quotas?: readonly PolicyQuota[] | undefined;
}

const SUBJECT_KEYS = ['everyone', 'users', 'groups', 'cgroups'] as const;
const RIGHTS: readonly Right[] = ['put', 'get', 'list', 'drop'];
const LIMIT_KEYS = ['maxObjects', 'maxBytes', 'maxRecordBytes'] as const;

/** The greatest user or group id: 2^32 - 1 means none. */
const MAX_ID = 4_294_967_294;

/** Throws ERR_SEALANE_INVALID_ARGUMENT, naming the entry, unless `value` is a policy. */
export function checkPolicy(name: string, value: unknown): asserts value is PolicyOptions {
  checkOptions(name, value, ['admit', 'jobs', 'grants', 'quotas']);
  const { admit, jobs, grants, quotas } = value as Record<string, unknown>;
  each(`${name}.admit`, admit, (at, entry) => checkSubject(at, entry, []));
  each(`${name}.jobs`, jobs, checkJob);
  each(`${name}.grants`, grants, checkGrant);
  each(`${name}.quotas`, quotas, checkQuota);
}

function checkJob(name: string, value: unknown): void {
  checkSubject(name, value, ['ids']);
  patterns(`${name}.ids`, (value as PolicyJob).ids, true);
}

function checkGrant(name: string, value: unknown): void {
  checkSubject(name, value, ['jobs', 'names', 'may']);
  const { jobs, names, may } = value as PolicyGrant;
  patterns(`${name}.jobs`, jobs, false);
  patterns(`${name}.names`, names, true);
  filled(`${name}.may`, may);
  each(`${name}.may`, may, (at, right) => {
    if (!RIGHTS.includes(right as Right)) throw invalidArgument(at, `be one of ${RIGHTS.join(', ')}`, right);
  });
}

function checkQuota(name: string, value: unknown): void {
  checkOptions(name, value, ['users', 'groups', 'jobs', ...LIMIT_KEYS]);
  const quota = value as PolicyQuota;
  ids(`${name}.users`, quota.users);
  ids(`${name}.groups`, quota.groups);
  patterns(`${name}.jobs`, quota.jobs, false);
  const kinds = [quota.users, quota.groups, quota.jobs].filter((list) => list !== undefined).length;
  if (kinds !== 1) throw invalidArgument(name, 'have exactly one of users, groups and jobs', value);
  for (const key of LIMIT_KEYS)
    if (quota[key] !== undefined) checkInteger(`${name}.${key}`, quota[key], 0, Number.MAX_SAFE_INTEGER);
}

function checkSubject(name: string, value: unknown, more: readonly string[]): void {
  checkOptions(name, value, [...SUBJECT_KEYS, ...more]);
  const { everyone, users, groups, cgroups, jobs } = value as PolicySubject & { jobs?: unknown };
  ids(`${name}.users`, users);
  ids(`${name}.groups`, groups);
  patterns(`${name}.cgroups`, cgroups, false);
  if (everyone !== undefined && typeof everyone !== 'boolean')
    throw invalidArgument(`${name}.everyone`, 'be true or false', everyone);
  const given = [users, groups, cgroups, jobs].some((list) => list !== undefined);
  if ((everyone === true) !== given) return;
  throw invalidArgument(name, 'say who is meant: everyone = true, or users, groups, cgroups', value);
}

function ids(name: string, value: unknown): void {
  if (value !== undefined) filled(name, value);
  each(name, value, (at, id) => checkInteger(at, id, 0, MAX_ID));
}

function patterns(name: string, value: unknown, required: boolean): void {
  if (required || value !== undefined) filled(name, value);
  each(name, value, (at, text) => {
    checkText(at, text, 1, MAX_PATTERN_BYTES);
    new NamePattern(text);
  });
}

function filled(name: string, value: unknown): void {
  if (!Array.isArray(value) || value.length === 0)
    throw invalidArgument(name, 'be a list that is not empty', value);
}

function each(name: string, value: unknown, check: (name: string, entry: unknown) => void): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) throw invalidArgument(name, 'be a list', value);
  for (const [index, entry] of value.entries()) check(`${name}[${index}]`, entry);
}
