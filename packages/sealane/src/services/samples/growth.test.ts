/** The room of the next segment: enough, within the limit, and never less for more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { roomFor, STRATEGIES } from './growth.js';

test('there is room for the sample, within the limit, and for a larger sample at least as much', () => {
  const bytes = fc.integer({ min: 0, max: 2 ** 32 });
  fc.assert(
    fc.property(fc.constantFrom(...STRATEGIES), bytes, bytes, bytes, (strategy, a, b, more) => {
      const [small, large] = a < b ? [a, b] : [b, a];
      const most = Math.min(2 ** 32, large + more);
      const room = roomFor(strategy, small, most);
      assert.ok(room >= small && room <= Math.max(most, small));
      assert.ok(roomFor(strategy, large, most) >= room);
      assert.ok(Number.isInteger(room));
    }),
  );
});

test('each strategy makes the room that it says', () => {
  const rooms = (bytes: number) => STRATEGIES.map((strategy) => roomFor(strategy, bytes, 1 << 20));
  assert.deepEqual(rooms(1), [1, 64, 1]);
  assert.deepEqual(rooms(64), [64, 64, 64]);
  assert.deepEqual(rooms(65), [65, 128, 128]);
  assert.deepEqual(rooms(5_000), [5_000, 5_056, 8_192]);
  assert.deepEqual(rooms(600_000), [600_000, 600_000, 1 << 20]);
  assert.deepEqual(rooms((1 << 20) - 1), [(1 << 20) - 1, 1 << 20, 1 << 20]);
  assert.equal(roomFor('powerOfTwo', 600_000, 700_000), 700_000);
});
