/**
 * Runs tests beside real drivers, in a virtual machine: `npm run test:vm [-- PART ...]`; needs the build. Boots a kernel of Debian with udmabuf,
 * a DMA heap, a camera (vivid) and graphics (virtio-gpu, cirrus, vgem), and runs the compiled test/vm/*.test.js whose names have one of the parts.
 *
 *   --install-tools   installs QEMU and what else it takes with apt-get first (as root; else says what to type)
 *   --tools-only      runs nothing
 *   --kvm             lets the processor do it where this machine allows: faster
 *
 * Without the tools nothing is run, and the reason is printed.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './addon/compile.mjs';
import { DebianError, installDebianPackages } from './debian.mjs';
import { fetchKernel } from './vm/kernel.mjs';
import { missingPackages, runInMachine } from './vm/machine.mjs';
import { buildPrograms } from './vm/programs.mjs';

const FOLDER = 'test/dist/vm';
/** What node:test says at its end: without it, the tests ended before all were run, whatever their status. */
const SUMMARY = /^ℹ tests [1-9]/;
const words = process.argv.slice(2);
const parts = words.filter((word) => !word.startsWith('--'));

function say(text) {
  process.stdout.write(`test:vm: ${text}\n`);
}

function prepare() {
  if (process.arch !== 'x64')
    throw new DebianError(`the machine's kernel is for x64, and this is ${process.arch}`);
  const missing = missingPackages();
  if (missing.length === 0) return;
  if (!words.includes('--install-tools'))
    throw new DebianError(`${missing.join(', ')} missing: npm run test:vm -- --install-tools`);
  say(`installing ${missing.join(', ')}`);
  installDebianPackages(missing);
}

function selectedTests() {
  const files = readdirSync(join(root, FOLDER)).filter((name) => name.endsWith('.test.js'));
  return files.filter((name) => parts.length === 0 || parts.some((part) => name.includes(part))).sort();
}

async function run() {
  prepare();
  const kernel = fetchKernel();
  if (words.includes('--tools-only')) return 0;
  const files = selectedTests();
  if (files.length === 0) throw new Error(`no test in ${FOLDER} has one of the names ${parts.join(', ')}`);
  say(`booting Linux ${kernel.release} for ${files.join(', ')}`);
  // All in one process: in emulation, starting one takes longer than most files' tests do.
  const imports = files.map((name) => `import '/sealane/${FOLDER}/${name}';`).join(' ');
  const command = `echo "${imports}" > /tmp/all.mjs; node --test-reporter=spec /tmp/all.mjs\n`;
  let complete = false;
  const onLine = (line) => {
    complete ||= SUMMARY.test(line);
    process.stdout.write(`${line}\n`);
  };
  const programs = await buildPrograms(say);
  const status = await runInMachine({ kernel, command, programs, kvm: words.includes('--kvm'), onLine });
  if (status !== undefined && complete) return status;
  say('failed: the machine ended before it had run everything');
  return status || 1;
}

try {
  process.exitCode = await run();
} catch (error) {
  if (!(error instanceof DebianError)) throw error;
  say(`skipped: ${error.message}`);
}
