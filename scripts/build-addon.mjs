/**
 * Builds the native addon for this machine with the C compiler ($CC, else cc) against the npm package node-api-headers. Does
 * nothing when neither sources, flags nor compiler changed.
 *
 *   node scripts/build-addon.mjs              for use:   packages/sealane/prebuilds/linux-ARCH-LIBC/sealane.node
 *   node scripts/build-addon.mjs --sanitize   for tests: packages/sealane/build/asan/sealane.node (ASan and UBSan)
 *   --quiet                                   says something only when something went wrong
 */
import { join, relative } from 'node:path';
import {
  BuildError,
  compileAddon,
  nativeCompiler,
  packageFolder,
  RELEASE_FLAGS,
  root,
  SANITIZE_FLAGS,
} from './addon/compile.mjs';
import { nativeTarget } from './addon/targets.mjs';

const sanitize = process.argv.includes('--sanitize');
const quiet = process.argv.includes('--quiet');

function main() {
  if (process.platform !== 'linux') {
    console.log(`build-addon: the addon is for Linux; on ${process.platform} there is nothing to build`);
    return;
  }
  const output = sanitize ? join(packageFolder, 'build', 'asan', 'sealane.node') : nativeTarget().output;
  const flags = sanitize ? SANITIZE_FLAGS : RELEASE_FLAGS;
  const built = compileAddon({ compiler: nativeCompiler(), flags, output });
  if (quiet) return;
  console.log(
    `build-addon: ${built ? 'built ' : ''}${relative(root, output)}${built ? '' : ' is up to date'}`,
  );
}

try {
  main();
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`build-addon: ${error.message}`);
  process.exitCode = 1;
}
