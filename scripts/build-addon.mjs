/**
 * Builds the native addon with the C compiler ($CC, else cc) against the npm package node-api-headers.
 * Owns packages/sealane/prebuilds/ and packages/sealane/build/. Does nothing when neither sources, flags nor compiler changed.
 *
 *   node scripts/build-addon.mjs              for use:   packages/sealane/prebuilds/linux-ARCH-LIBC/sealane.node
 *   node scripts/build-addon.mjs --sanitize   for tests: packages/sealane/build/asan/sealane.node (ASan and UBSan)
 *   --quiet                                   says something only when something went wrong
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const packageFolder = join(root, 'packages', 'sealane');
const sourceFolder = join(packageFolder, 'native');
const compiler = process.env.CC || 'cc';
const sanitize = process.argv.includes('--sanitize');
const quiet = process.argv.includes('--quiet');

/** -z nodelete: a library that only a worker loaded must not be unmapped when the worker ends. */
const COMMON_FLAGS = [
  '-std=c11',
  '-D_GNU_SOURCE',
  '-fPIC',
  '-shared',
  '-pthread',
  '-fvisibility=hidden',
  '-g',
];
const WARNING_FLAGS = ['-Wall', '-Wextra', '-Werror'];
const LINK_FLAGS = ['-Wl,-z,nodelete', '-Wl,-z,relro', '-Wl,-z,now'];
const RELEASE_FLAGS = ['-O2'];
const SANITIZE_FLAGS = [
  '-O1',
  '-fno-omit-frame-pointer',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
];

main();

function main() {
  if (process.platform !== 'linux') {
    console.log(`build-addon: the addon is for Linux; on ${process.platform} there is nothing to build`);
    return;
  }
  const machine = run(['-dumpmachine']).trim();
  const target = sanitize
    ? join(packageFolder, 'build', 'asan', 'sealane.node')
    : join(packageFolder, 'prebuilds', `linux-${architecture(machine)}-${libc(machine)}`, 'sealane.node');
  const sources = files('.c');
  const flags = [
    ...COMMON_FLAGS,
    ...WARNING_FLAGS,
    ...(sanitize ? SANITIZE_FLAGS : RELEASE_FLAGS),
    ...LINK_FLAGS,
  ];
  const stamp = fingerprint(flags);
  const stampFile = join(
    packageFolder,
    'build',
    sanitize ? 'asan.stamp' : `${relative(packageFolder, target).replaceAll('/', '-')}.stamp`,
  );
  if (existsSync(target) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) {
    say(`build-addon: ${relative(root, target)} is up to date`);
    return;
  }
  build(target, flags, sources);
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, stamp);
  say(`build-addon: built ${relative(root, target)}`);
}

/** Built aside and renamed, so that a process that has the old one loaded keeps it. */
function build(target, flags, sources) {
  mkdirSync(dirname(target), { recursive: true });
  const aside = `${target}.${process.pid}`;
  rmSync(aside, { force: true });
  run([...flags, `-I${headerFolder()}`, '-o', aside, ...sources]);
  renameSync(aside, target);
}

function fingerprint(flags) {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([compiler, run(['--version']), flags]));
  for (const path of [...files('.c'), ...files('.h'), join(headerFolder(), 'node_api.h')]) {
    hash.update(relative(root, path)).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}

function files(extension) {
  const names = readdirSync(sourceFolder).filter((name) => name.endsWith(extension));
  return names.sort().map((name) => join(sourceFolder, name));
}

function headerFolder() {
  try {
    return createRequire(import.meta.url)('node-api-headers').include_dir;
  } catch {
    return fail('the npm package node-api-headers is missing: run `npm ci` first');
  }
}

/** As process.arch calls it. */
function architecture(machine) {
  const name = machine.split('-')[0];
  const known = { x86_64: 'x64', aarch64: 'arm64' };
  return known[name] ?? fail(`the compiler makes code for ${machine}; Sealane runs on x86-64 and arm64`);
}

function libc(machine) {
  return machine.endsWith('musl') ? 'musl' : 'glibc';
}

/** Runs the compiler; answers what it printed. Its words can come with flags of their own, as in CC="ccache gcc". */
function run(args) {
  const [command, ...first] = compiler.split(' ').filter((word) => word !== '');
  const result = spawnSync(command, [...first, ...args], { encoding: 'utf8' });
  if (result.error?.code === 'ENOENT') {
    fail(
      `no C compiler: ${command} was not found. Install one (Debian, Ubuntu: apt install gcc libc6-dev), or name it in $CC`,
    );
  }
  if (result.error) fail(`${command} could not be run: ${result.error.message}`);
  if (result.status !== 0) fail(`${command} failed:\n${result.stderr}`);
  return result.stdout;
}

function say(text) {
  if (!quiet) console.log(text);
}

function fail(text) {
  console.error(`build-addon: ${text}`);
  process.exit(1);
}
