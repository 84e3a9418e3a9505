// Brings a fresh clone to a state in which everything runs: dependencies, addon, build. Quick when nothing changed.
// `--quiet` prints only what it really does, so that other commands can call it first.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const quiet = process.argv.includes('--quiet');
const stamp = join(root, 'node_modules', '.sealane-setup');

/** Runs a program in the repository root; prints its output and ends with its exit status when it fails. */
function run(title, program, args, options = {}) {
  if (!quiet || options.announce) process.stderr.write(`setup: ${title}\n`);
  const result = spawnSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  if (result.error !== undefined || result.status !== 0) {
    process.stderr.write(output);
    process.stderr.write(
      `setup: ${title} failed: ${result.error?.message ?? `exit status ${result.status}`}\n`,
    );
    process.exit(result.status || 1);
  }
  return output;
}

/** What the installed dependencies were made from: the lock file and the version of Node.js. */
function dependencyKey() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return createHash('sha256').update(lock).update(process.version).update(process.arch).digest('hex');
}

function installDependencies() {
  const key = dependencyKey();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  // Not `npm ci`: it refuses where a registry lacks binaries for platforms that are not this one. The lock file is obeyed, and not changed.
  run('installing dependencies', 'npm', ['install', '--no-save', '--no-audit', '--no-fund'], {
    announce: true,
  });
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, key);
}

function checkPlatform() {
  const [major] = process.versions.node.split('.').map(Number);
  if (process.platform === 'linux' && major >= 20) return;
  process.stderr.write(
    `setup: Sealane needs Linux and Node.js 20 or later; this is ${process.platform}, ${process.version}\n`,
  );
  process.exit(1);
}

checkPlatform();
installDependencies();
const built = run('building the addon', process.execPath, ['scripts/build-addon.mjs']);
if (built.trim() !== '' && !quiet) process.stderr.write(built);
run('compiling TypeScript', process.execPath, ['node_modules/typescript/bin/tsc', '-b']);
run('writing manual pages', process.execPath, ['scripts/make-man.mjs']);
