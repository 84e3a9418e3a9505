/**
 * What the tests in the virtual machine take with them beside Node.js: programs that are compiled here, since the machine has no compiler. Owns
 * .cache/vm/programs.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { nativeCompiler, root, runCompiler } from '../addon/compile.mjs';

const SOURCES = join(root, 'test', 'vm');
const FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror'];

const folder = join(root, '.cache', 'vm', 'programs');

/**
 * Compiles all of them; answers their paths. `onMissing` is told why the guest can't be made here: the tests that need it are skipped. Throws a
 * BuildError.
 */
export async function buildPrograms(onMissing) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const sources = readdirSync(SOURCES).filter((name) => name.endsWith('.c'));
  const helpers = sources.map((name) => buildHelper(name));
  const guest = await buildGuest(onMissing);
  return guest === undefined ? helpers : [...helpers, guest];
}

function buildHelper(name) {
  const output = join(folder, name.slice(0, -'.c'.length));
  runCompiler(nativeCompiler(), [...FLAGS, '-o', output, join(SOURCES, name)]);
  return output;
}

/** The WebAssembly guest of the example, which takes clang and lld. */
async function buildGuest(onMissing) {
  const example = join(root, 'examples', 'dist', 'histogram', 'guest.js');
  const { compileGuest, NoCompiler } = await import(pathToFileURL(example).href);
  const output = join(folder, 'histogram.wasm');
  try {
    writeFileSync(output, compileGuest());
    return output;
  } catch (error) {
    if (!(error instanceof NoCompiler)) throw error;
    onMissing(error.message);
    return undefined;
  }
}
