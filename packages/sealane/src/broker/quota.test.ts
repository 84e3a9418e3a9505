/** Accounting, per user and in total. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSealaneError } from '../base/errors.js';
import { type Account, Quota, type QuotaLimits } from './quota.js';

const LIMITS: QuotaLimits = {
  maxObjects: 3,
  maxObjectsPerUser: 2,
  maxBytes: 300,
  maxBytesPerUser: 200,
  maxRecordBytes: 30,
  maxRecordBytesPerUser: 20,
};

const user = (uid: number): Account => ({ uid, shelf: uid });

for (const [resource, option, amount] of [
  ['objects', 'maxObjectsPerUser', 3],
  ['bytes', 'maxBytesPerUser', 201],
  ['recordBytes', 'maxRecordBytesPerUser', 21],
] as const) {
  test(`${resource} over the limit of one user are refused with a text that names ${option}`, () => {
    const quota = new Quota(LIMITS);
    assert.throws(() => quota.charge(user(1), { [resource]: amount }), refusedBy(option));
    assert.equal(quota.used()[resource], 0);
  });
}

for (const [resource, option, amount] of [
  ['objects', 'maxObjects', 2],
  ['bytes', 'maxBytes', 200],
  ['recordBytes', 'maxRecordBytes', 20],
] as const) {
  test(`${resource} over the limit in total are refused with a text that names ${option}`, () => {
    const quota = new Quota(LIMITS);
    quota.charge(user(1), { [resource]: amount });
    assert.throws(() => quota.charge(user(2), { [resource]: amount }), refusedBy(option));
    quota.refund(user(1), { [resource]: amount });
    quota.charge(user(2), { [resource]: amount });
  });
}

test('a charge that does not fit in one resource books nothing of the others', () => {
  const quota = new Quota(LIMITS);
  assert.throws(() => quota.charge(user(1), { objects: 1, bytes: 1_000 }));
  assert.deepEqual(quota.used(1), { objects: 0, bytes: 0, recordBytes: 0 });
});

test('a limit is reached exactly, and the largest sizes do not overflow', () => {
  const quota = new Quota(LIMITS);
  quota.charge(user(1), { objects: 2, bytes: 200, recordBytes: 20 });
  assert.throws(() => quota.charge(user(1), { bytes: Number.MAX_SAFE_INTEGER }), refusedBy('maxBytes'));
});

test('a policy sets limits for a user and for a job in place of those of the options', () => {
  const quota = new Quota({ ...LIMITS, maxObjects: 100 });
  const rich: Account = { uid: 1, shelf: -1, userLimits: { maxObjects: 10 } };
  quota.charge(rich, { objects: 10, bytes: 200 });
  assert.throws(() => quota.charge(rich, { objects: 1 }), /10 objects of user 1 .* limit of 10.* policy/);
  const poor: Account = {
    uid: 2,
    shelf: -1,
    job: 'j',
    userLimits: { maxBytes: 0 },
    jobLimits: { maxObjects: 1 },
  };
  assert.throws(() => quota.charge(poor, { bytes: 1 }), /bytes of content of user 2/);
  quota.charge(poor, { objects: 1 });
  const other: Account = { uid: 3, shelf: -1, job: 'j', jobLimits: { maxObjects: 1 } };
  assert.throws(() => quota.charge(other, { objects: 1 }), /1 objects of job "j" .* limit of 1;.* policy/);
  quota.refund(poor, { objects: 1 });
  quota.charge(other, { objects: 1 });
});

function refusedBy(option: string): (error: unknown) => boolean {
  return (error) =>
    isSealaneError(error, 'ERR_SEALANE_LIMIT_EXCEEDED') &&
    new RegExp(`greater ${option}$`).test(error.message);
}
