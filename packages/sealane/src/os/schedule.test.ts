/** Giving the processor away: nothing to see but that it comes back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yieldProcessor } from './schedule.js';

test('who gives the processor away gets it back', () => {
  for (let round = 0; round < 1_000; round++) assert.equal(yieldProcessor(), undefined);
});
