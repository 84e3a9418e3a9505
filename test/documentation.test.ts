// What the documentation says is compiled and followed: its programs type-check, its links lead somewhere, its codes exist.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { asModule, programs, SURROUNDINGS } from './helpers/programs.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const pages = [
  'README.md',
  'packages/sealane/README.md',
  'packages/cli/README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
  'spec/blobs.md',
  'spec/buffers.md',
  'spec/frames.md',
  'spec/memfdbus.md',
  'spec/services.md',
  'spec/models/README.md',
].filter((page) => page.endsWith('.md'));

function read(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

test('the programs of the documentation type-check', () => {
  const folder = mkdtempSync(join(root, 'test', 'dist', 'documentation-'));
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'surroundings.ts'), SURROUNDINGS);
    let count = 0;
    for (const page of [
      'README.md',
      'packages/sealane/README.md',
      'docs/blobs.md',
      'docs/broker.md',
      'docs/policy.md',
      'docs/audit.md',
      'docs/buffers.md',
      'docs/frames.md',
      'docs/services.md',
      'docs/diagnostics.md',
      'docs/windows.md',
    ]) {
      for (const { line, code } of programs(page)) {
        writeFileSync(join(folder, `${page.replaceAll('/', '-')}-line-${line}.ts`), asModule(code));
        count++;
      }
    }
    assert.ok(count >= 8, `only ${count} programs found`);
    const compilerOptions = {
      noEmit: true,
      composite: false,
      incremental: false,
      noUnusedLocals: false,
      noUnusedParameters: false,
    };
    const options = { extends: '../../../tsconfig.base.json', compilerOptions, include: ['*.ts'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const result = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
    assert.equal(result.status, 0, result.stdout + result.stderr);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the links of the documentation lead somewhere', () => {
  const broken: string[] = [];
  for (const page of pages) {
    for (const [, target = ''] of read(page).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
      if (!existsSync(join(root, dirname(page), target))) broken.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('every error code that the documentation names exists, and every code is documented', () => {
  const codes = new Set(read('packages/sealane/src/base/errors.ts').match(/ERR_SEALANE_[A-Z_]+/g));
  for (const page of pages) {
    const named = read(page).match(/ERR_SEALANE_[A-Z_]*[A-Z]/g) ?? [];
    for (const code of named) assert.ok(codes.has(code), `${page} names ${code}`);
  }
  const text =
    read('docs/blobs.md') +
    read('docs/broker.md') +
    read('docs/services.md') +
    read('docs/windows.md') +
    read('docs/buffers.md');
  for (const code of codes) {
    const short = code.replace('ERR_SEALANE', '');
    assert.ok(text.includes(code) || text.includes(`\`${short}\``), `${code} is not documented`);
  }
});
