// The addon's binaries ask of a machine no more than is promised: for glibc nothing newer than 2.28, for musl nothing that 1.2.3
// lacks, and beside the C library only what Node.js exports. Those that can't be built here are skipped.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  DF_1_NODELETE,
  DF_1_NOW,
  DT_FLAGS_1,
  DT_RELR,
  DT_TEXTREL,
  type DynamicSymbol,
  readSharedLibrary,
  type SharedLibrary,
} from './helpers/elf.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const prebuilds = join(root, 'packages', 'sealane', 'prebuilds');

const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };
/** What may be missing: OpenSSL, which some builds of Node.js keep in a library of its own, and what start-up code looks for. */
const MAY_BE_MISSING = /^(EVP_\w+|_ITM_(de)?registerTMCloneTable|__gmon_start__|__cxa_finalize)$/;
/** Debian 10, RHEL 8, and what the official builds of Node.js 20 need. */
const NEWEST_GLIBC = [2, 28];

const node = readSharedLibrary(process.execPath);
const exportedByNode = new Set(node.symbols.filter(({ defined }) => defined).map(({ name }) => name));

/** Builds what can be built without fetching anything. Answers why the others were skipped. */
function build(): Map<string, string> {
  const result = spawnSync(process.execPath, ['scripts/build-prebuilds.mjs', '--offline'], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.equal(result.status, 0, result.stderr);
  const lines = result.stdout.matchAll(/^build-prebuilds: skipped (\S+): (.*)$/gm);
  return new Map([...lines].map(([, name = '', reason = '']) => [name, reason]));
}

const skipped = build();
const linkedToLibrary = exportedByNode.has('napi_create_function')
  ? false
  : 'this Node.js keeps its functions in a library of its own: what it exports is not to be seen in its executable';

for (const arch of ['x64', 'arm64']) {
  for (const libc of ['glibc', 'musl']) {
    const name = `linux-${arch}-${libc}`;
    const skip = skipped.get(name) ?? linkedToLibrary;
    test(`the binary for ${name} asks for nothing that its machines may lack`, { skip }, () => {
      const library = readSharedLibrary(join(prebuilds, name, 'sealane.node'));
      assert.equal(library.machine, MACHINES[arch]);
      checkShape(library);
      if (libc === 'glibc') checkGlibc(library, arch);
      else checkMusl(library, arch);
    });
  }
}

test('only what build-prebuilds makes lies among the binaries', () => {
  const names = ['x64', 'arm64'].flatMap((arch) => [`linux-${arch}-glibc`, `linux-${arch}-musl`]);
  assert.deepEqual(
    readdirSync(prebuilds).filter((name) => !names.includes(name)),
    [],
  );
});

/** Stays loaded, is bound at once, needs no relocation of code, no executable stack, and no kind of relocation newer than its floor. */
function checkShape({ dynamic, executableStack, symbols }: SharedLibrary): void {
  const flags = dynamic.get(DT_FLAGS_1) ?? 0n;
  assert.equal(flags & DF_1_NODELETE, DF_1_NODELETE);
  assert.equal(flags & DF_1_NOW, DF_1_NOW);
  assert.equal(dynamic.has(DT_TEXTREL), false);
  assert.equal(dynamic.has(DT_RELR), false);
  assert.equal(executableStack, false);
  const exported = symbols.filter(({ defined, name }) => defined && name !== '').map(({ name }) => name);
  assert.deepEqual(exported.sort(), ['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
}

function checkGlibc(library: SharedLibrary, arch: string): void {
  assert.deepEqual(
    library.needed.filter((name) => !/^(libc\.so\.6|ld-linux-[\w-]+\.so\.\d)$/.test(name)),
    [],
    `${arch} asks for other libraries`,
  );
  const [versioned, others] = split(library, ({ version }) => version !== undefined);
  assert(versioned.some(({ name }) => name === 'memfd_create'));
  assert.deepEqual(versioned.filter(({ version }) => !isOldEnough(version ?? '')).map(describe), []);
  checkOthers(others);
}

function checkMusl(library: SharedLibrary, arch: string): void {
  assert.match(library.needed.join(), /^libc\.(so|musl-\w+\.so\.1)$/);
  const libc = exportedByMusl(arch);
  const [known, others] = split(library, ({ name }) => libc.has(name));
  assert(known.some(({ name }) => name === 'memfd_create'));
  checkOthers(others);
}

/** What is not of the C library is of the running Node.js, or may be missing. */
function checkOthers(others: readonly DynamicSymbol[]): void {
  assert(others.some(({ name }) => name === 'napi_create_function'));
  assert(others.some(({ name }) => name === 'uv_poll_start'));
  const unknown = others.filter(({ name }) => !exportedByNode.has(name));
  assert.deepEqual(unknown.filter(({ name, weak }) => !weak || !MAY_BE_MISSING.test(name)).map(describe), []);
}

function isOldEnough(version: string): boolean {
  const [, major = 'none', minor = 'none'] = /^GLIBC_(\d+)\.(\d+)(\.\d+)?$/.exec(version) ?? [];
  const [newestMajor = 0, newestMinor = 0] = NEWEST_GLIBC;
  return Number(major) < newestMajor || (Number(major) === newestMajor && Number(minor) <= newestMinor);
}

/** What the musl that the binary was linked against exports: the oldest one that it is to load on. */
function exportedByMusl(arch: string): Set<string> {
  const machine = arch === 'x64' ? 'x86_64' : 'aarch64';
  const debian = arch === 'x64' ? 'amd64' : 'arm64';
  const folder = join(root, '.cache', 'debian', `bookworm-${debian}-musl`);
  const places = [join(folder, 'lib'), '/usr/lib', '/lib'];
  const path = places
    .flatMap((place) => [
      join(place, `${machine}-linux-musl`, 'libc.so'),
      join(place, `ld-musl-${machine}.so.1`),
    ])
    .find((candidate) => existsSync(candidate));
  assert(path !== undefined, 'where the binary was built, there is musl');
  return new Set(
    readSharedLibrary(path)
      .symbols.filter(({ defined }) => defined)
      .map(({ name }) => name),
  );
}

function split(
  { symbols }: SharedLibrary,
  test: (symbol: DynamicSymbol) => boolean,
): [DynamicSymbol[], DynamicSymbol[]] {
  const undefinedSymbols = symbols.filter(({ defined }) => !defined);
  return [undefinedSymbols.filter(test), undefinedSymbols.filter((symbol) => !test(symbol))];
}

function describe({ name, version }: DynamicSymbol): string {
  return version === undefined ? name : `${name}@${version}`;
}
