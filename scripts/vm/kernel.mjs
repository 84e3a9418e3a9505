/**
 * The Linux kernel that the virtual machine boots: Debian's, fetched and unpacked, never installed; and the modules with the drivers
 * that the tests need, in the order in which they load. Owns .cache/vm/kernel.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from '../addon/compile.mjs';
import { DebianError, debianDependencies, fetchDebianPackages } from '../debian.mjs';

/** A release whose stock kernel has udmabuf, the system DMA heap, vivid and cirrus. */
const SUITE = 'trixie';
const ARCHITECTURE = 'amd64';
const METAPACKAGE = 'linux-image-amd64';

/** The drivers that the tests talk to, and what mounts the folders of this machine; what these depend on is found out. */
const WANTED = ['9pnet_virtio', '9p', 'vivid', 'virtio_gpu', 'cirrus', 'vgem'];

const folder = join(root, '.cache', 'vm', 'kernel');

/** The kernel, fetched unless it is there. Throws a DebianError. */
export function fetchKernel() {
  const unpacked = unpackedKernel();
  if (unpacked !== undefined) return unpacked;
  const name = debianDependencies(SUITE, ARCHITECTURE, METAPACKAGE).find((found) =>
    /^linux-image-\d/.test(found),
  );
  if (name === undefined) throw new DebianError(`${METAPACKAGE} of Debian ${SUITE} names no kernel`);
  fetchDebianPackages({ suite: SUITE, architecture: ARCHITECTURE, packages: [name], folder });
  const fetched = unpackedKernel();
  if (fetched === undefined)
    throw new DebianError(`${name} of Debian ${SUITE} has no kernel where one is due`);
  return fetched;
}

function unpackedKernel() {
  const image = list(join(folder, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (image === undefined) return undefined;
  const release = image.slice('vmlinuz-'.length);
  return { release, image: join(folder, 'boot', image), modules: join(folder, 'usr/lib/modules', release) };
}

function list(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** The modules, unpacked: `{ name, bytes }`, each behind those that it depends on. What the kernel has built in is not among them. */
export function loadModules({ modules }) {
  const files = new Map();
  for (const path of readdirSync(modules, { recursive: true }).map(String))
    if (path.endsWith('.ko.xz')) files.set(moduleName(basename(path, '.ko.xz')), join(modules, path));
  const ordered = new Map();
  for (const name of WANTED) addModule(moduleName(name), files, ordered);
  return [...ordered].map(([name, bytes]) => ({ name, bytes }));
}

/** Names of files have either character, those of modules the second. */
function moduleName(name) {
  return name.replaceAll('-', '_');
}

function addModule(name, files, ordered) {
  const path = files.get(name);
  if (path === undefined || ordered.has(name)) return;
  const bytes = unpack(path);
  for (const needed of dependenciesOf(bytes)) addModule(moduleName(needed), files, ordered);
  ordered.set(name, bytes);
}

function unpack(path) {
  const result = spawnSync('xz', ['-dc', path], { maxBuffer: 64 << 20 });
  if (result.status === 0) return result.stdout;
  throw new DebianError(
    `xz can't unpack ${path}: ${result.error?.message ?? result.stderr}; Debian: xz-utils`,
  );
}

/** What its section .modinfo says: texts that end with a zero byte. */
function dependenciesOf(bytes) {
  const key = Buffer.from('\0depends=');
  const at = bytes.indexOf(key);
  if (at < 0) return [];
  const start = at + key.length;
  const text = bytes.toString('latin1', start, bytes.indexOf(0, start));
  return text === '' ? [] : text.split(',');
}
