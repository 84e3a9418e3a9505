/**
 * What objects cost, in total and for each user: descriptors (one an object), bytes of content, and the broker's own memory
 * for names and other records. Charged before work is done for a put, so that what is under way counts too.
 * Owns the sums. Fails closed: what would go over a limit is refused.
 */
import { assert } from '../base/assert.js';
import { SealaneError } from '../base/errors.js';

/** What a quota counts. */
export type Resource = 'objects' | 'bytes' | 'recordBytes';

/** An amount of each resource; an absent one is 0. */
export type Charge = Partial<Readonly<Record<Resource, number>>>;

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

const RULES: readonly {
  resource: Resource;
  total: keyof QuotaLimits;
  perUser: keyof QuotaLimits;
  what: string;
}[] = [
  { resource: 'objects', total: 'maxObjects', perUser: 'maxObjectsPerUser', what: 'objects' },
  { resource: 'bytes', total: 'maxBytes', perUser: 'maxBytesPerUser', what: 'bytes of content' },
  {
    resource: 'recordBytes',
    total: 'maxRecordBytes',
    perUser: 'maxRecordBytesPerUser',
    what: 'bytes of names and metadata',
  },
];

export class Quota {
  readonly #total: Sums = emptySums();
  readonly #users = new Map<number, Sums>();

  constructor(private readonly limits: QuotaLimits) {}

  /** Books the amounts on a user and in total. Throws ERR_SEALANE_LIMIT_EXCEEDED, and books nothing, when one does not fit. */
  charge(uid: number, charge: Charge): void {
    const user = this.#users.get(uid) ?? emptySums();
    for (const { resource, total, perUser, what } of RULES) {
      const amount = charge[resource] ?? 0;
      if (amount === 0) continue;
      // The total first: where both are equal, as by default, that is the one to raise.
      this.#check(total, what, this.#total[resource], amount);
      this.#check(perUser, `${what} of user ${uid}`, user[resource], amount);
    }
    for (const { resource } of RULES) {
      user[resource] += charge[resource] ?? 0;
      this.#total[resource] += charge[resource] ?? 0;
    }
    this.#users.set(uid, user);
  }

  /** Takes back amounts that were charged. */
  refund(uid: number, charge: Charge): void {
    const user = this.#users.get(uid) ?? emptySums();
    for (const { resource } of RULES) {
      user[resource] -= charge[resource] ?? 0;
      this.#total[resource] -= charge[resource] ?? 0;
      assert(user[resource] >= 0, `more ${resource} were refunded than charged`);
    }
    if (RULES.every(({ resource }) => user[resource] === 0)) this.#users.delete(uid);
  }

  /** What is booked: in total, or on one user. */
  used(uid?: number): Readonly<Sums> {
    return uid === undefined ? this.#total : (this.#users.get(uid) ?? emptySums());
  }

  #check(option: keyof QuotaLimits, what: string, used: number, amount: number): void {
    const limit = this.limits[option];
    if (used + amount <= limit) return;
    throw new SealaneError(
      'ERR_SEALANE_LIMIT_EXCEEDED',
      `${used} ${what} are in use and ${amount} more would be over the broker's limit of ${limit}; ` +
        `drop objects, or start the broker with a greater ${option}`,
    );
  }
}

function emptySums(): Sums {
  return { objects: 0, bytes: 0, recordBytes: 0 };
}
