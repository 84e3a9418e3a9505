// Targets: ids, names and digests are told apart, and what is none of them is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Target, toHexDigest, toSelector } from './target.js';

const HEX = '0123456789abcdef'.repeat(4);

test('a number is an id, a string a name, a prefixed digest a digest', () => {
  assert.deepEqual(toSelector(7), { by: 'id', id: 7 });
  assert.deepEqual(toSelector('model.bin'), { by: 'name', name: 'model.bin' });
  assert.deepEqual(toSelector(`sha256:${HEX}`), { by: 'digest', digest: HEX });
  assert.deepEqual(toSelector(`sha256:${HEX.toUpperCase()}`), { by: 'digest', digest: HEX });
});

test('what only looks like a digest is a name', () => {
  assert.deepEqual(toSelector('sha256:abc'), { by: 'name', name: 'sha256:abc' });
  assert.deepEqual(toSelector(HEX), { by: 'name', name: HEX });
});

test('the object forms leave no doubt', () => {
  assert.deepEqual(toSelector({ name: `sha256:${HEX}` }), { by: 'name', name: `sha256:${HEX}` });
  assert.deepEqual(toSelector({ digest: HEX }), { by: 'digest', digest: HEX });
  assert.deepEqual(toSelector({ id: 3 }), { by: 'id', id: 3 });
});

test('what is no target is refused', () => {
  for (const target of [0, -1, 1.5, Number.NaN, '', { digest: 'abc' }, {}, null, undefined, 1n, '\udc00']) {
    assert.throws(() => toSelector(target as Target), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  }
  assert.throws(() => toHexDigest('digest', 5), { code: 'ERR_SEALANE_INVALID_ARGUMENT', message: /digest/ });
});
