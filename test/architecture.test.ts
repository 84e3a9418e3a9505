// The folders are the architecture: imports run downward only, and this test is what keeps it so.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const source = join(root, 'packages', 'sealane', 'src');

/** What each folder of the library may import beside itself. A folder that is not named here may not exist. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  native: ['base'],
  os: ['base', 'native'],
  shm: ['base', 'native', 'os'],
  wire: ['base'],
  link: ['base', 'os', 'wire'],
  blobs: ['base', 'os', 'wire', 'link'],
  services: ['base', 'os', 'shm', 'wire', 'link'],
  windows: ['base', 'os'],
  io: ['base', 'os'],
  buffers: ['base', 'os', 'shm', 'wire', 'link', 'services'],
  broker: ['base', 'os', 'wire', 'link'],
};

/** The same for the folders of services, each of which may import all before it; what stands beside them may import all. Tests may look up. */
const SERVICES_ORDER = ['domain', 'pairs', 'events', 'samples', 'observe', ''];

const ADDON_LOADER = 'native/addon.ts';

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const statements = text.matchAll(
    /^\s*(?:import|export)\b[^'"]*?\bfrom\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
  );
  return [...statements].map((match) => ({ file, specifier: match[1] ?? match[2] ?? '' }));
}

function folderOf(path: string): string {
  const parts = relative(source, path).split('/');
  return parts.length === 1 ? '' : (parts[0] ?? '');
}

/** Where its folder stands within services. Fails for one that is not in the order. */
function rankOf(path: string): number {
  const [, folder = ''] = relative(source, dirname(path)).split('/');
  const rank = SERVICES_ORDER.indexOf(folder);
  assert.notEqual(rank, -1, `src/services/${folder} has no place in the order`);
  return rank;
}

const libraryImports = sourceFiles(source).flatMap(importsOf);

test('every folder of the library has its place in the order', () => {
  const folders = new Set(sourceFiles(source).map(folderOf));
  const unknown = [...folders].filter((folder) => folder !== '' && !(folder in MAY_IMPORT));
  assert.deepEqual(unknown, []);
});

test('the library imports downward only', () => {
  assert.ok(libraryImports.length > 50, 'the test must see the imports');
  const wrong = libraryImports
    .filter(({ specifier }) => specifier.startsWith('.'))
    .filter(({ file, specifier }) => !isAllowed(folderOf(file), folderOf(join(dirname(file), specifier))));
  assert.deepEqual(wrong.map(describe), []);
});

test('the folders of services import downward only', () => {
  const wrong = libraryImports
    .filter(({ file, specifier }) => specifier.startsWith('.') && !file.includes('.test.'))
    .map(({ file, specifier }) => ({ file, specifier, target: join(dirname(file), specifier) }))
    .filter(({ file, target }) => folderOf(file) === 'services' && folderOf(target) === 'services')
    .filter(({ file, target }) => rankOf(target) > rankOf(file));
  assert.deepEqual(wrong.map(describe), []);
});

test('the library has no runtime dependency', () => {
  const wrong = libraryImports
    .filter(({ file }) => !file.includes('.test.'))
    .filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'));
  assert.deepEqual(wrong.map(describe), []);
  const manifest = JSON.parse(readFileSync(join(root, 'packages', 'sealane', 'package.json'), 'utf8'));
  assert.deepEqual(
    { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies },
    {},
  );
});

test('only one file loads the addon', () => {
  const loaders = sourceFiles(source).filter((file) =>
    /\bprocess\.dlopen\b|\.node['"`]/.test(readFileSync(file, 'utf8')),
  );
  assert.deepEqual(
    loaders.map((file) => relative(source, file)).filter((file) => !file.includes('.test.')),
    [ADDON_LOADER],
  );
});

test('the command uses the public and the internal face of the library, nothing below', () => {
  const allowed = new Set(['sealane', 'sealane/internal', 'commander', 'smol-toml', 'valibot']);
  const wrong = sourceFiles(join(root, 'packages', 'cli', 'src'))
    .flatMap(importsOf)
    .filter(
      ({ file, specifier }) =>
        !specifier.startsWith('.') &&
        !specifier.startsWith('node:') &&
        !allowed.has(specifier) &&
        !(specifier === 'fast-check' && file.endsWith('.test.ts')),
    );
  assert.deepEqual(wrong.map(describe), []);
});

/** The files at the top, index.ts and internal.ts, may import everything and be imported by nobody. */
function isAllowed(from: string, to: string): boolean {
  if (from === '' || from === to) return true;
  return MAY_IMPORT[from]?.includes(to) ?? false;
}

function describe({ file, specifier }: Import): string {
  return `${relative(root, file)} imports ${specifier}`;
}
