/**
 * The rules of a policy: everyone that is admitted shares one shelf, and what a caller may do there follows from its user, its job
 * and what is granted to it by name. Fails closed: what the policy does not say is refused.
 * Owns the compiled entries; immutable, so that a new policy replaces it as a whole.
 */
import { SealaneError } from '../../base/errors.js';
import type { PeerIdentity } from '../../os/peer.js';
import { NamePattern } from '../../wire/index.js';
import type { Right } from '../access.js';
import type { Authority } from '../authority.js';
import { type Admission, untrusted } from '../identity.js';
import type { AccountLimits } from '../quota.js';
import type { PolicyGrant, PolicyJob, PolicyOptions, PolicyQuota } from './options.js';
import { PolicyRights } from './rights.js';
import { isMember, Patterns, Subject } from './subject.js';

/** The one shelf. No user has this id. */
const SHARED_SHELF = -1;

interface JobEntry {
  readonly subject: Subject;
  readonly ids: Patterns;
}

/** A grant, compiled. */
export interface GrantEntry {
  readonly subject: Subject;
  readonly jobs: Patterns | undefined;
  readonly names: readonly NamePattern[];
  readonly may: readonly Right[];
}

interface QuotaEntry {
  readonly users: ReadonlySet<number> | undefined;
  readonly groups: ReadonlySet<number> | undefined;
  readonly jobs: Patterns | undefined;
  readonly limits: AccountLimits;
}

export class Policy implements Authority {
  readonly #admitted: readonly Subject[];
  readonly #jobs: readonly JobEntry[];
  readonly #grants: readonly GrantEntry[];
  readonly #quotas: readonly QuotaEntry[];

  /** Takes options that were checked. */
  constructor(
    private readonly admission: Admission,
    options: PolicyOptions,
  ) {
    this.#admitted = (options.admit ?? []).map((subject) => new Subject(subject));
    this.#jobs = (options.jobs ?? []).map(compileJob);
    this.#grants = (options.grants ?? []).map(compileGrant);
    this.#quotas = (options.quotas ?? []).map(compileQuota);
  }

  refusal(peer: PeerIdentity): SealaneError | undefined {
    const unmapped = this.admission.unmapped(peer);
    if (unmapped !== undefined || peer.uid === this.admission.ownUid) return unmapped;
    if (this.admittedBy(peer) !== undefined) return undefined;
    return untrusted(
      `user ${peer.uid} (process ${peer.pid}) is not admitted by this broker's policy; its owner can admit it in a section admit`,
    );
  }

  shelfOf(): number {
    return SHARED_SHELF;
  }

  rights(peer: PeerIdentity, job: string | undefined): PolicyRights {
    if (job !== undefined) this.checkJob(peer, job);
    return new PolicyRights(this, peer, this.#grantedTo(peer, job));
  }

  /** Throws ERR_SEALANE_ACCESS_DENIED unless the peer may act under the job. */
  checkJob(peer: PeerIdentity, job: string): void {
    if (this.boundBy(peer, job) !== undefined) return;
    throw new SealaneError(
      'ERR_SEALANE_ACCESS_DENIED',
      `process ${peer.pid} of user ${peer.uid} may not act as job ${JSON.stringify(job)}: no section of the broker's policy ` +
        'binds that job to it; connect without a job, or have the policy changed',
    );
  }

  userLimits(peer: PeerIdentity): AccountLimits | undefined {
    return this.#quotas[this.userQuotaOf(peer) ?? -1]?.limits;
  }

  jobLimits(job: string): AccountLimits | undefined {
    return this.#quotas[this.jobQuotaOf(job) ?? -1]?.limits;
  }

  /** The first entry that admits the peer, by its position. */
  admittedBy(peer: PeerIdentity): number | undefined {
    return found(this.#admitted.findIndex((subject) => subject.fits(peer)));
  }

  /** The first entry that lets the peer act under the job. */
  boundBy(peer: PeerIdentity, job: string): number | undefined {
    return found(this.#jobs.findIndex(({ subject, ids }) => ids.match(job) && subject.fits(peer)));
  }

  /** The quota that counts for the peer's user. */
  userQuotaOf(peer: PeerIdentity): number | undefined {
    return found(
      this.#quotas.findIndex(
        ({ users, groups }) =>
          users?.has(peer.uid) === true || (groups !== undefined && isMember(peer, groups)),
      ),
    );
  }

  /** The quota that counts for the job. */
  jobQuotaOf(job: string): number | undefined {
    return found(this.#quotas.findIndex(({ jobs }) => jobs?.match(job) === true));
  }

  /** The grants that hold for the peer under the job, each with its position. */
  *grantsFor(peer: PeerIdentity, job: string | undefined): Generator<[number, GrantEntry]> {
    for (const [index, grant] of this.#grants.entries()) {
      if (grant.jobs !== undefined && (job === undefined || !grant.jobs.match(job))) continue;
      if (grant.subject.fits(peer)) yield [index, grant];
    }
  }

  #grantedTo(peer: PeerIdentity, job: string | undefined): Map<Right, NamePattern[]> {
    const granted = new Map<Right, NamePattern[]>();
    for (const [, { may, names }] of this.grantsFor(peer, job)) {
      for (const right of may) {
        const patterns = granted.get(right) ?? [];
        for (const pattern of names) patterns.push(pattern);
        granted.set(right, patterns);
      }
    }
    return granted;
  }
}

/** A position, from what findIndex found. */
function found(index: number): number | undefined {
  return index < 0 ? undefined : index;
}

function compileJob(job: PolicyJob): JobEntry {
  return { subject: new Subject(job), ids: new Patterns(job.ids) };
}

function compileGrant(grant: PolicyGrant): GrantEntry {
  return {
    subject: new Subject(grant),
    jobs: grant.jobs === undefined ? undefined : new Patterns(grant.jobs),
    names: grant.names.map((text) => new NamePattern(text)),
    may: [...grant.may],
  };
}

function compileQuota({
  users,
  groups,
  jobs,
  maxObjects,
  maxBytes,
  maxRecordBytes,
}: PolicyQuota): QuotaEntry {
  return {
    users: users === undefined ? undefined : new Set(users),
    groups: groups === undefined ? undefined : new Set(groups),
    jobs: jobs === undefined ? undefined : new Patterns(jobs),
    limits: {
      ...(maxObjects === undefined ? {} : { maxObjects }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
      ...(maxRecordBytes === undefined ? {} : { maxRecordBytes }),
    },
  };
}
