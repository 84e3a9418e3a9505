// Compiles the C programs in bench/peers, which benchmarks are compared with, and those of the attack suite, into .cache/peers. Skips what is up to
// date: a stamp beside each program holds the hash of its source, the headers beside it, the flags and the compiler's version.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const folders = [join(root, 'bench', 'peers'), join(root, 'test', 'attack', 'native')];
const output = join(root, '.cache', 'peers');
const compiler = process.env.CC ?? 'cc';
const flags = ['-std=c11', '-O2', '-g', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE'];

function compilerVersion() {
  const run = spawnSync(compiler, ['--version'], { encoding: 'utf8' });
  if (run.status !== 0) {
    throw new Error(
      `no C compiler: ${compiler} --version failed (${run.error?.message ?? run.stderr}). Install gcc or clang, or set CC.`,
    );
  }
  return run.stdout;
}

/** Which headers a program includes is left to the compiler: any of its folder may be one. */
function headersBeside(source) {
  const folder = dirname(source);
  const names = readdirSync(folder).filter((name) => name.endsWith('.h'));
  return names.sort().map((name) => join(folder, name));
}

function stampOf(source, version) {
  const hash = createHash('sha256').update(JSON.stringify([compiler, version, flags]));
  for (const file of [source, ...headersBeside(source)]) hash.update(readFileSync(file));
  return hash.digest('hex');
}

function compile(source, version) {
  const program = join(output, basename(source, '.c'));
  const stampFile = `${program}.stamp`;
  const stamp = stampOf(source, version);
  if (existsSync(program) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  const aside = `${program}.${process.pid}`;
  const run = spawnSync(compiler, [...flags, '-o', aside, source], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${source} does not compile:\n${run.stderr}`);
  renameSync(aside, program);
  writeFileSync(stampFile, stamp);
}

try {
  mkdirSync(output, { recursive: true });
  const version = compilerVersion();
  for (const folder of folders)
    for (const name of readdirSync(folder)) if (name.endsWith('.c')) compile(join(folder, name), version);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
