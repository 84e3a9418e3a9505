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

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
  'spec/blobs.md',
  'spec/memfdbus.md',
].filter((page) => page.endsWith('.md'));

/** What the programs of the documentation take from their surroundings. What a program declares itself comes first. */
const SURROUNDINGS = `
import type { MessagePort, Worker } from 'node:worker_threads';
import type { Blob as SealedBlob, BlobInfo, Bus } from 'sealane';
declare global {
  const bus: Bus; const blob: SealedBlob; const info: BlobInfo;
  const weights: Uint8Array; const tensor: Float32Array; const signal: AbortSignal;
  const worker: Worker; const parentPort: MessagePort;
  const camera: { readInto(bytes: Uint8Array): void };
  function render(bytes: Uint8Array): void;
  function show(bytes: Uint8Array): void;
}
`;

/** What a program of the documentation may use without importing it: its page said where it comes from. */
const NAMES = ['connect', 'Broker', 'DraftPool', 'openBlob'];

function read(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

/** The TypeScript programs of a page, each with the line on which it begins. */
function programs(page: string): Array<{ line: number; code: string }> {
  const text = read(page);
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    code: match[1] ?? '',
  }));
}

/** A program as a module of its own. */
function asModule(code: string): string {
  const imported = NAMES.filter((name) => !new RegExp(`^import .*\\b${name}\\b`, 'm').test(code));
  return `import { ${imported.join(', ')} } from 'sealane';\n${code}\nexport {};\n`;
}

test('the programs of the documentation type-check', () => {
  const folder = mkdtempSync(join(root, 'test', 'dist', 'documentation-'));
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'surroundings.ts'), SURROUNDINGS);
    let count = 0;
    for (const page of ['README.md', 'docs/blobs.md', 'docs/broker.md']) {
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
  const text = read('docs/blobs.md') + read('docs/broker.md');
  for (const code of codes) {
    const short = code.replace('ERR_SEALANE', '');
    assert.ok(text.includes(code) || text.includes(`\`${short}\``), `${code} is not documented`);
  }
});
