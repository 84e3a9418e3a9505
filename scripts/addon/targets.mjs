/**
 * The four kinds of machine that binaries of the addon are made for, and the compiler for each: this machine's own, Debian's
 * cross compilers, and for musl the same compilers with musl's headers and library from Debian, kept in .cache/.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fetchDebianPackages } from '../debian.mjs';
import { BuildError, nativeCompiler, packageFolder, root, runCompiler } from './compile.mjs';

/**
 * The release of Debian whose musl is built against. Its musl 1.2.3 is the oldest that the binaries must load on: what a
 * newer one added can't be linked by mistake.
 */
const MUSL_SUITE = 'bookworm';

/** As the compilers and Debian call what process.arch calls by the key. */
export const ARCHITECTURES = {
  x64: {
    machine: 'x86_64',
    debian: 'amd64',
    flags: [],
    crossPackages: ['gcc-x86-64-linux-gnu', 'libc6-dev-amd64-cross'],
  },
  arm64: {
    machine: 'aarch64',
    debian: 'arm64',
    // Else atomic operations ask at run time what the processor has, by a function that musl lacks.
    flags: ['-mno-outline-atomics'],
    crossPackages: ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross'],
  },
};

export const TARGETS = Object.keys(ARCHITECTURES).flatMap((arch) =>
  ['glibc', 'musl'].map((libc) => targetOf(arch, libc)),
);

function targetOf(arch, libc) {
  const name = `linux-${arch}-${libc}`;
  return { name, arch, libc, output: join(packageFolder, 'prebuilds', name, 'sealane.node') };
}

/** What this machine's own compiler makes code for. */
export function nativeTarget() {
  const triplet = runCompiler(nativeCompiler(), ['-dumpmachine']).trim();
  const machine = triplet.split('-')[0];
  const arch = Object.keys(ARCHITECTURES).find((key) => ARCHITECTURES[key].machine === machine);
  if (arch === undefined) {
    throw new BuildError(`the compiler makes code for ${triplet}; Sealane runs on x86-64 and arm64`);
  }
  return targetOf(arch, triplet.endsWith('musl') ? 'musl' : 'glibc');
}

/**
 * The compiler and what it needs beside the usual flags. Throws a BuildError that names what is missing. Nothing is
 * fetched when `offline`.
 */
export function toolchain(target, { offline = false } = {}) {
  const { flags, ...rest } = librariesFor(target, offline);
  return { ...rest, flags: [...ARCHITECTURES[target.arch].flags, ...flags] };
}

function librariesFor(target, offline) {
  const native = nativeTarget();
  if (target.name === native.name) return { compiler: nativeCompiler(), flags: [] };
  const compiler = target.arch === native.arch ? nativeCompiler() : crossCompiler(target.arch);
  if (target.libc === 'musl') return { compiler, ...muslFlags(compiler, target.arch, offline) };
  if (native.libc === 'glibc') return { compiler, flags: [] };
  throw new BuildError('the compilers of this machine make code for musl: build it on one with glibc');
}

/** The Debian packages with the cross compilers that this machine lacks. */
export function missingPackages() {
  const { arch } = nativeTarget();
  const foreign = Object.keys(ARCHITECTURES).filter((key) => key !== arch);
  return foreign.filter((key) => !runs(crossName(key))).flatMap((key) => ARCHITECTURES[key].crossPackages);
}

/** Where Debian's musl for an architecture lies, fetched when it is not there. */
export function muslFolder(arch, { suite = MUSL_SUITE, offline = false } = {}) {
  const { debian, machine } = ARCHITECTURES[arch];
  const folder = join(root, '.cache', 'debian', `${suite}-${debian}-musl`);
  fetchDebianPackages({ suite, architecture: debian, packages: ['musl', 'musl-dev'], folder, offline });
  const library = ['lib', 'usr/lib']
    .map((place) => join(folder, place, `${machine}-linux-musl`))
    .find((place) => existsSync(join(place, 'libc.so')));
  if (library === undefined) throw new BuildError(`Debian's package musl has no libc.so below ${folder}`);
  return { include: join(folder, 'usr', 'include', `${machine}-linux-musl`), library };
}

function crossName(arch) {
  return `${ARCHITECTURES[arch].machine}-linux-gnu-gcc`;
}

function crossCompiler(arch) {
  const name = crossName(arch);
  if (runs(name)) return [name];
  throw new BuildError(`${name} is missing: apt-get install ${ARCHITECTURES[arch].crossPackages.join(' ')}`);
}

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

/**
 * musl instead of the compiler's own C library. libc.so is named as a file, since -lc would take libc.a and put a second C
 * library into the process; found by -L, since its path would be written into the binary.
 */
function muslFlags(compiler, arch, offline) {
  const { include, library } = muslFolder(arch, { offline });
  const own = runCompiler(compiler, ['-print-file-name=include']).trim();
  return {
    flags: ['-nostdinc', '-isystem', include, '-isystem', own, '-nostartfiles', '-nodefaultlibs'],
    libraries: [`-L${library}`, '-l:libc.so', '-lgcc'],
  };
}
