// What is published works where nothing else is: both packages are packed, installed into an empty project without scripts and
// without a registry, and used there by import, by require, by the command, and by the compiler.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { install, npmMissing, type Packed, pack, runtimeDependencies } from './helpers/packages.js';
import { asCommonJs, asModule, programs, SURROUNDINGS } from './helpers/programs.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const library = join(root, 'packages', 'sealane');
const command = join(root, 'packages', 'cli');
const folder = mkdtempSync(join(tmpdir(), 'sealane-packaging-'));
const project = join(folder, 'project');
const skip = npmMissing();
const PAGES = ['README.md', 'packages/sealane/README.md', 'docs/blobs.md', 'docs/broker.md'];

let packages: Packed[] = [];

before(() => {
  if (skip !== false) return;
  // Packing refuses binaries that were made from other sources.
  runScript(root, 'scripts/build-prebuilds.mjs', ['--offline']);
  packages = [pack(library, folder, true), pack(command, folder, true)];
  const others = runtimeDependencies(command).map((dependency) => pack(dependency, folder, false));
  install(
    project,
    [...packages, ...others].map(({ tarball }) => tarball),
  );
});
after(() => rmSync(folder, { recursive: true }));

/** Runs a script of the repository, or of a copy of it, in a folder. Answers how it ended. */
function runScript(
  cwd: string,
  script: string,
  args: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
) {
  const env = { ...process.env, npm_command: undefined, ...environment };
  const result = spawnSync(process.execPath, [script, ...args], { cwd, env, encoding: 'utf8' });
  return { status: result.status, said: result.stdout + result.stderr };
}

/** Runs Node.js in the project; answers what it printed. */
function run(args: readonly string[]): string {
  return runProgram(process.execPath, args);
}

/** Runs the command as npm links it. It takes the Node.js that the shell finds: this one. */
function sealane(args: readonly string[]): string {
  return runProgram(join(project, 'node_modules', '.bin', 'sealane'), args);
}

function runProgram(program: string, args: readonly string[]): string {
  const { SEALANE_ADDON: _, ...inherited } = process.env;
  const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
  const env = { ...inherited, PATH, SEALANE_DIR: join(folder, 'run') };
  const result = spawnSync(program, args, { cwd: project, env, encoding: 'utf8' });
  assert.equal(result.status, 0, result.stdout + result.stderr);
  assert.doesNotMatch(result.stderr, /Warning/);
  return result.stdout.trim();
}

function installed(name: string, path: string): string {
  return readFileSync(join(project, 'node_modules', name, path), 'utf8');
}

