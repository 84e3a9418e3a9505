/**
 * Runs the example examples/video: `npm run example:video [-- --seconds 10 ...]`; needs the build. Without ffmpeg the frames are made by
 * the example itself.
 *
 *   --install-tools   installs ffmpeg with apt-get first (as root; else says what to type)
 *   --tools-only      runs nothing
 */
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DebianError, installDebianPackages } from './debian.mjs';

const main = fileURLToPath(new URL('../examples/dist/video/main.js', import.meta.url));
const words = process.argv.slice(2).filter((word) => word !== '--install-tools' && word !== '--tools-only');

function hasFfmpeg() {
  return spawnSync('ffmpeg', ['-version'], { stdio: 'ignore' }).status === 0;
}

if (process.argv.includes('--install-tools') && !hasFfmpeg()) {
  try {
    installDebianPackages(['ffmpeg']);
  } catch (error) {
    if (!(error instanceof DebianError)) throw error;
    process.stderr.write(`example-video: ${error.message}\n`);
  }
}
if (!process.argv.includes('--tools-only')) {
  const child = spawn(process.execPath, [main, ...words], { stdio: 'inherit' });
  // The terminal sends these to both; the example ends by itself then.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
  child.on('close', (status) => process.exit(status ?? 1));
}
