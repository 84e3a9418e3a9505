/** Admission by what the kernel says of a peer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSealaneError } from '../base/errors.js';
import { overflowIds } from '../os/overflow.js';
import { Admission } from './identity.js';

const OVERFLOW = overflowIds().uid;

const peer = (uid: number, pid = 7): { uid: number; pid: number; gid: number } => ({ uid, pid, gid: 7 });

test('the own user and the named users are admitted, others are not', () => {
  const admission = new Admission(1_000, [1_001], true);
  assert.equal(admission.refusal(peer(1_000)), undefined);
  assert.equal(admission.refusal(peer(1_001)), undefined);
  for (const uid of [0, 1_002]) {
    assert(isSealaneError(admission.refusal(peer(uid)), 'ERR_SEALANE_UNTRUSTED_PEER'));
  }
});

test('the overflow user is refused even when it is named, because it stands for everyone who is not mapped', () => {
  assert.notEqual(new Admission(1_000, [OVERFLOW], true).refusal(peer(OVERFLOW)), undefined);
});

test('a broker of the user nobody admits itself only where that is a real user', () => {
  assert.equal(new Admission(OVERFLOW, [], true).refusal(peer(OVERFLOW)), undefined);
  assert.notEqual(new Admission(OVERFLOW, [], false).refusal(peer(OVERFLOW)), undefined);
});

test('another user without a process id is refused, the own user is not', () => {
  const admission = new Admission(1_000, [1_001], true);
  assert.notEqual(admission.refusal(peer(1_001, 0)), undefined);
  assert.equal(admission.refusal(peer(1_000, 0)), undefined);
});
