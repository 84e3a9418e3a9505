/** What failed is told in words that mean something to another process. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SealaneError } from '../base/errors.js';
import { STATUS } from '../wire/index.js';
import { toAnswer } from './answers.js';

test('an error of the library is told as it is', () => {
  const { status, text } = toAnswer(new SealaneError('ERR_SEALANE_NOT_FOUND', 'there is no object 7'));
  assert.deepEqual([status, text], [STATUS.notFound, 'there is no object 7']);
});

test("what the kernel refused to the broker is told as the broker's want, without its numbers", () => {
  for (const [errnoName, expected] of [
    ['EMFILE', /^the broker is out of descriptors \(EMFILE\); .*ulimit/],
    ['ENOMEM', /^the broker is out of memory \(ENOMEM\); .*drop objects/],
  ] as const) {
    const message = 'duplicating descriptor 39 failed: this process has no descriptor left';
    const { status, text } = toAnswer(new SealaneError('ERR_SEALANE_EXHAUSTED', message, { errnoName }));
    assert.equal(status, STATUS.exhausted);
    assert.match(text, expected);
    assert.doesNotMatch(text, /39|this process/);
  }
});

test('anything else is a bug, and is told as one', () => {
  const { status, text } = toAnswer(new TypeError('x is not a function'));
  assert.equal(status, STATUS.internal);
  assert.match(text, /x is not a function.*please report/);
});
