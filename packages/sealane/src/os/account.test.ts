/** Users and groups by name. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { findAccount } from './account.js';

test('every user and group of /etc/passwd and /etc/group is found by its name, as getent(1) says', (t) => {
  for (const [kind, database] of [
    ['user', 'passwd'],
    ['group', 'group'],
  ] as const) {
    const lines = readFileSync(`/etc/${database}`, 'utf8').split('\n').slice(0, 20);
    const names = lines.map((line) => line.split(':')[0] ?? '').filter((name) => /^[a-z]/.test(name));
    assert.ok(names.length > 0);
    const { error, stdout } = spawnSync('getent', [database, ...names], { encoding: 'utf8' });
    if (error !== undefined) return t.skip('there is no getent(1)');
    const told = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(':'));
    assert.deepEqual(
      names.map((name) => findAccount(kind, name)),
      told.map(([, , id]) => Number(id)),
    );
  }
  return undefined;
});

test('a name that nobody has, a longest one, and an empty one are not found', () => {
  for (const name of ['no-such-account-here', 'x'.repeat(256), '']) {
    assert.equal(findAccount('user', name), undefined);
    assert.equal(findAccount('group', name), undefined);
  }
});