test('the packages hold what is needed to use them, and nothing that only their making needs', {
  skip,
}, () => {
  for (const { name, files } of packages) {
    for (const path of ['package.json', 'README.md', 'LICENSE'])
      assert(files.includes(path), `${name}: ${path}`);
    assert.deepEqual(
      files.filter((path) => /\.test\.|tsbuildinfo|tsconfig|\.stamp$|(^|\/)src\//.test(path)),
      [],
    );
    assert.deepEqual(
      files.filter(
        (path) => !/^(bin|dist|cjs|types|prebuilds|native|man|shell|systemd)\/|^[^/]+$/.test(path),
      ),
      [],
    );
  }
});

test('every source map that a file names is there and brings its sources', { skip }, () => {
  for (const { name, files } of packages) {
    const maps = files.filter((path) => path.endsWith('.map'));
    assert(maps.length > 0);
    for (const map of maps) assert.ok(JSON.parse(installed(name, map)).sourcesContent.length > 0, map);
    for (const path of files.filter((file) => /\.c?js$/.test(file))) {
      const [, named] = /^\/\/# sourceMappingURL=(.*)$/m.exec(installed(name, path)) ?? [];
      if (named !== undefined) assert(files.includes(join(dirname(path), named)), `${path} names ${named}`);
    }
  }
});

test('what the manifests point to is there, and no script runs at installation', { skip }, () => {
  for (const { name, files } of packages) {
    const manifest = JSON.parse(installed(name, 'package.json'));
    const { exports = {}, main = './package.json', types = './package.json', bin = {}, man = [] } = manifest;
    for (const path of paths([exports, main, types, bin, man]))
      assert(files.includes(join(path)), `${name}: ${path}`);
    assert.deepEqual(
      Object.keys(manifest.scripts).filter((script) => /install|^prepare$/.test(script)),
      [],
    );
    assert.equal(manifest.os ?? manifest.cpu ?? manifest.libc, undefined, 'it installs everywhere');
  }
});

/** All strings in a tree of objects. */
function paths(tree: unknown): string[] {
  if (typeof tree === 'string') return [tree];
  return Object.values(tree as object).flatMap(paths);
}

test('what a shell and a service manager read comes with the command', { skip }, () => {
  const machinery = {
    bash: 'complete -F _sealane',
    zsh: 'compdef _sealane sealane',
    fish: 'function __sealane_names',
  };
  for (const [shell, text] of Object.entries(machinery))
    assert.ok(sealane(['completion', shell]).includes(text), shell);
  const files = packages.find(({ name }) => name === 'sealane-cli')?.files ?? [];
  for (const manager of ['user', 'system'])
    for (const unit of ['sealane.service', 'sealane.socket', 'sealane-memfdbus.socket'])
      assert(files.includes(`systemd/${manager}/${unit}`), `${manager}/${unit}`);
});

test('the command comes with the library of its own version', { skip }, () => {
  const version = JSON.parse(installed('sealane', 'package.json')).version;
  assert.equal(JSON.parse(installed('sealane-cli', 'package.json')).dependencies.sealane, version);
  assert.equal(sealane(['--version']), version);
});

test('the demo runs where the packages were installed', { skip }, () => {
  const small = join(folder, 'small.bin');
  writeFileSync(small, Buffer.alloc(3 << 20, 'sealane'));
  const output = sealane(['demo', '--quick', small]);
  assert.match(output, /small\.bin/);
});

/** The build for CommonJS is the one that runs where require() can't load ECMAScript modules: Node.js before 20.19 and 22.12. */
const OLDER = '--no-experimental-require-module';
const hasSwitch = process.allowedNodeEnvironmentFlags.has('--experimental-require-module');

for (const [kind, flags, cannot] of [
  ['this Node.js', [], skip],
  [
    'a Node.js whose require knows CommonJS only',
    [OLDER],
    hasSwitch ? skip : 'this Node.js can not be told to be one',
  ],
] as const) {
  test(`import and require give one instance of the library on ${kind}`, { skip: cannot }, () => {
    writeFileSync(
      join(project, 'one.cjs'),
      `const required = require('sealane');
      const internal = require('sealane/internal');
      (async () => {
        const imported = await import('sealane');
        const names = Object.keys(required);
        console.log(names.every((name) => required[name] === imported[name]), names.sort().join(' '));
        console.log(internal.Memfd === (await import('sealane/internal')).Memfd);
        const isCommonJs = Object.keys(require.cache).some((path) => path.endsWith('/sealane/cjs/index.js'));
        console.log(isCommonJs === !process.features.require_module);
      })();`,
    );
    const [same = '', inside, build] = run([...flags, 'one.cjs']).split('\n');
    assert.match(same, /^true .*\bBroker\b.*\bSealaneError\b.*\bconnect\b/);
    assert.equal(inside, 'true');
    assert.equal(build, 'true', 'the build for CommonJS runs where it must, and only there');
  });

  test(`named imports and a broker with its client work on ${kind}`, { skip: cannot }, () => {
    writeFileSync(
      join(project, 'both.mjs'),
      `import { Broker, connect, isSealaneError } from 'sealane';
      const broker = await Broker.start();
      const bus = await connect();
      await bus.put(Buffer.from('content'), { name: 'model.bin' });
      const blob = await bus.get('model.bin');
      console.log(Buffer.from(blob.bytes).toString());
      const failure = await bus.get('nothing').catch((error) => error);
      console.log(isSealaneError(failure, 'ERR_SEALANE_NOT_FOUND'));
      blob.close();
      await bus.close();
      await broker.stop();`,
    );
    assert.equal(run([...flags, 'both.mjs']), 'content\ntrue');
  });
}

test('the program for CommonJS in the README of the library runs', { skip }, () => {
  const [, program] = /^```js\n([\s\S]*?)^```/m.exec(installed('sealane', 'README.md')) ?? [];
  assert(program !== undefined);
  const call = program.lastIndexOf('main();');
  assert(call !== -1);
  const surroundings = `
    const { Broker } = require('sealane');
    (async () => {
      const broker = await Broker.start();
      const bus = await connect();
      await bus.put(Buffer.alloc(4321), { name: 'model.bin' });
      await bus.close();
      await main();
      await broker.stop();
    })();`;
  writeFileSync(join(project, 'readme.cjs'), program.slice(0, call) + surroundings);
  assert.equal(run(['readme.cjs']), '4321');
});

const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
  target: 'ES2022',
  lib: ['ES2022', 'ESNext.Disposable'],
  types: ['node'],
};

