// Whatever a policy file has in it: an answer, and never a policy that the library would refuse.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkPolicy } from 'sealane/internal';
import { type PolicyDocument, parsePolicy } from './document.js';
import { translate } from './translate.js';

const text = fc.oneof(
  fc.constantFrom(
    'camera/*',
    '*',
    '',
    '\\',
    'a'.repeat(1_025),
    '/system.slice/x',
    'put',
    'get',
    '1001',
    '-x',
  ),
  fc.string(),
);
const number = fc.oneof(fc.integer(), fc.constantFrom(0, 44, 4_294_967_294, 4_294_967_295, 1.5, -1));
const scalar = fc.oneof(text, number, fc.boolean());
const value = fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }));
const ids = fc.array(fc.nat(4_294_967_294), { minLength: 1, maxLength: 2 });
const patterns = fc.array(fc.constantFrom('*', 'a/*', 'x'), { minLength: 1, maxLength: 2 });
const rights = fc.array(fc.constantFrom('put', 'get', 'list', 'drop'), { minLength: 1, maxLength: 2 });

/** Mostly right, so that some of it is taken. */
function mostly<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<unknown> {
  return fc.oneof({ arbitrary, weight: 9 }, { arbitrary: value, weight: 1 });
}

const FIELDS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  users: ids,
  groups: ids,
  cgroups: patterns,
  everyone: fc.boolean(),
  ids: patterns,
  names: patterns,
  jobs: patterns,
  may: rights,
  objects: fc.nat(),
  bytes: fc.oneof(fc.nat(), fc.constantFrom('1GiB', '1.5', 'much')),
  records: fc.nat(),
  unknown: value,
};

const SUBJECT = ['users', 'groups', 'cgroups', 'everyone'];

/** A table: which keys it has, and which of them it may lack. */
function table(
  name: string,
  required: string[],
  optional: string[],
): fc.Arbitrary<[string, Record<string, unknown>]> {
  const keys = [...required, ...optional];
  const fields = Object.fromEntries(keys.map((key) => [key, mostly(FIELDS[key] ?? value)]));
  const present = fc.oneof(
    { arbitrary: fc.constant(required), weight: 9 },
    { arbitrary: fc.constant<string[]>([]), weight: 1 },
  );
  const one = fc.constantFrom(...optional);
  const some = fc.oneof(
    { arbitrary: fc.array(one, { maxLength: 2 }), weight: 3 },
    { arbitrary: fc.subarray(keys), weight: 1 },
  );
  return fc.tuple(fc.record(fields), present, some).map(([all, must, may]) => {
    const chosen = new Set([...must, ...may]);
    return [name, Object.fromEntries(Object.entries(all).filter(([key]) => chosen.has(key)))];
  });
}

const section = fc.oneof(
  table('admit', [], [...SUBJECT, 'unknown']),
  table('job', ['ids'], SUBJECT),
  table('grant', ['names', 'may'], ['jobs', ...SUBJECT]),
  table('quota', [], ['users', 'groups', 'jobs', 'objects', 'bytes', 'records']),
);

function write([name, entries]: [string, Record<string, unknown>]): string {
  const lines = Object.entries(entries).map(([key, content]) => `${key} = ${JSON.stringify(content)}\n`);
  return `[[${name}]]\n${lines.join('')}`;
}

test('what is taken from a file, the library takes too; what is not taken has a place in the file', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(section, { minLength: 1, maxLength: 3 }), async (sections) => {
      const written = sections.map(write).join('');
      const { document, problems, positions } = parsePolicy(written);
      assert.equal(document === undefined, problems.length > 0);
      for (const { message, position } of problems)
        assert.ok(position !== undefined, `${message} in ${written}`);
      if (document === undefined || namesAnybody(document)) return;
      const { options } = await translate(document, positions, false);
      checkPolicy('policy', options);
      taken++;
    }),
    { numRuns: 1_000 },
  );
  assert.ok(taken > 50, `only ${taken} policies were taken`);
});

/** Names are not looked up here. */
function namesAnybody(document: PolicyDocument): boolean {
  const entries = [...document.admit, ...document.job, ...document.grant, ...document.quota];
  const accounts = entries.flatMap(({ users, groups }) => [...(users ?? []), ...(groups ?? [])]);
  return accounts.some((account) => typeof account === 'string');
}

test('text that is no TOML is an error, whatever it is', () => {
  const pieces = fc.constantFrom(...'[]="\'\n\\a.{},1# \0\ud800', '[[', ']]');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
      const { document, problems } = parsePolicy(parts.join(''));
      assert.equal(document === undefined, problems.length > 0);
    }),
    { numRuns: 2_000 },
  );
  const hostile = ['[[__proto__]]\na = 1', '__proto__ = 1', 'constructor.a = 1', '['.repeat(100_000)];
  for (const one of [...hostile, `a = ${'['.repeat(100_000)}`, `a${'.a'.repeat(100_000)} = 1`]) {
    const { document, problems } = parsePolicy(one);
    assert.equal(document, undefined);
    assert.ok(problems.length > 0);
  }
});
