/** Attributes: their limits, what fits what is required, and hostile keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkAttributes,
  checkRequiredAttributes,
  parseAttributes,
  requireAttributes,
} from './attributes.js';

const invalid = (message: RegExp) => ({ code: 'ERR_SEALANE_INVALID_ARGUMENT', message });
const mismatch = (message: RegExp) => ({ code: 'ERR_SEALANE_SETTINGS_MISMATCH', message });

test('attributes are copied, and none given are none', () => {
  const given = { unit: 'mm', empty: '' };
  const copy = checkAttributes(given);
  given.unit = 'cm';
  assert.deepEqual({ ...copy }, { unit: 'mm', empty: '' });
  assert.deepEqual({ ...checkAttributes(undefined) }, {});
});

test('keys of JavaScript itself are keys like any other', () => {
  const hostile = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}');
  const attributes = parseAttributes(hostile);
  assert.deepEqual(Object.entries(attributes), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
    ['toString', 'c'],
  ]);
  requireAttributes('x', attributes, checkRequiredAttributes(hostile));
  assert.throws(
    () => requireAttributes('x', checkAttributes({}), JSON.parse('{"constructor":true}')),
    mismatch(/"constructor"/),
  );
});

test('64 attributes of 4096 bytes are taken, more are refused', () => {
  const some = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`key${i}`, 'v']));
  assert.equal(Object.keys(checkAttributes(some(64))).length, 64);
  assert.throws(() => checkAttributes(some(65)), invalid(/at most 64 entries; got 65/));
  checkAttributes({ k: 'x'.repeat(4_095) });
  assert.throws(() => checkAttributes({ kk: 'x'.repeat(4_095) }), invalid(/at most 4096 bytes.*got 4097/));
  assert.throws(() => checkAttributes({ k: 'é'.repeat(2_048) }), invalid(/4097/));
});

test('what is no text is refused, from a caller and from a file', () => {
  for (const wrong of [1, null, {}, true, '\ud800']) {
    assert.throws(() => checkAttributes({ k: wrong } as never), invalid(/attributes\["k"\]/));
    assert.throws(() => parseAttributes({ k: wrong }), { code: 'ERR_SEALANE_PROTOCOL' });
  }
  for (const wrong of [[], null, 'text', 1]) {
    assert.throws(() => parseAttributes(wrong), { code: 'ERR_SEALANE_PROTOCOL' });
  }
  assert.throws(() => checkAttributes({ '': 'v' }), invalid(/key/));
});

test('an opener requires values or presence, and the error names the key and both values', () => {
  const existing = checkAttributes({ unit: 'mm', camera: 'front' });
  requireAttributes('x', existing, checkRequiredAttributes({ unit: 'mm', camera: true }));
  requireAttributes('x', existing, checkRequiredAttributes(undefined));
  assert.throws(
    () => requireAttributes('x', existing, { unit: 'cm' }),
    mismatch(/"x" has the attribute "unit" "mm", and "cm" is required/),
  );
  assert.throws(
    () => requireAttributes('x', existing, { lens: true }),
    mismatch(/has no attribute "lens", and it is required/),
  );
  assert.throws(
    () => requireAttributes('x', existing, { lens: '50' }),
    mismatch(/has no attribute "lens", and "50" is/),
  );
  assert.throws(() => checkRequiredAttributes({ a: false } as never), invalid(/attributes/));
});