/** Compiles a project of a consumer; answers what the compiler complained of. */
function compile(name: string, files: Readonly<Record<string, string>>, options: object): string {
  const place = join(project, name);
  mkdirSync(place, { recursive: true });
  const types = join(project, 'node_modules', '@types');
  mkdirSync(types, { recursive: true });
  // The declarations of Node.js are all that a consumer needs beside the package.
  if (!readdirSync(types).includes('node'))
    symlinkSync(join(root, 'node_modules/@types/node'), join(types, 'node'));
  for (const [file, code] of Object.entries(files)) writeFileSync(join(place, file), code);
  writeFileSync(
    join(place, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...STRICT, ...options }, include: ['*'] }),
  );
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const result = spawnSync(process.execPath, [compiler, '-p', place], { encoding: 'utf8' });
  return result.stdout + result.stderr + (result.status === 0 ? '' : `exit status ${result.status}`);
}

/** The programs of the documentation, each as a file that `form` makes. */
function documented(extension: string, form: (code: string) => string): Record<string, string> {
  const all = PAGES.flatMap((page) =>
    programs(page).map(({ line, code }) => [
      `${page.replaceAll(/\W/g, '-')}-${line}.${extension}`,
      form(code),
    ]),
  );
  assert(all.length >= 8);
  return Object.fromEntries([...all, ['surroundings.ts', SURROUNDINGS]]);
}

test('the declarations serve an ECMAScript module and a CommonJS program alike', { skip }, () => {
  const manifest = (type: string) => ({ 'package.json': JSON.stringify({ type }) });
  const node = { module: 'NodeNext' };
  assert.equal(compile('esm', { ...documented('ts', asModule), ...manifest('module') }, node), '');
  assert.equal(compile('cjs', { ...documented('ts', asCommonJs), ...manifest('commonjs') }, node), '');
  const older = { module: 'Node16' };
  assert.equal(compile('older', { ...documented('ts', asCommonJs), ...manifest('commonjs') }, older), '');
});

test('the declarations serve a program that is bundled', { skip }, () => {
  const options = { module: 'Preserve', moduleResolution: 'Bundler' };
  assert.equal(compile('bundled', documented('ts', asModule), options), '');
});

test('a type is the same whether it was imported or required', { skip }, () => {
  const files = {
    'both.cts': `
      import { connect, type Bus } from 'sealane';
      import type { Bus as Imported } from 'sealane' with { 'resolution-mode': 'import' };
      export async function open(): Promise<Imported> {
        const bus: Bus = await connect();
        return bus;
      }`,
  };
  assert.equal(compile('identity', files, { module: 'NodeNext' }), '');
});

const WITHOUT_USING = `
  import { connect } from 'sealane';
  export async function size(): Promise<number> {
    const bus = await connect();
    const blob = await bus.get('model.bin');
    try {
      return blob.bytes.length;
    } finally {
      blob.close();
      await bus.close();
    }
  }`;

