/** Status numbers and error codes: each has its counterpart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeToStatus, type ErrorStatus, isErrorStatus, STATUS, statusToCode } from './index.js';

const ERRORS = Object.values(STATUS).filter((status): status is ErrorStatus => status !== STATUS.ok);

test('every error status becomes a code of its own, and that code becomes the status', () => {
  for (const status of ERRORS) assert.equal(codeToStatus(statusToCode(status)), status);
  assert.equal(new Set(ERRORS.map(statusToCode)).size, ERRORS.length);
});

test('an argument that the broker refuses is a bad request, and a broker that closes says so', () => {
  assert.equal(codeToStatus('ERR_SEALANE_INVALID_ARGUMENT'), STATUS.badRequest);
  assert.equal(codeToStatus('ERR_SEALANE_CLOSED'), STATUS.closing);
  assert.equal(codeToStatus('ERR_SEALANE_TIMEOUT'), STATUS.closing);
});

test('a failure that a client can not act on is internal', () => {
  assert.equal(codeToStatus('ERR_SEALANE_SYSTEM'), STATUS.internal);
  assert.equal(codeToStatus('ERR_SEALANE_BAD_TOKEN'), STATUS.internal);
});

test('ok and unknown numbers are no error status', () => {
  for (const status of [0, 16, 65_535, -1, 1.5, Number.NaN]) assert.equal(isErrorStatus(status), false);
  assert.ok(ERRORS.every(isErrorStatus));
});
