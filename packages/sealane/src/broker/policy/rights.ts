/** What one peer may do under one job, by one policy. Owns nothing but what it looked up once. */
import { SealaneError } from '../../base/errors.js';
import type { PeerIdentity } from '../../os/peer.js';
import type { NamePattern } from '../../wire/index.js';
import type { Right, Rights } from '../access.js';
import type { Account } from '../quota.js';
import { type Budget, matchUnits } from '../work.js';
import type { Policy } from './policy.js';

/** Patterns whose beginning is compared for one unit of work. */
const PATTERNS_PER_UNIT = 8;

export class PolicyRights implements Rights {
  /** Without a job a caller has what belongs to its user, and what is granted. */
  readonly unscoped = false;
  #account: Account | undefined;

  constructor(
    private readonly policy: Policy,
    private readonly peer: PeerIdentity,
    private readonly granted: ReadonlyMap<Right, readonly NamePattern[]>,
  ) {}

  grants(right: Right, name: string | undefined, budget?: Budget): boolean {
    const patterns = this.granted.get(right);
    if (patterns === undefined) return false;
    if (budget !== undefined) budget.units -= Math.floor(patterns.length / PATTERNS_PER_UNIT);
    return patterns.some((pattern) => coversName(pattern, name, budget));
  }

  grantsAll(right: Right): boolean {
    return this.grants(right, undefined);
  }

  checkPut(name: string | undefined): void {
    if (this.grants('put', name)) return;
    const { uid } = this.peer;
    const what = name === undefined ? 'an object without a name' : `an object named ${cut(name)}`;
    throw new SealaneError(
      'ERR_SEALANE_ACCESS_DENIED',
      `user ${uid} may not put ${what}: the broker's policy does not grant it; choose a name that is granted, act under a job to which it is granted, or have the policy changed`,
    );
  }

  account(owner: string | undefined): Account {
    if (this.#account === undefined || this.#account.job !== owner) this.#account = this.#makeAccount(owner);
    return this.#account;
  }

  #makeAccount(owner: string | undefined): Account {
    const { peer, policy } = this;
    const userLimits = policy.userLimits(peer);
    const account = {
      uid: peer.uid,
      shelf: policy.shelfOf(),
      ...(userLimits === undefined ? {} : { userLimits }),
    };
    if (owner === undefined) return account;
    policy.checkJob(peer, owner);
    const jobLimits = policy.jobLimits(owner);
    return { ...account, job: owner, ...(jobLimits === undefined ? {} : { jobLimits }) };
  }
}

/** Whether a pattern of a grant means objects of this name, or, without one, objects without a name. Counts what that cost. */
export function coversName(pattern: NamePattern, name: string | undefined, budget?: Budget): boolean {
  if (name === undefined) return pattern.text === '*';
  if (!name.startsWith(pattern.prefix)) return false;
  if (budget !== undefined) budget.units -= matchUnits(name.length + pattern.text.length);
  return pattern.matches(name);
}

/** A name may be as long as 64 KiB. */
function cut(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 117)}...` : name);
}
