/**
 * What a policy lets somebody do, and because of which of its entries: for administrators, who ask before they let a broker decide.
 * Owns no rule: the policy that a broker would use is asked. Pure.
 */
import type { PeerIdentity } from '../../os/peer.js';
import type { NamePattern } from '../../wire/index.js';
import type { Right } from '../access.js';
import { Admission } from '../identity.js';
import { checkPolicy, type PolicyOptions } from './options.js';
import { Policy } from './policy.js';
import { coversName } from './rights.js';

/** No user has this id: what the broker's own user may do by being that is left out. */
const NOBODY = -1;

/** Whom to explain a policy for: what the kernel would say of a process. */
export interface PolicyCaller {
  readonly uid: number;
  /** Its groups, the effective one among them. */
  readonly groups: readonly number[];
  /** Its control group, if it has one that can be told. */
  readonly cgroup?: string | undefined;
  /** The job that it names when it connects. */
  readonly job?: string | undefined;
}

/** A grant that holds for a caller. */
export interface ExplainedGrant {
  readonly index: number;
  readonly may: readonly Right[];
  /** The patterns that hold: all of the grant, or those that mean the name that was asked for. */
  readonly names: readonly string[];
}

/** Entries are named by their positions in the lists of the policy. */
export interface PolicyExplanation {
  /** Its user id is the one that stands for all users whom a user namespace does not map: it is refused, whatever the policy says. */
  readonly unmapped: boolean;
  /** The entry that admits it; the broker's own user needs none. */
  readonly admit: number | undefined;
  /** The entry that lets it act under its job. */
  readonly job: number | undefined;
  readonly grants: readonly ExplainedGrant[];
  /** The quota that counts for its user. */
  readonly userQuota: number | undefined;
  /** The quota that counts for its job. */
  readonly jobQuota: number | undefined;
}

/**
 * Explains what a policy lets a caller do: at all, or with objects of one name (null: with objects without a name).
 * Throws ERR_SEALANE_INVALID_ARGUMENT for a policy that is malformed.
 */
export function explainPolicy(
  options: PolicyOptions,
  caller: PolicyCaller,
  name?: string | null,
): PolicyExplanation {
  checkPolicy('policy', options);
  const admission = new Admission(NOBODY, [], false);
  const policy = new Policy(admission, options);
  const { uid, groups, cgroup, job } = caller;
  // Any process: which one it is decides nothing.
  const peer: PeerIdentity = { pid: 1, uid, gid: groups[0] ?? uid, groups: new Set(groups), cgroup };
  return {
    unmapped: admission.unmapped(peer) !== undefined,
    admit: policy.admittedBy(peer),
    job: job === undefined ? undefined : policy.boundBy(peer, job),
    grants: explainGrants(policy, peer, job, name),
    userQuota: policy.userQuotaOf(peer),
    jobQuota: job === undefined ? undefined : policy.jobQuotaOf(job),
  };
}

function explainGrants(
  policy: Policy,
  peer: PeerIdentity,
  job: string | undefined,
  name: string | null | undefined,
): ExplainedGrant[] {
  const holds = (pattern: NamePattern): boolean =>
    name === undefined || coversName(pattern, name === null ? undefined : name);
  return [...policy.grantsFor(peer, job)].flatMap(([index, { may, names }]) => {
    const held = names.filter(holds).map(({ text }) => text);
    return held.length === 0 ? [] : [{ index, may, names: held }];
  });
}
