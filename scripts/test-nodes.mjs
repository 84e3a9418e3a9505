// Runs the tests on other versions of Node.js, with the addon and the build that are there: `npm run test:nodes [MAJOR...]`.
// The binaries come from the npm package node-linux-ARCH and are kept in .cache/nodes.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Versions that the tests are known to run on; exact, so that a run can be repeated. 20.18 is the last one whose require()
 * knows CommonJS only: the build for CommonJS serves everybody there.
 */
const VERSIONS = { 22: '22.23.3', 24: '24.21.0', 26: '26.10.0', 20.18: '20.18.3' };

const arguments_ = process.argv.slice(2);
const majors = arguments_.filter((argument) => argument in VERSIONS);
const rest = arguments_.filter((argument) => !(argument in VERSIONS));

/** Installs one version into the cache, unless it is there. Returns the path of its executable. */
function install(major) {
  const packageName = `node-linux-${process.arch}`;
  const folder = join(root, '.cache', 'nodes', VERSIONS[major]);
  const executable = join(folder, 'node_modules', packageName, 'bin', 'node');
  if (existsSync(executable)) return executable;
  mkdirSync(folder, { recursive: true });
  const what = `${packageName}@${VERSIONS[major]}`;
  process.stderr.write(`test-nodes: fetching ${what}\n`);
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
  const result = spawnSync('npm', ['install', ...options, what], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (result.status !== 0 || !existsSync(executable)) throw new Error(`can't install ${what}`);
  return executable;
}

function runTests(major) {
  const executable = install(major);
  const version = spawnSync(executable, ['--version'], { encoding: 'utf8' }).stdout.trim();
  process.stderr.write(`test-nodes: Node.js ${version}\n`);
  const result = spawnSync(executable, ['scripts/test.mjs', ...rest], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return { version, passed: result.status === 0 };
}

const results = (majors.length > 0 ? majors : Object.keys(VERSIONS)).map(runTests);
for (const { version, passed } of results)
  process.stdout.write(`${version}: ${passed ? 'passed' : 'FAILED'}\n`);
process.exit(results.every(({ passed }) => passed) ? 0 : 1);
