// What fuzzing has tried once is tried again: the corpora of fuzz/, under AddressSanitizer and UndefinedBehaviorSanitizer. `npm run fuzz` looks for more.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Why there are no sanitizers here; undefined: there are. */
function missingSanitizers(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-fuzz-test-'));
  try {
    const source = join(folder, 'probe.c');
    writeFileSync(source, 'int main(void) { return 0; }\n');
    const args = ['-fsanitize=address,undefined', '-o', join(folder, 'probe'), source];
    const { status, error, stderr } = spawnSync(process.env.CC || 'cc', args, { encoding: 'utf8' });
    return status === 0 ? undefined : `no compiler with sanitizers: ${error?.message ?? stderr}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('what peers sent that was wrong once is refused, and what was right is read', () => {
  const script = join(root, 'scripts', 'fuzz.mjs');
  const words = [script, '--replay', '--only', 'packets'];
  const run = spawnSync(process.execPath, words, { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stdout + run.stderr);
  assert.match(run.stdout, /^packets: [1-9]\d+ inputs$/m);
});

test('what is in the corpora of the fuzz targets breaks nothing', (t) => {
  const reason = missingSanitizers();
  if (reason !== undefined) return t.skip(reason);
  const run = spawnSync(process.execPath, [join(root, 'scripts', 'fuzz.mjs'), '--replay'], {
    encoding: 'utf8',
  });
  assert.equal(run.status, 0, run.stdout + run.stderr);
  for (const target of ['control', 'text', 'strings', 'record', 'seam'])
    assert.match(run.stdout, new RegExp(`^${target}: \\d+ inputs$`, 'm'));
});
