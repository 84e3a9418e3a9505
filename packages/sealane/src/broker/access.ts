/**
 * Who may see and drop what, as pure rules. Owns nothing; trusts that `job` is one that the caller may act under, which
 * authority.ts decides when the caller says hello.
 *
 * An object belongs to its owner job, or, without one, to the user that put it. Beside what belongs to it, a caller has what
 * objects allow to its job, and what a policy grants to it by name.
 */
import { SealaneError } from '../base/errors.js';
import type { StoredObject } from './object.js';
import type { Account } from './quota.js';
import type { Budget } from './work.js';

/** What can be done with objects of a name. To stat is to list, to watch and to wait is to get. */
export type Right = 'put' | 'get' | 'list' | 'drop';

/** What one caller may do beside what its job and user own. */
export interface Rights {
  /** A caller without a job may do everything with the objects that jobs own. */
  readonly unscoped: boolean;
  /** Whether objects of this name are granted. Counts what that cost. */
  grants(right: Right, name: string | undefined, budget?: Budget): boolean;
  /** Whether objects of all names are granted, and those without a name. */
  grantsAll(right: Right): boolean;
  /** Throws ERR_SEALANE_ACCESS_DENIED unless the caller may put an object under this name. */
  checkPut(name: string | undefined): void;
  /** Whom an object is charged to that is put for `owner`. Throws ERR_SEALANE_ACCESS_DENIED for a job that is not the caller's. */
  account(owner: string | undefined): Account;
}

/** On whose behalf a request is made. */
export interface Caller {
  readonly uid: number;
  /** The objects that it can find at all: without a policy those of its user, with one those of all. */
  readonly shelf: number;
  readonly job: string | undefined;
  readonly rights: Rights;
}

/** Whether a caller may do this with an object on its shelf. */
export function may(
  right: Exclude<Right, 'put'>,
  object: StoredObject,
  caller: Caller,
  budget?: Budget,
): boolean {
  if (belongsTo(object, caller)) return true;
  if (right !== 'drop' && caller.job !== undefined && object.allows(caller.job)) return true;
  return caller.rights.grants(right, object.name, budget);
}

function belongsTo(object: StoredObject, { uid, job, rights }: Caller): boolean {
  if (object.owner === undefined) return object.uid === uid;
  return job === undefined ? rights.unscoped : object.owner === job;
}

/**
 * The owner of an object that is put: the one that was named, else the caller's job, else nobody.
 * Throws ERR_SEALANE_ACCESS_DENIED when a job names another job, and ERR_SEALANE_INVALID_ARGUMENT when jobs are allowed
 * to see what has no owner.
 */
export function ownerOfPut(
  job: string | undefined,
  owner: string | undefined,
  allowed: readonly string[],
): string | undefined {
  if (job !== undefined && owner !== undefined && owner !== job) {
    throw new SealaneError(
      'ERR_SEALANE_ACCESS_DENIED',
      `job ${JSON.stringify(job)} can't put an object for job ${JSON.stringify(owner)}; connect as that job, or without a job`,
    );
  }
  const result = owner ?? job;
  if (result === undefined && allowed.length > 0) {
    throw new SealaneError(
      'ERR_SEALANE_INVALID_ARGUMENT',
      'allowed jobs need an owner job: an object without owner is shown to all jobs of its user',
    );
  }
  return result;
}
