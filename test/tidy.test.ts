// The written style, as far as a machine can read it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Longest source file. Over it, two meanings share a file. Tables and tests may be longer. */
const MAX_LINES = 400;
const MAX_TEST_LINES = 700;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const sources = files.filter((file) => /\.(ts|cts|mts|js|mjs|c|h|rs)$/.test(file));

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

function offenders(candidates: readonly string[], wrong: (text: string, file: string) => boolean): string[] {
  return candidates.filter((file) => wrong(read(file), file));
}

test('the test sees the sources', () => {
  assert.ok(sources.length > 60, `only ${sources.length} sources found`);
});

test('every source file opens with what it is', () => {
  const opened = sources.filter((file) => !/(^|\/)index\.ts$/.test(file));
  assert.deepEqual(
    offenders(opened, (text) => !/^(#!.*\n)?\s*(\/\*|\/\/)/.test(text)),
    [],
  );
});

test('no source file is longer than a reader can hold', () => {
  const limit = (file: string) => (file.includes('.test.') ? MAX_TEST_LINES : MAX_LINES);
  assert.deepEqual(
    offenders(sources, (text, file) => text.split('\n').length > limit(file)),
    [],
  );
});

test('nothing unfinished lands', () => {
  const marks = new RegExp(
    ['TO', 'DO|FIX', 'ME|XX', 'X|HA', 'CK'].join('').replace(/^/, '\\b(').replace(/$/, ')\\b'),
  );
  assert.deepEqual(
    offenders(sources, (text) => marks.test(text)),
    [],
  );
});

test('no check of the compiler or the linter is switched off', () => {
  const switches = new RegExp(['@ts-', '(ignore|nocheck|expect-error)|biome-', 'ignore'].join(''));
  assert.deepEqual(
    offenders(sources, (text) => switches.test(text)),
    [],
  );
});

test('lock files name no registry host but the canonical one of crates.io', () => {
  const npm = files.filter((file) => file.endsWith('package-lock.json'));
  const cargo = files.filter((file) => file.endsWith('Cargo.lock'));
  assert.ok(npm.length > 0 && cargo.length > 0);
  assert.deepEqual(
    offenders(npm, (text) => /"resolved": "https?:/.test(text)),
    [],
  );
  assert.deepEqual(
    offenders(cargo, (text) =>
      /^source = (?!"registry\+https:\/\/github\.com\/rust-lang\/crates\.io-index"$)/m.test(text),
    ),
    [],
  );
});

test('no binary is tracked', () => {
  const text =
    /\.(ts|cts|mts|js|mjs|c|h|rs|json|md|svg|toml|yml|sh|bash|zsh|fish|socket|service|conf|pml)$|(^|\/)(LICENSE|NOTICE|run|Cargo\.lock|bin\/sealane|\.[a-z]+)$/;
  assert.deepEqual(
    files.filter((file) => !text.test(file)),
    [],
  );
});
