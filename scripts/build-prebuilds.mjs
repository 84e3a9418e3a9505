/**
 * Builds the addon for every kind of machine: packages/sealane/prebuilds/linux-ARCH-LIBC/sealane.node for x64 and arm64, glibc
 * and musl. What can't be built here is skipped, with what is missing.
 *
 *   --install-tools   installs the cross compilers with apt-get first (as root; else says what to type)
 *   --offline         fetches nothing: what needs something that is not there is skipped
 *   --all             fails when one was skipped
 */
import { rmSync } from 'node:fs';
import { relative } from 'node:path';
import { BuildError, compileAddon, isCurrent, RELEASE_FLAGS, root } from './addon/compile.mjs';
import { missingPackages, TARGETS, toolchain } from './addon/targets.mjs';
import { DebianError, installDebianPackages } from './debian.mjs';

const options = new Set(process.argv.slice(2));

/** Answers whether the binary is there and current. A failure of the compiler itself is thrown: it is ours. */
function build(target) {
  let tools;
  try {
    tools = toolchain(target, { offline: options.has('--offline') });
  } catch (error) {
    if (!isExpected(error)) throw error;
    // What can't be made anew must not be taken for what is current.
    if (!isCurrent(target.output)) rmSync(target.output, { force: true });
    console.log(`build-prebuilds: skipped ${target.name}: ${error.message}`);
    return false;
  }
  const { compiler, flags, libraries } = tools;
  const { output } = target;
  const built = compileAddon({ compiler, flags: [...RELEASE_FLAGS, ...flags], libraries, output });
  console.log(
    `build-prebuilds: ${built ? `built ${relative(root, output)}` : `${relative(root, output)} is up to date`}`,
  );
  return true;
}

/** What can't be installed is missing, and said to be where it is needed. */
function installTools() {
  try {
    installDebianPackages(missingPackages());
  } catch (error) {
    if (!isExpected(error)) throw error;
    console.log(`build-prebuilds: ${error.message}`);
  }
}

function isExpected(error) {
  return error instanceof BuildError || error instanceof DebianError;
}

try {
  if (options.has('--install-tools')) installTools();
  const done = TARGETS.map(build);
  if (options.has('--all') && done.includes(false)) throw new BuildError('not all were built');
} catch (error) {
  if (!isExpected(error)) throw error;
  console.error(`build-prebuilds: ${error.message}`);
  process.exitCode = 1;
}
