// The histogram example as a user runs it, with small frames: a guest compiled from C counts every pixel of what is mapped.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../examples/dist/histogram/main.js', import.meta.url));

function ownFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('sealane-histogram-'));
}

test('a guest compiled from C counts the pixels of frames in their producer’s memory', (t) => {
  const before = ownFolders();
  const words = ['--width', '320', '--height', '200', '--frames', '5'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' });
  if (status === 2) return t.skip(stderr.trim());
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^5 frames of 320x200, 64000 pixels each, counted by the guest$/m);
  assert.match(stdout, /^median for a frame: \d+ us mapped, \d+ us copied into the guest$/m);
  // A gradient has pixels of every brightness.
  const bars = [...stdout.matchAll(/^ *\d+-\d+ #+ +(\d+)$/gm)].map(([, count]) => Number(count));
  assert.equal(bars.length, 16);
  assert.equal(
    bars.reduce((sum, count) => sum + count, 0),
    64_000,
  );
  assert.deepEqual(ownFolders(), before);
});
