/** Publishers and subscribers are killed at random moments; nothing is left of them, and the others don't notice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soak } from './soak.test.helper.js';

test('fifty processes are killed: no sample is torn, every pool is whole, and nothing is left', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}; repeat with: npm run test:soak -- --kills 50 --seed ${seed}`);
  const { sent, received } = await soak({ kills: 50, seed });
  assert.ok(sent > 0 && received > 0);
});
