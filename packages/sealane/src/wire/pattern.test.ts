/** Name patterns: what they match, and that matching is linear whatever the pattern and the name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_PATTERN_BYTES } from '../base/limits.js';
import { type CodeUnits, NamePattern, Part } from './pattern.js';

/** The definition, tried out in every way: slow and plain. */
function reference(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  if (pattern.startsWith('*')) {
    return Array.from({ length: name.length + 1 }, (_, skipped) => name.slice(skipped)).some((rest) =>
      reference(pattern.slice(1), rest),
    );
  }
  const escaped = pattern.startsWith('\\*') || pattern.startsWith('\\\\');
  const character = pattern.charAt(escaped ? 1 : 0);
  return name.startsWith(character) && reference(pattern.slice(escaped ? 2 : 1), name.slice(1));
}

/** A string that counts the looks at it. */
class Counted implements CodeUnits {
  looks = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get length(): number {
    return this.#text.length;
  }

  charCodeAt(index: number): number {
    this.looks += 1;
    return this.#text.charCodeAt(index);
  }
}

const matches = (pattern: string, name: string) => new NamePattern(pattern).matches(name);

test('a star stands for any run of characters, also for none and for slashes', () => {
  assert.ok(matches('*', ''));
  assert.ok(matches('*', 'a/b'));
  assert.ok(matches('models/*', 'models/'));
  assert.ok(matches('models/*', 'models/a/b.bin'));
  assert.ok(matches('*.bin', 'models/a.bin'));
  assert.ok(matches('a*b*c', 'a-b-b-c'));
  assert.ok(matches('a**b', 'ab'));
  assert.ok(!matches('models/*', 'model'));
  assert.ok(!matches('ab*ba', 'aba'));
  assert.ok(!matches('*ab*', 'ba'));
});

test('nothing but a star is special, and a backslash takes that from it', () => {
  assert.ok(matches('a?[b].c', 'a?[b].c'));
  assert.ok(!matches('a?c', 'abc'));
  assert.ok(matches('a\\*', 'a*'));
  assert.ok(!matches('a\\*', 'ab'));
  assert.ok(matches('a\\\\*', 'a\\b'));
  assert.ok(matches('a\\b', 'a\\b'));
  assert.ok(matches('a\\', 'a\\'));
});

test('a pattern without stars is literal, and its escapes are resolved', () => {
  assert.equal(new NamePattern('a\\*b').literal, 'a*b');
  assert.equal(new NamePattern('a\\*b').prefix, 'a*b');
  assert.equal(new NamePattern('a*b').literal, undefined);
});

test('the prefix is what stands before the first star', () => {
  assert.equal(new NamePattern('models/*').prefix, 'models/');
  assert.equal(new NamePattern('*.bin').prefix, '');
  assert.equal(new NamePattern('a\\*/*/b').prefix, 'a*/');
});

test('a pattern has 1 to MAX_PATTERN_BYTES bytes of well-formed text', () => {
  const refused = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
  assert.throws(() => new NamePattern(''), refused);
  assert.throws(() => new NamePattern('é'.repeat(MAX_PATTERN_BYTES / 2 + 1)), refused);
  assert.throws(() => new NamePattern('\ud800'), refused);
  assert.equal(new NamePattern('a'.repeat(MAX_PATTERN_BYTES)).prefix.length, MAX_PATTERN_BYTES);
});

test('every pattern agrees with the definition', () => {
  const characters = fc.constantFrom('a', 'b', '/', '🙂', '🙃');
  const pattern = fc.array(fc.oneof(characters, fc.constantFrom('*', '*', '\\*', '\\\\', '\\')), {
    minLength: 1,
    maxLength: 9,
  });
  const name = fc.array(fc.oneof(characters, fc.constantFrom('*', '\\')), { maxLength: 9 });
  fc.assert(
    fc.property(pattern, name, (units, text) => {
      assert.equal(matches(units.join(''), text.join('')), reference(units.join(''), text.join('')));
    }),
    { numRuns: 20_000 },
  );
});

test('a name made from a pattern matches it', () => {
  const part = fc
    .array(fc.constantFrom('a', 'aa', 'ab', 'b'), { maxLength: 6 })
    .map((units) => units.join(''));
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 2, maxLength: 6 }),
      fc.array(part, { minLength: 6, maxLength: 6 }),
      (parts, runs) => {
        const name = parts
          .map((text, index) => text + (index + 1 < parts.length ? runs[index] : ''))
          .join('');
        assert.ok(matches(parts.join('*'), name));
      },
    ),
  );
});

test('no unit of a name is looked at twice, whatever the pattern', () => {
  const name = 'a'.repeat(65_536);
  for (const pattern of [
    '*a*a*a*b',
    'a*a*a*a',
    `*${'a'.repeat(1_000)}b*`,
    '*a'.repeat(512),
    '*aab*aab',
    `${'a'.repeat(500)}*b*${'a'.repeat(500)}`,
  ]) {
    const counted = new Counted(name);
    new NamePattern(pattern).matches(counted);
    assert.ok(counted.looks <= name.length, `${pattern.slice(0, 20)}: ${counted.looks} looks`);
  }
});

test('the search for a part makes at most four comparisons for each unit of the name, and of the part', () => {
  const names = [
    'a'.repeat(65_536),
    'ab'.repeat(32_768),
    `${'a'.repeat(999)}b`.repeat(65),
    `${'aab'.repeat(300)}aac`.repeat(70),
  ];
  const texts = [
    `${'a'.repeat(1_000)}b`,
    'a'.repeat(1_001),
    `${'ab'.repeat(500)}c`,
    `${'aab'.repeat(330)}aad`,
    'b',
  ];
  for (const text of texts) {
    for (const name of names) {
      const counted = new Counted(text);
      const part = new Part(counted);
      assert.ok(counted.looks <= 5 * text.length, `${counted.looks} looks to prepare ${text.length} units`);
      counted.looks = 0;
      part.findEnd(name, 0, name.length);
      assert.ok(counted.looks <= 4 * name.length, `${counted.looks} looks for ${name.length} units`);
    }
  }
});

test('the first place of a part is found, as by indexOf', () => {
  const text = fc
    .array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 6 })
    .map((units) => units.join(''));
  const name = fc.array(fc.constantFrom('a', 'b'), { maxLength: 30 }).map((units) => units.join(''));
  fc.assert(
    fc.property(text, name, fc.nat(5), (part, inside, from) => {
      const at = inside.indexOf(part, from);
      assert.equal(new Part(part).findEnd(inside, from, inside.length), at < 0 ? -1 : at + part.length);
    }),
    { numRuns: 5_000 },
  );
});
