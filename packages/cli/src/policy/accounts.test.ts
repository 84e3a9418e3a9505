// Users and groups of this machine, by whatever way they are looked up.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { findId, findUser } from './accounts.js';

/** Runs something as if there were no programs. */
async function withoutPrograms<T>(run: () => Promise<T>): Promise<T> {
  const { PATH } = process.env;
  process.env.PATH = '/nonexistent';
  try {
    return await run();
  } finally {
    process.env.PATH = PATH;
  }
}

test('users and groups are found by name and by id, and those that there are not are not', async () => {
  const find = () =>
    Promise.all([
      findId('user', 'root'),
      findId('group', 'root'),
      findId('user', 0),
      findId('user', 'no such user'),
      findId('group', 3_999_999_999),
      findUser('no such user'),
    ]);
  const expected = [0, 0, 0, undefined, undefined, undefined];
  assert.deepEqual(await find(), expected);
  assert.deepEqual(await withoutPrograms(find), expected);
});

test('a user has its primary group and those that it is a member of', async () => {
  const { status, stdout } = spawnSync('id', ['-G', 'daemon'], { encoding: 'utf8' });
  const root = await findUser('root');
  assert.deepEqual([root?.uid, root?.name, root?.groups[0]], [0, 'root', 0]);
  assert.deepEqual(await withoutPrograms(() => findUser(0)), root);
  if (status !== 0) return;
  const groups = stdout.trim().split(' ').map(Number).sort();
  assert.deepEqual([...((await findUser('daemon'))?.groups ?? [])].sort(), groups);
});
