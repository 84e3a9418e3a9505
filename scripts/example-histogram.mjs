/**
 * Runs the example examples/histogram: `npm run example:histogram [-- --frames 100 ...]`; needs the build. The guest is compiled by clang, which
 * needs lld for that.
 *
 *   --install-tools   installs clang and lld with apt-get first (as root; else says what to type)
 *   --tools-only      runs nothing
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DebianError, installDebianPackages } from './debian.mjs';

const main = fileURLToPath(new URL('../examples/dist/histogram/main.js', import.meta.url));
const words = process.argv.slice(2).filter((word) => word !== '--install-tools' && word !== '--tools-only');

function lacks(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status !== 0;
}

if (process.argv.includes('--install-tools')) {
  const missing = [lacks('clang') ? ['clang'] : [], lacks('wasm-ld') ? ['lld'] : []].flat();
  try {
    installDebianPackages(missing);
  } catch (error) {
    if (!(error instanceof DebianError)) throw error;
    process.stderr.write(`example-histogram: ${error.message}\n`);
  }
}
if (!process.argv.includes('--tools-only')) {
  const { status } = spawnSync(process.execPath, [main, ...words], { stdio: 'inherit' });
  process.exit(status ?? 1);
}
