/**
 * Fetches packages of any Debian release and architecture and unpacks them into a folder, without installing them and without
 * touching the machine's own apt state. Trusts apt's check of Debian's signatures. Owns .cache/apt.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../.cache/apt/', import.meta.url));
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Packages could not be had; the message says why and what to do. */
export class DebianError extends Error {}

/** Unpacks the packages into `folder`, unless they are there already. Throws a DebianError. */
export function fetchDebianPackages({ suite, architecture, packages, folder, offline = false }) {
  const list = join(folder, '.packages');
  const wanted = `${suite} ${architecture} ${packages.join(' ')}\n`;
  if (existsSync(list) && readFileSync(list, 'utf8') === wanted) return;
  if (offline) {
    throw new DebianError(`${packages.join(', ')} of Debian ${suite} (${architecture}) not fetched yet`);
  }
  const state = aptState(suite, architecture);
  const debs = join(state.folder, 'debs');
  rmSync(debs, { recursive: true, force: true });
  mkdirSync(debs, { recursive: true });
  run('apt-get', [...state.options, 'download', ...packages.map((name) => `${name}:${architecture}`)], debs);
  // Unpacked aside and renamed: a folder that is there is whole.
  const aside = `${folder}.${process.pid}`;
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { recursive: true });
  for (const deb of readdirSync(debs)) run('dpkg-deb', ['-x', deb, aside], debs);
  writeFileSync(join(aside, '.packages'), wanted);
  rmSync(folder, { recursive: true, force: true });
  renameSync(aside, folder);
}

/** Names of the packages that a package depends on, as its release has it now: a metapackage names the version of the day. Throws a DebianError. */
export function debianDependencies(suite, architecture, name) {
  const { folder, options } = aptState(suite, architecture);
  const lines = run('apt-cache', [...options, 'depends', '--important', name], folder).split('\n');
  return lines.flatMap((line) => /^ *(?:Pre)?Depends: (\S+)$/.exec(line)?.[1] ?? []);
}

/** Installs packages of this machine's own Debian, which takes root. Throws a DebianError with the line to type otherwise. */
export function installDebianPackages(packages) {
  if (packages.length === 0) return;
  const line = `apt-get install --no-install-recommends ${packages.join(' ')}`;
  if (process.getuid?.() !== 0) throw new DebianError(`only root can install what is missing: sudo ${line}`);
  const environment = { DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['-qq', 'update'], '/', environment);
  run('apt-get', ['-qq', '-y', 'install', '--no-install-recommends', ...packages], '/', environment);
}

/** Package lists of one release and architecture, in a folder of their own. */
function aptState(suite, architecture) {
  if (!existsSync(KEYRING)) {
    throw new DebianError(`${KEYRING} is missing: Debian's package debian-archive-keyring has it`);
  }
  const folder = join(cache, `${suite}-${architecture}`);
  mkdirSync(join(folder, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(folder, 'archives', 'partial'), { recursive: true });
  writeFileSync(join(folder, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror()} ${suite} main\n`);
  const options = [
    '-qq',
    `-oAPT::Architecture=${architecture}`,
    `-oAPT::Architectures::=${architecture}`,
    '-oAPT::Sandbox::User=',
    '-oAcquire::Languages=none',
    '-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
    `-oDir::State::Lists=${join(folder, 'lists')}`,
    '-oDir::State::status=/dev/null',
    `-oDir::Cache=${folder}`,
    `-oDir::Etc::sourcelist=${join(folder, 'sources.list')}`,
    '-oDir::Etc::sourceparts=/dev/null',
  ];
  run('apt-get', [...options, 'update'], folder);
  return { folder, options };
}

/** The mirror that this machine is set up with, so that what fetches its other packages fetches these. */
function mirror() {
  const lines = run(
    'apt-get',
    ['indextargets', '--format', '$(REPO_URI) $(LABEL)', 'Created-By: Packages'],
    '/',
  );
  const found = lines.split('\n').find((line) => line.endsWith(' Debian'));
  if (found === undefined)
    throw new DebianError('apt knows no mirror of Debian here: run apt-get update first');
  return found.split(' ')[0];
}

function run(command, args, cwd, environment = {}) {
  const env = { ...process.env, LC_ALL: 'C', ...environment };
  const result = spawnSync(command, args, { cwd, env, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (result.error?.code === 'ENOENT')
    throw new DebianError(`${command} is missing: this needs Debian or Ubuntu`);
  if (result.status === 0) return result.stdout;
  const words = (result.stderr || result.error?.message || '').trim().split('\n');
  throw new DebianError(`${command} ${args.at(-1)} failed: ${words.slice(-3).join(' ')}`);
}
