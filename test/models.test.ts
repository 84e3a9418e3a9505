// The models of the lock-free structures hold in all their states, and spin finds every mutant. `npm run test:models` prints the figures.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

function check(...args: readonly string[]) {
  const script = join(root, 'scripts', 'check-models.mjs');
  return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
}

/** Those with processes; the others are included by them. */
const models = readdirSync(join(root, 'spec', 'models'))
  .filter((name) => name.endsWith('.pml') && name !== 'positions.pml')
  .map((name) => name.replace(/\.pml$/, ''));

test('the rings, the slot pool, the wake-up, slots that come back and the event set have models', () => {
  assert.deepEqual(models.sort(), ['event-set', 'overflow-ring', 'returns', 'ring', 'slot-pool', 'wake']);
});

for (const model of models) {
  test(`${model}: the model holds in every state, and spin finds its mutants`, (t) => {
    const { status, stdout, stderr } = check(model);
    assert.equal(status, 0, stdout + stderr);
    const skipped = stdout.match(/^check-models: skipped: (.*)$/m);
    if (skipped !== null) return t.skip(skipped[1]);
    assert.match(stdout, new RegExp(`^${model}.*: holds `, 'm'));
    assert.match(stdout, new RegExp(`^${model}.* MUTANT_\\w+: found: `, 'm'));
  });
}

test('a model that does not exist is an error, and no success', () => {
  const { status, stderr } = check('no-such-model');
  assert.equal(status, 1);
  assert.match(stderr, /no model is called no-such-model/);
});
