/**
 * From the document of a policy file to the values that a broker takes: names of users and groups become ids. Entries keep their
 * positions: `grant[2]` of the file is `grants[2]` of the policy. Owns no rule.
 */
import type { PolicyOptions, PolicySubject } from 'sealane';
import { findId } from './accounts.js';
import type { Account, PolicyDocument } from './document.js';
import type { Position } from './positions.js';
import { type Problem, problemAt } from './problems.js';

/** A policy, and the accounts that its file names and this machine does not know. */
export interface Translation {
  /** Undefined where a name means nobody. */
  readonly options: PolicyOptions | undefined;
  readonly problems: readonly Problem[];
}

type Kind = 'user' | 'group';

/** Where an account is named. */
interface Mention {
  readonly kind: Kind;
  readonly account: Account;
  readonly at: string;
}

/** The ids of names. */
type Ids = Readonly<Record<Kind, ReadonlyMap<string, number>>>;

/**
 * Looks the names up. With `checkIds`, ids are looked up too, and those that nobody has are warned of: they are legal, since
 * containers have users of their own.
 */
export async function translate(
  document: PolicyDocument,
  positions: ReadonlyMap<string, Position>,
  checkIds: boolean,
): Promise<Translation> {
  const ids = { user: new Map<string, number>(), group: new Map<string, number>() };
  const unknown = new Set<string>();
  const problems: Problem[] = [];
  for (const { kind, account, at } of mentionsIn(document)) {
    if (typeof account === 'number' && !checkIds) continue;
    const key = `${kind} ${JSON.stringify(account)}`;
    if (!unknown.has(key) && !ids[kind].has(key)) {
      const id = await findId(kind, account);
      if (id === undefined) unknown.add(key);
      else ids[kind].set(key, id);
    }
    if (unknown.has(key)) problems.push(unknownAccount(kind, account, at, positions));
  }
  const wrong = problems.some(({ severity }) => severity === 'error');
  return { options: wrong ? undefined : toOptions(document, ids), problems };
}

function unknownAccount(
  kind: Kind,
  account: Account,
  at: string,
  positions: ReadonlyMap<string, Position>,
): Problem {
  const text = JSON.stringify(account);
  return typeof account === 'number'
    ? problemAt('warning', at, `is ${text}, and this machine has no ${kind} with that id`, positions)
    : problemAt('error', at, `must be a ${kind} of this machine; it has none named ${text}`, positions);
}

function* mentionsIn(document: PolicyDocument): Generator<Mention> {
  for (const section of ['admit', 'job', 'grant', 'quota'] as const) {
    for (const [index, { users, groups }] of document[section].entries()) {
      const at = `${section}[${index}]`;
      for (const [place, account] of (users ?? []).entries())
        yield { kind: 'user', account, at: `${at}.users[${place}]` };
      for (const [place, account] of (groups ?? []).entries())
        yield { kind: 'group', account, at: `${at}.groups[${place}]` };
    }
  }
}

function toOptions(document: PolicyDocument, ids: Ids): PolicyOptions {
  const { admit, job, grant, quota } = document;
  return {
    admit: admit.map((entry) => toSubject(entry, ids)),
    jobs: job.map((entry) => ({ ids: entry.ids, ...toSubject(entry, ids) })),
    grants: grant.map((entry) => ({
      names: entry.names,
      may: entry.may,
      jobs: entry.jobs,
      ...toSubject(entry, ids),
    })),
    quotas: quota.map(({ users, groups, jobs, objects, bytes, records }) => ({
      users: toIds('user', users, ids),
      groups: toIds('group', groups, ids),
      jobs,
      maxObjects: objects,
      maxBytes: bytes,
      maxRecordBytes: records,
    })),
  };
}

function toSubject(entry: PolicyDocument['admit'][number], ids: Ids): PolicySubject {
  const { everyone, users, groups, cgroups } = entry;
  return { everyone, users: toIds('user', users, ids), groups: toIds('group', groups, ids), cgroups };
}

/** A name that has no id is a problem already, and the policy is not used. */
function toIds(kind: Kind, accounts: readonly Account[] | undefined, ids: Ids): number[] | undefined {
  return accounts?.flatMap((account) => {
    if (typeof account === 'number') return account;
    return ids[kind].get(`${kind} ${JSON.stringify(account)}`) ?? [];
  });
}
