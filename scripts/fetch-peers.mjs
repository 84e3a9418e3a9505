// Makes the peers of benchmarks that come from package registries, in .cache/peers: `iceoryx2`, built with cargo from bench/peers/iceoryx2,
// and `zeromq`, installed with npm from the lock file in bench/peers/zeromq, without running any script. Says on standard error why it can't.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
/** A registry that does not answer must not hold up a benchmark for ever; a build on a slow machine takes minutes. */
const TIMEOUT_MS = 15 * 60_000;
/** The last lines of what a program said are where the reason is. */
const REASON_LINES = 5;

function sourceOf(peer) {
  return join(root, 'bench', 'peers', peer);
}

function outputOf(peer) {
  return join(root, '.cache', 'peers', peer);
}

function run(program, args, folder) {
  const result = spawnSync(program, args, { cwd: folder, encoding: 'utf8', timeout: TIMEOUT_MS });
  if (result.error !== undefined) throw new Error(`${program} can't be run: ${result.error.message}`);
  if (result.status === 0) return;
  const reason = result.stderr.trim().split('\n').slice(-REASON_LINES).join('\n');
  throw new Error(`${program} ${args[0]} failed (status ${result.status}): ${reason}`);
}

/** cargo itself knows what is up to date. */
function buildIceoryx2() {
  const manifest = join(sourceOf('iceoryx2'), 'Cargo.toml');
  const args = ['build', '--release', '--locked', '--manifest-path', manifest];
  run('cargo', [...args, '--target-dir', outputOf('iceoryx2')], root);
}

/** Beside the other dependencies it would cost everyone 40 MB; the benchmark alone wants it. */
function installZeromq() {
  const folder = outputOf('zeromq');
  const lock = readFileSync(join(sourceOf('zeromq'), 'package-lock.json'), 'utf8');
  const stamp = join(folder, 'installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  mkdirSync(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) {
    copyFileSync(join(sourceOf('zeromq'), name), join(folder, name));
  }
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], folder);
  writeFileSync(stamp, lock);
}

const PEERS = { iceoryx2: buildIceoryx2, zeromq: installZeromq };

try {
  for (const name of process.argv.slice(2)) {
    const make = PEERS[name];
    if (make === undefined)
      throw new Error(`no peer is called ${name}; there are ${Object.keys(PEERS).join(', ')}`);
    make();
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
