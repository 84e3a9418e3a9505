/** The rules of access, one by one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSealaneError } from '../base/errors.js';
import { may, ownerOfPut } from './access.js';
import { callerOf, TestStore } from './store.test.helper.js';

test('an object without owner is seen and dropped by every job and by callers without a job', () => {
  const object = new TestStore().put(1, 'a');
  for (const job of [undefined, 'alpha']) {
    assert.equal(may('get', object, callerOf(1, job)), true);
    assert.equal(may('drop', object, callerOf(1, job)), true);
  }
});

test('an object with an owner is dropped by its owner and by callers without a job only', () => {
  const object = new TestStore().put(1, 'a', { owner: 'alpha', allowed: ['beta'] });
  assert.deepEqual(
    [undefined, 'alpha', 'beta', 'gamma'].map((job) => [
      may('get', object, callerOf(1, job)),
      may('drop', object, callerOf(1, job)),
    ]),
    [
      [true, true],
      [true, true],
      [true, false],
      [false, false],
    ],
  );
});

test('a long list of allowed jobs has the same meaning as a short one', () => {
  const allowed = Array.from({ length: 100 }, (_, index) => `job-${index}`);
  const object = new TestStore().put(1, 'a', { owner: 'alpha', allowed });
  assert.equal(may('get', object, callerOf(1, 'job-99')), true);
  assert.equal(may('get', object, callerOf(1, 'job-100')), false);
  assert.equal(may('drop', object, callerOf(1, 'job-99')), false);
});

test('the owner of a put is the one named, else the job of the connection, else nobody', () => {
  assert.equal(ownerOfPut(undefined, undefined, []), undefined);
  assert.equal(ownerOfPut(undefined, 'alpha', ['beta']), 'alpha');
  assert.equal(ownerOfPut('alpha', undefined, ['beta']), 'alpha');
  assert.equal(ownerOfPut('alpha', 'alpha', []), 'alpha');
});

test('a job can name no other owner, and allowed jobs need an owner', () => {
  assert.throws(
    () => ownerOfPut('alpha', 'beta', []),
    (error) => isSealaneError(error, 'ERR_SEALANE_ACCESS_DENIED'),
  );
  assert.throws(
    () => ownerOfPut(undefined, undefined, ['beta']),
    (error) => isSealaneError(error, 'ERR_SEALANE_INVALID_ARGUMENT'),
  );
});
