/**
 * Runs before npm packs or publishes one of the packages, in its folder: what lies there must be complete and of the sources as
 * they are. Compiles, removes outputs whose source is gone, copies the licence, makes the manual, and looks at the addon's binaries: to
 * publish, all four must be there; to pack, that of this machine.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BuildError, isCurrent, root } from './addon/compile.mjs';
import { nativeTarget, TARGETS } from './addon/targets.mjs';

const folder = process.cwd();
const publishing = process.env.npm_command === 'publish';

function compile() {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!existsSync(compiler)) throw new BuildError('nothing is installed here yet: run `npm run setup` first');
  const result = spawnSync(process.execPath, [compiler, '-b'], { cwd: root, encoding: 'utf8' });
  if (result.status !== 0)
    throw new BuildError(`the sources don't compile:\n${result.stdout}${result.stderr}`);
}

function writeManual() {
  const words = [join(root, 'scripts', 'make-man.mjs')];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  if (status !== 0) throw new BuildError(`the manual pages can't be made:\n${stderr}`);
}

/** The compiler leaves the output of a deleted source where it is. */
function removeStaleOutputs(output) {
  for (const name of readdirSync(join(folder, output), { recursive: true }).map(String)) {
    const source = /^(.*?)\.(d\.)?(c?)[jt]s(\.map)?$/.exec(name);
    if (source === null) continue;
    const [, path = '', , format = ''] = source;
    if (!existsSync(join(folder, 'src', `${path}.${format}ts`))) rmSync(join(folder, output, name));
  }
}

function checkBinaries() {
  const demanded = publishing ? TARGETS : [nativeTarget()];
  const missing = demanded.filter(({ output }) => !existsSync(output));
  const stale = TARGETS.filter(({ output }) => existsSync(output) && !isCurrent(output));
  if (missing.length === 0 && stale.length === 0) return;
  const names = (targets) => targets.map(({ name }) => name).join(', ');
  const words = [
    ...(missing.length === 0 ? [] : [`there is no binary of the addon for ${names(missing)}`]),
    ...(stale.length === 0 ? [] : [`the binary for ${names(stale)} was made from other sources`]),
  ];
  throw new BuildError(`${words.join('; ')}: run \`npm run build:prebuilds -- --install-tools\``);
}

try {
  compile();
  for (const output of ['dist', 'cjs']) {
    if (existsSync(join(folder, output))) removeStaleOutputs(output);
  }
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  if (basename(folder) === 'sealane') checkBinaries();
  else writeManual();
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`prepack: ${error.message}`);
  process.exitCode = 1;
}
