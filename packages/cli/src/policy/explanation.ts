/**
 * What a policy lets one caller do, told line by line with the entry that decides. Owns the form only: the library's policy is asked.
 */
import type { PolicyOptions, PolicyQuota } from 'sealane';
import { explainPolicy, type PolicyCaller, type PolicyExplanation } from 'sealane/internal';
import { usageError } from '../failure.js';
import { formatBytes, formatCount } from '../terminal/units.js';
import { findId, findUser } from './accounts.js';
import type { Position } from './positions.js';

/** The options that say for whom to explain. */
export interface CallerOptions {
  /** USER[:GROUP,...]: names or ids. */
  as?: string | undefined;
  job?: string | undefined;
  cgroup?: string | undefined;
  /** False: objects without a name. */
  name?: string | false | undefined;
}

/** A question, its answer, and the entry that decides. */
export interface Fact {
  readonly what: string;
  readonly answer: string;
  readonly because: string;
}

/** An explanation, as values and as lines. */
export interface Explained {
  readonly caller: PolicyCaller & { readonly user: string | undefined };
  readonly explanation: PolicyExplanation;
  /** Whether it may connect as it wants to. */
  readonly connects: boolean;
  readonly facts: readonly Fact[];
}

const RIGHTS = ['put', 'get', 'list', 'drop'] as const;

/** Undefined when nobody is asked about. Throws CommandError for accounts that there are not, and for a question about nobody. */
export async function explain(
  policy: PolicyOptions,
  options: CallerOptions,
  positions: ReadonlyMap<string, Position>,
): Promise<Explained | undefined> {
  const { as, job, cgroup, name } = options;
  if (as === undefined) {
    if (job === undefined && cgroup === undefined && name === undefined) return undefined;
    throw usageError('--job, --cgroup and --name ask about a caller', 'say which with --as USER[:GROUP,...]');
  }
  const caller = { ...(await findCaller(as)), job, cgroup };
  const explanation = explainPolicy(policy, caller, name === false ? null : name);
  const connects =
    !explanation.unmapped &&
    explanation.admit !== undefined &&
    (job === undefined || explanation.job !== undefined);
  const facts = [...factsOf({ caller, explanation, connects }, policy, name, whereIn(positions))];
  return { caller, explanation, connects, facts };
}

/** `alice`, `1001`, `alice:video,44`: without groups, those that the user has on this machine. */
async function findCaller(
  as: string,
): Promise<{ uid: number; user: string | undefined; groups: readonly number[] }> {
  const [userText = '', groupText] = as.split(/:(.*)/s, 2);
  const account = accountOf(userText, 'user');
  const user = await findUser(account);
  const uid = user?.uid ?? (typeof account === 'number' ? account : undefined);
  if (uid === undefined) throw unknown('user', userText);
  if (groupText === undefined) return { uid, user: user?.name, groups: user?.groups ?? [] };
  const groups: number[] = [];
  for (const text of groupText.split(',')) {
    const group = accountOf(text, 'group');
    const gid = typeof group === 'number' ? group : await findId('group', group);
    if (gid === undefined) throw unknown('group', text);
    groups.push(gid);
  }
  return { uid, user: user?.name, groups };
}

function accountOf(text: string, kind: string): string | number {
  if (/^\d+$/.test(text)) return Number(text);
  if (/^[^\p{Cc}:,/-][^\p{Cc}:,/]*$/u.test(text)) return text;
  throw usageError(
    `invalid --as: ${JSON.stringify(text)} is no ${kind}`,
    'it takes USER[:GROUP,...], names or ids',
  );
}

function unknown(kind: string, text: string): Error {
  return usageError(
    `there is no ${kind} ${text} on this machine`,
    `give the id of a ${kind} that is known elsewhere`,
  );
}

/** `grant[1] (line 17)` */
function whereIn(positions: ReadonlyMap<string, Position>): (section: string, index: number) => string {
  return (section, index) => {
    const at = `${section}[${index}]`;
    const line = positions.get(at)?.line;
    return line === undefined ? at : `${at} (line ${line})`;
  };
}

type Where = ReturnType<typeof whereIn>;

function* factsOf(
  { caller, explanation, connects }: Omit<Explained, 'facts'>,
  policy: PolicyOptions,
  name: CallerOptions['name'],
  where: Where,
): Generator<Fact> {
  const { job } = caller;
  yield { what: 'connect', ...admission(explanation, where) };
  if (job !== undefined) {
    const { job: index } = explanation;
    const because = index === undefined ? 'no [[job]] binds it to this caller' : where('job', index);
    yield { what: `act as job ${job}`, answer: index === undefined ? 'no' : 'yes', because };
  }
  if (!connects) return;
  for (const right of RIGHTS) yield* factsOfRight(right, explanation, name, where);
  yield { what: 'own objects', answer: 'get, list, drop', because: describeOwn(caller) };
  yield* factsOfQuotas(explanation, caller, policy.quotas ?? [], where);
}

function admission({ unmapped, admit }: PolicyExplanation, where: Where): Omit<Fact, 'what'> {
  if (unmapped) return { answer: 'no', because: 'this id stands for all users that are not known' };
  if (admit === undefined)
    return { answer: 'no', because: 'no [[admit]] fits; only the user of the broker needs none' };
  return { answer: 'yes', because: where('admit', admit) };
}

function* factsOfRight(
  right: (typeof RIGHTS)[number],
  { grants }: PolicyExplanation,
  name: CallerOptions['name'],
  where: Where,
): Generator<Fact> {
  const holding = grants.filter(({ may }) => may.includes(right));
  const what = name === undefined ? right : `${right} ${name === false ? 'objects without a name' : name}`;
  if (holding.length === 0) yield { what, answer: 'no', because: 'no [[grant]] says so' };
  for (const { index, names } of holding)
    yield { what, answer: name === undefined ? names.join(', ') : 'yes', because: where('grant', index) };
}

function* factsOfQuotas(
  { userQuota, jobQuota }: PolicyExplanation,
  { uid, job }: PolicyCaller,
  quotas: readonly PolicyQuota[],
  where: Where,
): Generator<Fact> {
  const given = [
    [`quota of user ${uid}`, userQuota],
    [`quota of job ${job}`, jobQuota],
  ] as const;
  for (const [what, index] of given)
    if (index !== undefined)
      yield { what, answer: describeLimits(quotas[index]), because: where('quota', index) };
}

/** `user 1000 (alice); groups 44; no job` */
export function describeCaller({ uid, user, groups, cgroup, job }: Explained['caller']): string {
  const parts = [user === undefined ? `user ${uid}` : `user ${uid} (${user})`];
  parts.push(groups.length === 0 ? 'no groups' : `groups ${groups.join(', ')}`);
  if (cgroup !== undefined) parts.push(`control group ${cgroup}`);
  parts.push(job === undefined ? 'no job' : `job ${job}`);
  return parts.join('; ');
}

function describeOwn({ uid, job }: PolicyCaller): string {
  const users = `what user ${uid} put for no job`;
  return job === undefined ? users : `what job ${job} owns, and ${users}`;
}

function describeLimits({ maxObjects, maxBytes, maxRecordBytes }: PolicyQuota = {}): string {
  const limits = [
    maxObjects === undefined ? [] : formatCount(maxObjects, 'object'),
    maxBytes === undefined ? [] : formatBytes(maxBytes),
    maxRecordBytes === undefined ? [] : `${formatBytes(maxRecordBytes)} of records`,
  ].flat();
  return limits.length === 0 ? 'no limit' : limits.join(', ');
}
