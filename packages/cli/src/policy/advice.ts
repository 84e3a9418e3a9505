/**
 * What a policy may say, and surely does not mean: entries that can never matter, and policies that let nobody do anything.
 * Warns only of what is certain. Pure.
 */
import type { PolicyGrant, PolicyJob, PolicyOptions, PolicyQuota, PolicySubject } from 'sealane';
import { MAX_JOB_BYTES, NamePattern, overflowIds } from 'sealane/internal';
import type { Position } from './positions.js';
import { type Problem, problemAt } from './problems.js';

/** Notes a warning. */
type Warn = (at: string, message: string) => void;

/** The warnings about a policy that is right. */
export function adviseOn(policy: PolicyOptions, positions: ReadonlyMap<string, Position>): Problem[] {
  const problems: Problem[] = [];
  const warn: Warn = (at, message) => problems.push(problemAt('warning', at, message, positions));
  const { admit = [], jobs = [], grants = [], quotas = [] } = policy;
  adviseOnTheWhole(policy, (message) => problems.push({ severity: 'warning', message }));
  for (const [index, subject] of admit.entries())
    adviseOnSubject(`admit[${index}]`, subject, undefined, warn);
  for (const [index, job] of jobs.entries()) adviseOnJob(`job[${index}]`, job, admit, warn);
  for (const [index, grant] of grants.entries()) adviseOnGrant(`grant[${index}]`, grant, policy, warn);
  for (const [index, quota] of quotas.entries()) adviseOnQuota(index, quota, policy, warn);
  return problems;
}

function adviseOnTheWhole({ admit = [], grants = [] }: PolicyOptions, warn: (message: string) => void): void {
  if (admit.length === 0) warn('nobody is admitted but the user of the broker: there is no [[admit]]');
  if (!grants.some(({ may }) => may.includes('put')))
    warn('nobody may put anything: there is no [[grant]] with "put" in may');
}

function adviseOnSubject(
  at: string,
  { users = [], groups = [], cgroups = [] }: PolicySubject,
  admit: readonly PolicySubject[] | undefined,
  warn: Warn,
): void {
  const overflow = overflowIds();
  for (const [index, uid] of users.entries()) {
    const place = `${at}.users[${index}]`;
    if (uid === overflow.uid)
      warn(place, `is ${uid}, which stands for all users that are not known: it is always refused`);
    else if (admit !== undefined && !mayBeAdmitted(uid, admit))
      warn(place, `is ${uid}, whom no [[admit]] admits: it matters only if that is the user of the broker`);
  }
  for (const [index, gid] of groups.entries())
    if (gid === overflow.gid)
      warn(
        `${at}.groups[${index}]`,
        `is ${gid}, which stands for all groups that are not known: nobody counts as a member`,
      );
  for (const [index, text] of cgroups.entries()) adviseOnCgroup(`${at}.cgroups[${index}]`, text, warn);
}

/** Groups and control groups of a user are not known here. */
function mayBeAdmitted(uid: number, admit: readonly PolicySubject[]): boolean {
  return admit.some(({ users }) => users === undefined || users.includes(uid));
}

function adviseOnCgroup(at: string, text: string, warn: Warn): void {
  if (text.startsWith('*'))
    warn(
      at,
      `is ${quote(text)}: it fits control groups that users make for themselves; begin it with the path of a slice`,
    );
  else if (!text.startsWith('/'))
    warn(at, `is ${quote(text)}, and fits nothing: paths of control groups begin with /`);
  else if (text !== '/' && /\/$|\/\/|\/\.{1,2}(?:\/|$)/.test(text))
    warn(
      at,
      `is ${quote(text)}, and fits nothing: paths of control groups have no empty parts, no . and no ..`,
    );
}

function adviseOnJob(at: string, job: PolicyJob, admit: readonly PolicySubject[], warn: Warn): void {
  adviseOnSubject(at, job, admit, warn);
  adviseOnJobIds(`${at}.ids`, job.ids, warn);
}

function adviseOnJobIds(at: string, ids: readonly string[], warn: Warn): void {
  for (const [index, text] of ids.entries())
    if (leastBytes(text) > MAX_JOB_BYTES)
      warn(`${at}[${index}]`, `fits nothing: a job id has at most ${MAX_JOB_BYTES} bytes`);
}

function adviseOnGrant(
  at: string,
  grant: PolicyGrant,
  { admit = [], jobs = [] }: PolicyOptions,
  warn: Warn,
): void {
  adviseOnSubject(at, grant, admit, warn);
  for (const [index, text] of (grant.jobs ?? []).entries())
    adviseOnBinding(`${at}.jobs[${index}]`, text, jobs, warn);
  for (const [index, text] of grant.names.entries()) adviseOnName(`${at}.names[${index}]`, text, warn);
}

/** A job that nobody can act under. */
function adviseOnBinding(at: string, text: string, jobs: readonly PolicyJob[], warn: Warn): void {
  const wanted = new NamePattern(text);
  const bound = jobs.some(({ ids }) => ids.some((id) => mayMeet(wanted, new NamePattern(id))));
  if (!bound)
    warn(at, `is ${quote(text)}, and no [[job]] binds such a job to anybody: nobody can act under it`);
}

/** Whether a text may fit both patterns. Where both have stars, only what they begin with is compared. */
function mayMeet(a: NamePattern, b: NamePattern): boolean {
  if (a.literal !== undefined) return b.matches(a.literal);
  if (b.literal !== undefined) return a.matches(b.literal);
  return a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
}

/** Objects that are named by their digest are named in lower case. */
function adviseOnName(at: string, text: string, warn: Warn): void {
  if (/^sha256:[0-9a-f*]*[A-F]/i.test(text) && text !== text.toLowerCase())
    warn(at, `is ${quote(text)}: the names that digests give are written in lower case`);
}

function adviseOnQuota(index: number, quota: PolicyQuota, policy: PolicyOptions, warn: Warn): void {
  const at = `quota[${index}]`;
  const { maxObjects, maxBytes, maxRecordBytes } = quota;
  if ([maxObjects, maxBytes, maxRecordBytes].every((limit) => limit === undefined))
    warn(at, 'limits nothing: it has neither objects nor bytes nor records');
  const earlier = (policy.quotas ?? []).slice(0, index);
  for (const kind of ['users', 'groups'] as const)
    for (const [place, id] of (quota[kind] ?? []).entries())
      if (earlier.some((other) => other[kind]?.includes(id)))
        warn(
          `${at}.${kind}[${place}]`,
          `is ${id}, for whom an earlier [[quota]] counts: the first that fits does`,
        );
  for (const [place, text] of (quota.jobs ?? []).entries())
    adviseOnBinding(`${at}.jobs[${place}]`, text, policy.jobs ?? [], warn);
}

/** Bytes of the shortest text that fits. */
function leastBytes(pattern: string): number {
  return Buffer.byteLength(
    pattern.replace(/\\([*\\])|\*/g, (_, literal: string | undefined) => literal ?? ''),
  );
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}
