// Runs the tests: every compiled *.test.js of the packages and of test/. Arguments are parts of paths to select by; it fails where none has one.
// `--sanitizers` runs the library's tests with the addon built under AddressSanitizer and UndefinedBehaviorSanitizer.
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Ends a test file that hangs, far above what any takes on a slow machine. */
const WATCHDOG_MS = 600_000;

const sanitizers = process.argv.includes('--sanitizers');
const selected = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

/** All compiled test files below a folder whose source still exists: a stale output of a deleted test does not run. */
function testFiles(folder, source) {
  return readdirSync(join(root, folder), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.test.js'))
    .filter((name) => exists(join(root, source, name.replace(/\.js$/, '.ts'))))
    .map((name) => join(root, folder, name))
    .sort();
}

function exists(path) {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Where the compiler has the runtime of AddressSanitizer. Ends the run, with the reason, where it has none. */
function sanitizerRuntime() {
  const compiler = process.env.CC || 'cc';
  const runtime = execFileSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  if (runtime.startsWith('/')) return runtime;
  process.stdout.write(
    `test: skipped: ${compiler} has no AddressSanitizer here (Debian: libgcc-12-dev, libasan8)\n`,
  );
  process.exit(0);
}

/** The environment of a run under sanitizers. Leaks are not looked for: Node.js itself frees little at its end. */
function sanitizerEnvironment() {
  const runtime = sanitizerRuntime();
  execFileSync(process.execPath, ['scripts/build-addon.mjs', '--sanitize'], { cwd: root, stdio: 'inherit' });
  return {
    LD_PRELOAD: runtime,
    ASAN_OPTIONS: 'detect_leaks=0:handle_segv=0:allocator_may_return_null=1',
    UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
    SEALANE_ADDON: join(root, 'packages/sealane/build/asan/sealane.node'),
  };
}

const folders = sanitizers
  ? [['packages/sealane/dist', 'packages/sealane/src']]
  : [
      ['packages/sealane/dist', 'packages/sealane/src'],
      ['packages/cli/dist', 'packages/cli/src'],
      ['test/dist', 'test'],
    ];
const files = folders
  .flatMap(([folder, source]) => testFiles(folder, source))
  .filter((file) => selected.length === 0 || selected.some((part) => relative(root, file).includes(part)));
if (files.length === 0) {
  // Without names, node --test would look for tests by itself.
  const wanted =
    selected.length === 0 ? 'no tests are compiled' : `no test has ${selected.join(' or ')} in its path`;
  process.stderr.write(`test: ${wanted}\n`);
  process.exit(1);
}
const environment = sanitizers ? { ...process.env, ...sanitizerEnvironment() } : process.env;
const result = spawnSync(
  process.execPath,
  ['--test', '--test-reporter=spec', `--test-timeout=${WATCHDOG_MS}`, ...files],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: environment,
  },
);
process.exit(result.status ?? 1);
