/**
 * Who may see and drop what, as pure rules. Users are apart already (each has a shelf of its own); jobs are labels among
 * one user's processes. Owns nothing; trusts that `job` is what the connection said in its hello.
 */
import { SealaneError } from '../base/errors.js';
import type { StoredObject } from './object.js';

/** On whose behalf a request is made. An undefined job is unscoped: it may do everything with its user's objects. */
export interface Caller {
  readonly uid: number;
  readonly job: string | undefined;
}

/** Whether a caller of this job may get, stat, list and watch an object of its user. */
export function maySee(object: StoredObject, job: string | undefined): boolean {
  return mayDrop(object, job) || (job !== undefined && object.allows(job));
}

/** Whether a caller of this job may drop an object of its user. */
export function mayDrop(object: StoredObject, job: string | undefined): boolean {
  return object.owner === undefined || job === undefined || object.owner === job;
}

/**
 * The owner of an object that is put: the one that was named, else the connection's job, else nobody.
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
      'allowed jobs need an owner job: all jobs see an object without owner',
    );
  }
  return result;
}
