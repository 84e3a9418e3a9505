/** Whatever is passed as options of a broker or as a policy is taken with every limit in its range, or refused as a wrong argument. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../base/errors.js';
import { type BrokerOptions, settle } from './options.js';
import { checkPolicy } from './policy/options.js';

const DESCRIPTORS = 20_000;

const LIMITS = Object.keys(settle({}, DESCRIPTORS)).filter((name) => name.startsWith('max'));

const odd = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, 1, -1, 4_096, 2 ** 31, 2 ** 32, 2 ** 53, Number.NaN),
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc.anything({ maxDepth: 1 }),
);

/** Whether it was taken; any error but that of a wrong argument goes on. */
function taken(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (isSealaneError(error, 'ERR_SEALANE_INVALID_ARGUMENT')) return false;
    throw error;
  }
}

test('any options are settled within their ranges, or refused', () => {
  const names = fc.constantFrom(
    ...LIMITS,
    'users',
    'backlog',
    'helloTimeoutMs',
    'socket',
    'memfdbusSocket',
    'policy',
  );
  const options = fc.oneof(
    odd,
    fc.dictionary(fc.oneof({ arbitrary: names, weight: 9 }, fc.string()), odd, { maxKeys: 4 }),
  );
  let settled = 0;
  fc.assert(
    fc.property(options, (given) => {
      if (!taken(() => void settle(given as BrokerOptions, DESCRIPTORS))) return;
      settled++;
      for (const [name, value] of Object.entries(settle(given as BrokerOptions, DESCRIPTORS)))
        if (LIMITS.includes(name))
          assert(Number.isSafeInteger(value) && Number(value) >= 0, `${name}: ${value}`);
    }),
    { numRuns: 3_000 },
  );
  assert(settled > 0, 'nothing was ever taken');
});

/** A policy in which something may be wrong anywhere. */
const policy = (() => {
  const mostly = <T>(arbitrary: fc.Arbitrary<T>) =>
    fc.oneof({ arbitrary: arbitrary as fc.Arbitrary<unknown>, weight: 19 }, { arbitrary: odd, weight: 1 });
  const ids = mostly(fc.array(mostly(fc.nat(70_000)), { maxLength: 3 }));
  const patterns = mostly(
    fc.array(mostly(fc.constantFrom('*', 'a/*', 'x', '\\*', '\\', '')), { maxLength: 3 }),
  );
  const rights = mostly(fc.array(mostly(fc.constantFrom('put', 'get', 'list', 'drop')), { maxLength: 4 }));
  const subject = { everyone: mostly(fc.boolean()), users: ids, groups: ids, cgroups: patterns };
  const section = (fields: Record<string, fc.Arbitrary<unknown>>) =>
    mostly(fc.array(mostly(fc.record(fields, { requiredKeys: [] })), { maxLength: 2 }));
  return mostly(
    fc.record(
      {
        admit: section(subject),
        jobs: section({ ...subject, ids: patterns }),
        grants: section({ ...subject, jobs: patterns, names: patterns, may: rights }),
        quotas: section({
          users: ids,
          groups: ids,
          jobs: patterns,
          maxObjects: mostly(fc.nat()),
          maxBytes: odd,
        }),
      },
      { requiredKeys: [] },
    ),
  );
})();

test('any policy is taken or refused, and the refusal names the entry', () => {
  let accepted = 0;
  fc.assert(
    fc.property(policy, (given) => {
      try {
        checkPolicy('policy', given);
        accepted++;
      } catch (error) {
        assert(isSealaneError(error, 'ERR_SEALANE_INVALID_ARGUMENT'), String(error));
        assert.match(error.message, /^policy/);
      }
    }),
    { numRuns: 3_000 },
  );
  assert(accepted > 0, 'nothing was ever taken');
});
