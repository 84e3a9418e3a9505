/**
 * What objects cost, in total, for each user, and, under a policy, for each job: descriptors (one an object), bytes of content, and
 * the broker's own memory for names and other records. Charged before work is done for a put, so that what is under way counts too.
 * Owns the sums. Fails closed: what would go over a limit is refused.
 */
import { assert } from '../base/assert.js';
import { SealaneError } from '../base/errors.js';

/** What a quota counts. */
export type Resource = 'objects' | 'bytes' | 'recordBytes';

/** An amount of each resource; an absent one is 0. */
export type Charge = Partial<Readonly<Record<Resource, number>>>;

/** Limits of one user or one job; an absent one is that of the broker's options for a user, and none for a job. */
export type AccountLimits = Partial<Readonly<Record<'maxObjects' | 'maxBytes' | 'maxRecordBytes', number>>>;

/** Whom something is charged to. */
export interface Account {
  readonly uid: number;
  /** The shelf on which its objects stand. */
  readonly shelf: number;
  /** The job that is charged as well. */
  readonly job?: string;
  /** Limits that a policy sets for this user. */
  readonly userLimits?: AccountLimits;
  /** Limits that a policy sets for this job. */
  readonly jobLimits?: AccountLimits;
}

/** The limits, under the names of the options that set them. */
export interface QuotaLimits {
  readonly maxObjects: number;
  readonly maxObjectsPerUser: number;
  readonly maxBytes: number;
  readonly maxBytesPerUser: number;
  readonly maxRecordBytes: number;
  readonly maxRecordBytesPerUser: number;
}

type Sums = Record<Resource, number>;

const RULES = [
  { resource: 'objects', total: 'maxObjects', perUser: 'maxObjectsPerUser', what: 'objects' },
  { resource: 'bytes', total: 'maxBytes', perUser: 'maxBytesPerUser', what: 'bytes of content' },
  {
    resource: 'recordBytes',
    total: 'maxRecordBytes',
    perUser: 'maxRecordBytesPerUser',
    what: 'bytes of names and metadata',
  },
] as const;

export class Quota {
  readonly #total: Sums = emptySums();
  readonly #users = new Book<number>();
  readonly #jobs = new Book<string>();

  constructor(private readonly limits: QuotaLimits) {}

  /** Books the amounts on an account and in total. Throws ERR_SEALANE_LIMIT_EXCEEDED, and books nothing, when one does not fit. */
  charge(account: Account, charge: Charge): void {
    for (const rule of RULES) if ((charge[rule.resource] ?? 0) > 0) this.#check(account, rule, charge);
    add(this.#total, charge);
    this.#users.add(account.uid, charge);
    if (account.job !== undefined) this.#jobs.add(account.job, charge);
  }

  /** Takes back amounts that were charged. */
  refund(account: Account, charge: Charge): void {
    subtract(this.#total, charge);
    this.#users.subtract(account.uid, charge);
    if (account.job !== undefined) this.#jobs.subtract(account.job, charge);
  }

  /** What is booked: in total, or on one user. */
  used(uid?: number): Readonly<Sums> {
    return uid === undefined ? this.#total : this.#users.used(uid);
  }

  #check(account: Account, rule: (typeof RULES)[number], charge: Charge): void {
    const { resource, total, perUser, what } = rule;
    const { uid, job, userLimits, jobLimits } = account;
    const amount = charge[resource] ?? 0;
    // The total first: where both are equal, as by default, that is the one to raise.
    check(
      what,
      this.#total[resource],
      amount,
      this.limits[total],
      `start the broker with a greater ${total}`,
    );
    const user = this.#users.used(uid)[resource];
    const granted = userLimits?.[total];
    if (granted === undefined)
      check(
        `${what} of user ${uid}`,
        user,
        amount,
        this.limits[perUser],
        `start the broker with a greater ${perUser}`,
      );
    else
      check(`${what} of user ${uid}`, user, amount, granted, `have the quota raised in the broker's policy`);
    const ofJob = jobLimits?.[total];
    if (job === undefined || ofJob === undefined) return;
    const name = `${what} of job ${JSON.stringify(job)}`;
    check(
      name,
      this.#jobs.used(job)[resource],
      amount,
      ofJob,
      `have the quota raised in the broker's policy`,
    );
  }
}

/** Sums by user or by job; those that are all 0 are forgotten. */
class Book<Key> {
  readonly #sums = new Map<Key, Sums>();

  used(key: Key): Readonly<Sums> {
    return this.#sums.get(key) ?? NOTHING;
  }

  add(key: Key, charge: Charge): void {
    let sums = this.#sums.get(key);
    if (sums === undefined) {
      sums = emptySums();
      this.#sums.set(key, sums);
    }
    add(sums, charge);
  }

  subtract(key: Key, charge: Charge): void {
    const sums = this.#sums.get(key) ?? emptySums();
    subtract(sums, charge);
    if (RULES.every(({ resource }) => sums[resource] === 0)) this.#sums.delete(key);
  }
}

const NOTHING: Readonly<Sums> = emptySums();

function emptySums(): Sums {
  return { objects: 0, bytes: 0, recordBytes: 0 };
}

function add(sums: Sums, charge: Charge): void {
  for (const { resource } of RULES) sums[resource] += charge[resource] ?? 0;
}

function subtract(sums: Sums, charge: Charge): void {
  for (const { resource } of RULES) {
    sums[resource] -= charge[resource] ?? 0;
    assert(sums[resource] >= 0, `more ${resource} were refunded than charged`);
  }
}

function check(what: string, used: number, amount: number, limit: number, remedy: string): void {
  if (used + amount <= limit) return;
  throw new SealaneError(
    'ERR_SEALANE_LIMIT_EXCEEDED',
    `${used} ${what} are in use and ${amount} more would be over the broker's limit of ${limit}; drop objects, or ${remedy}`,
  );
}
