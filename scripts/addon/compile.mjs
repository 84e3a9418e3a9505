/**
 * Compiles the addon: its sources, its flags, and the stamp that says what a binary was made from. Owns packages/sealane/build/.
 * Which compiler makes code for which machine is not decided here.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const packageFolder = join(root, 'packages', 'sealane');
const sourceFolder = join(packageFolder, 'native');

/** -z nodelete: a library that only a worker loaded must not be unmapped when the worker ends. */
const FLAGS = [
  '-std=c11',
  '-D_GNU_SOURCE',
  '-fPIC',
  '-shared',
  '-pthread',
  '-fvisibility=hidden',
  '-g',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wl,-z,nodelete',
  '-Wl,-z,relro',
  '-Wl,-z,now',
];
export const RELEASE_FLAGS = ['-O2', '-include', 'glibc_floor.h'];
export const SANITIZE_FLAGS = [
  '-O1',
  '-fno-omit-frame-pointer',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
];

/** What can't be done here, in words for the person who asked for it. */
export class BuildError extends Error {}

/** The compiler of this machine: the words of its command. */
export function nativeCompiler() {
  return (process.env.CC || 'cc').split(' ').filter((word) => word !== '');
}

/** Runs a compiler; answers what it printed. */
export function runCompiler([command, ...first], args) {
  const result = spawnSync(command, [...first, ...args], { encoding: 'utf8' });
  if (result.error?.code === 'ENOENT') {
    throw new BuildError(
      `no C compiler: ${command} was not found. Install one (Debian, Ubuntu: apt install gcc libc6-dev), or name it in $CC`,
    );
  }
  if (result.error) throw new BuildError(`${command} could not be run: ${result.error.message}`);
  if (result.status !== 0) throw new BuildError(`${command} failed:\n${result.stderr}`);
  return result.stdout;
}

/**
 * Compiles to `output`, unless it is there and was made from the same. `flags` come before the sources, `libraries` after
 * them. Answers whether it had to be built.
 */
export function compileAddon({ compiler, flags, libraries = [], output }) {
  const stampFile = stampOf(output);
  const stamp = `${sourceHash()}\n${compilerHash(compiler, flags, libraries)}\n`;
  if (existsSync(output) && readText(stampFile) === stamp) return false;
  mkdirSync(dirname(output), { recursive: true });
  // Built aside and renamed, so that a process that has the old one loaded keeps it.
  const aside = `${output}.${process.pid}`;
  rmSync(aside, { force: true });
  const paths = ['-iquote', sourceFolder, `-I${headerFolder()}`, `-ffile-prefix-map=${root}=`];
  runCompiler(compiler, [...FLAGS, ...flags, ...paths, '-o', aside, ...files('.c'), ...libraries]);
  renameSync(aside, output);
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, stamp);
  return true;
}

/** Whether a binary was made from the sources as they are now. */
export function isCurrent(output) {
  return existsSync(output) && readText(stampOf(output)).split('\n')[0] === sourceHash();
}

function stampOf(output) {
  return join(packageFolder, 'build', `${relative(packageFolder, output).replaceAll('/', '-')}.stamp`);
}

function sourceHash() {
  const hash = createHash('sha256').update(JSON.stringify(FLAGS));
  for (const path of [...files('.c'), ...files('.h')]) {
    hash.update(relative(root, path)).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}

function compilerHash(compiler, flags, libraries) {
  return createHash('sha256')
    .update(JSON.stringify([compiler, runCompiler(compiler, ['--version']), flags, libraries]))
    .update(readFileSync(join(headerFolder(), 'node_api.h')))
    .digest('hex');
}

function files(extension) {
  const names = readdirSync(sourceFolder).filter((name) => name.endsWith(extension));
  return names.sort().map((name) => join(sourceFolder, name));
}

function headerFolder() {
  try {
    return createRequire(import.meta.url)('node-api-headers').include_dir;
  } catch {
    throw new BuildError('the npm package node-api-headers is missing: run `npm run setup` first');
  }
}

function readText(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