test('a consumer whose library is older than `using` compiles, and calls close', { skip }, () => {
  const options = { module: 'NodeNext', lib: ['ES2022'] };
  assert.equal(compile('plain', { 'plain.mts': WITHOUT_USING }, options), '');
});

test('the compiler sees a wrong use of the library', { skip }, () => {
  const files = { 'wrong.mts': `import { connect } from 'sealane';\nconnect({ socket: 7 });\n` };
  assert.match(compile('wrong', files, { module: 'NodeNext' }), /wrong\.mts\(2,\d+\): error TS2322/);
});

test('on another platform the library is imported, and every entry point refuses', { skip }, () => {
  writeFileSync(
    join(project, 'elsewhere.mjs'),
    `Object.defineProperty(process, 'platform', { value: 'win32' });
    for (const name of ['getuid', 'geteuid', 'getgid', 'getegid']) delete process[name];
    const { Broker, connect, DraftPool } = await import('sealane');
    const entries = {
      connect: () => connect(),
      broker: () => Broker.start(),
      pool: () => new DraftPool({ bytes: 4096 }).ready(),
    };
    for (const [name, entry] of Object.entries(entries)) {
      await Promise.resolve().then(entry).then(() => console.log(name, 'works'), (error) => console.log(name, error.code));
    }`,
  );
  const codes = run(['elsewhere.mjs'])
    .split('\n')
    .map((line) => line.split(' ')[1]);
  assert.deepEqual(codes, Array(3).fill('ERR_SEALANE_UNSUPPORTED_PLATFORM'));
});

/** A copy of as much of the repository as packing looks at, without binaries and without anything to compile. */
function copyForPacking(name: string): string {
  const copy = join(folder, name);
  for (const part of ['scripts', 'LICENSE', 'packages/sealane/native']) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  writeFileSync(join(copy, 'nothing.ts'), '');
  writeFileSync(
    join(copy, 'tsconfig.json'),
    '{ "compilerOptions": { "noEmit": true }, "files": ["nothing.ts"] }',
  );
  return copy;
}

test('packing without the binary of this machine fails, and publishing without one of the four', {
  skip,
}, () => {
  const copy = copyForPacking('without');
  const place = join(copy, 'packages', 'sealane');
  const prepack = join(copy, 'scripts', 'prepack.mjs');
  const packed = runScript(place, prepack);
  assert.equal(packed.status, 1);
  assert.match(packed.said, /no binary of the addon for linux-\w+-\w+: run `npm run build:prebuilds/);
  const published = runScript(place, prepack, [], { npm_command: 'publish' });
  assert.match(
    published.said,
    /for linux-x64-glibc, linux-x64-musl, linux-arm64-glibc, linux-arm64-musl: run/,
  );
});

test('packing a binary of other sources fails, and outputs whose source is gone are not packed', {
  skip,
}, () => {
  const copy = copyForPacking('stale');
  const place = join(copy, 'packages', 'sealane');
  assert.equal(runScript(copy, 'scripts/build-addon.mjs').status, 0);
  mkdirSync(join(place, 'src'));
  mkdirSync(join(place, 'dist'));
  writeFileSync(join(place, 'src', 'kept.ts'), '');
  for (const name of ['kept.js', 'kept.d.ts', 'kept.js.map', 'gone.js', 'gone.d.ts', 'gone.js.map']) {
    writeFileSync(join(place, 'dist', name), '');
  }
  assert.deepEqual(runScript(place, join(copy, 'scripts', 'prepack.mjs')), { status: 0, said: '' });
  assert.deepEqual(readdirSync(join(place, 'dist')).sort(), ['kept.d.ts', 'kept.js', 'kept.js.map']);
  writeFileSync(join(place, 'native', 'more.c'), '');
  const packed = runScript(place, join(copy, 'scripts', 'prepack.mjs'));
  assert.match(packed.said, /the binary for linux-\w+-\w+ was made from other sources/);
});
