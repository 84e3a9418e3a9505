// Which tests `npm test -- PART` runs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Without the mark of a test run, in which node --test would run nothing. */
function runTests(...parts: string[]) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const script = join(root, 'scripts', 'test.mjs');
  return spawnSync(process.execPath, [script, ...parts], { cwd: root, encoding: 'utf8', env });
}

test('a part that no test has in its path runs nothing, and fails', () => {
  const { status, stdout, stderr } = runTests('nosuchname');
  assert.deepEqual([status, stdout, stderr], [1, '', 'test: no test has nosuchname in its path\n']);
});

test('a part that a test has in its path runs that one alone', () => {
  const { status, stdout } = runTests('nosuchname', 'sealane/dist/os/clock.test');
  assert.equal(status, 0, stdout);
  const count = stdout.match(/ℹ tests (\d+)/)?.[1];
  assert.ok(count !== undefined && Number(count) > 0 && Number(count) < 20, stdout);
});
