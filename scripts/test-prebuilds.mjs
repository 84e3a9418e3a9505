/**
 * Builds the addon for every kind of machine and runs the library's tests with each binary on a Node.js of that kind, for glibc with
 * an old one: `npm run test:prebuilds [-- linux-arm64-musl ...]`. What can't be fetched is skipped, with the reason.
 *
 *   --install-tools   installs cross compilers and qemu with apt-get first (as root; else says what to type)
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BuildError, isCurrent, root } from './addon/compile.mjs';
import { nativeTarget, TARGETS } from './addon/targets.mjs';
import { DebianError, installDebianPackages } from './debian.mjs';
import { foreignNode, missingEmulators } from './foreign-node.mjs';

/** The folders whose tests reach the addon. The others are plain JavaScript, which emulation only makes slow. */
const FOLDERS = ['native', 'os', 'link', 'blobs', 'broker'];
/** Ends a test file that hangs, far above what any takes in emulation. */
const WATCHDOG_MS = 900_000;

/** Tests that fail for reasons that are not ours, by what each kind of machine lacks. */
const OF_EMULATION = {
  'populate reads all pages in ahead, and copies none': 'qemu answers MADV_POPULATE_READ and does nothing',
  'a populated draft has its pages before it is touched, and can be filled and sealed':
    'qemu answers MADV_POPULATE_WRITE and does nothing',
  'more descriptors than there is room for: the surplus is lost and said to be, and none stays open':
    'qemu leaves the surplus descriptors open',
  'a job is only for those whom the policy binds to it: by user, by group':
    'qemu refuses to ask for SO_PEERGROUPS',
  'what is left after many drops still ends in its order': 'it counts on milliseconds, and emulation is slow',
  'objects end after their time to live, in the order of their ends':
    'it counts on milliseconds, and emulation is slow',
};
const OF_MUSL = {
  '100,000 mappings that are made, read and closed in one loop take few kernel mappings, and end':
    "musl's allocator puts mappings of its own between ours",
};

const options = process.argv.slice(2);
const selected = options.filter((option) => !option.startsWith('--'));

function testFiles() {
  const source = join(root, 'packages', 'sealane', 'src');
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(source, folder), { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => join(root, 'packages', 'sealane', 'dist', folder, name.replace(/\.ts$/, '.js'))),
  ).sort();
}

function excuses(target) {
  return {
    ...(target.arch === nativeTarget().arch ? {} : OF_EMULATION),
    ...(target.libc === 'musl' ? OF_MUSL : {}),
  };
}

/** The tests that failed, each with what the runner says of it, and how many passed. */
function outcome(tap) {
  const reports = tap.matchAll(/^not ok \d+ - (.*)\n((?: .*\n)*)/gm);
  const failed = [...reports].map(([, name, details]) => ({ name, details }));
  const passed = [...tap.matchAll(/^ok \d+ - (?!.* # SKIP)/gm)].length;
  return { failed, passed };
}

/** Answers whether everything passed that can pass there. */
function runTests(target) {
  const { script, environment } = foreignNode(target);
  const env = { ...process.env, ...environment };
  const version = spawnSync(script, ['--version'], { env, encoding: 'utf8' });
  if (version.status !== 0) throw new BuildError(`Node.js does not start there: ${version.stderr.trim()}`);
  process.stderr.write(`test-prebuilds: ${target.name} on Node.js ${version.stdout}`);
  const args = ['--test', '--test-reporter=tap', `--test-timeout=${WATCHDOG_MS}`, ...testFiles()];
  const result = spawnSync(script, args, { cwd: root, env, encoding: 'utf8', maxBuffer: 256 << 20 });
  const { failed, passed } = outcome(result.stdout);
  const known = excuses(target);
  const wrong = failed.filter(({ name }) => !(name in known));
  for (const { name } of failed) console.log(`${target.name}: ${name}: ${known[name] ?? 'FAILED'}`);
  for (const { name, details } of wrong) console.log(`${name}\n${details}`);
  console.log(
    `${target.name}: ${passed} passed, ${wrong.length} failed, ${failed.length - wrong.length} excused`,
  );
  return passed > 0 && wrong.length === 0 && (result.status === 0 || failed.length > 0);
}

function tryTarget(target) {
  try {
    if (!isCurrent(target.output)) throw new BuildError('its binary was not built');
    return runTests(target);
  } catch (error) {
    if (!(error instanceof BuildError || error instanceof DebianError)) throw error;
    console.log(`${target.name}: skipped: ${error.message}`);
    return true;
  }
}

/** What can't be installed is missing, and said to be where it is needed. */
function installEmulators(targets) {
  try {
    installDebianPackages(missingEmulators(targets));
  } catch (error) {
    if (!(error instanceof DebianError)) throw error;
    console.log(`test-prebuilds: ${error.message}`);
  }
}

function main() {
  const targets = TARGETS.filter(({ name }) => selected.length === 0 || selected.includes(name));
  const installing = options.includes('--install-tools');
  if (installing) installEmulators(targets);
  const flags = installing ? ['--install-tools'] : [];
  const built = spawnSync(process.execPath, ['scripts/build-prebuilds.mjs', ...flags], {
    cwd: root,
    stdio: 'inherit',
  });
  if (built.status !== 0) return false;
  return targets.map(tryTarget).every(Boolean);
}

try {
  process.exitCode = main() ? 0 : 1;
} catch (error) {
  if (!(error instanceof BuildError || error instanceof DebianError)) throw error;
  console.error(`test-prebuilds: ${error.message}`);
  process.exitCode = 1;
}
