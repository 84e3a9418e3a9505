// Packs packages and installs them into a project of their own, with npm, without a registry and without running their scripts.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

export interface Packed {
  readonly name: string;
  /** Path of the .tgz file. */
  readonly tarball: string;
  /** Paths in the package. */
  readonly files: readonly string[];
}

/** Packs what lies in a folder, as publishing would. Its prepack script runs if `scripts` says so. */
export function pack(folder: string, destination: string, scripts: boolean): Packed {
  const flags = scripts ? [] : ['--ignore-scripts'];
  // From elsewhere: in its own folder npm would obey what a package demands of those who develop it.
  const output = npm(['pack', folder, '--json', '--silent', ...flags], destination);
  const result: unknown = JSON.parse(output.slice(output.search(/[[{]/)));
  const [packed] = Array.isArray(result) ? result : Object.values(result as object);
  const { name, filename, files } = packed as {
    name: string;
    filename: string;
    files: Array<{ path: string }>;
  };
  return { name, tarball: join(destination, filename), files: files.map(({ path }) => path) };
}

/** Makes an empty project and installs the tarballs into it. */
export function install(project: string, tarballs: readonly string[]): void {
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  const quiet = [
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--offline',
    '--cache',
    join(project, '.cache'),
  ];
  npm(['install', ...quiet, ...tarballs], project);
}

/** The folders of everything that a package of this repository needs at run time, from what is installed here. */
export function runtimeDependencies(folder: string): string[] {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const { dependencies = {} } = manifest as { dependencies?: Record<string, string> };
  const names = Object.keys(dependencies).filter((name) => !name.startsWith('sealane'));
  const folders = names.map((name) => packageFolder(folder, name));
  return [...new Set([...folders, ...folders.flatMap(runtimeDependencies)])];
}

/** By the places where Node.js looks, as not every package exports its package.json. */
function packageFolder(from: string, name: string): string {
  const places = createRequire(join(from, 'package.json')).resolve.paths(name) ?? [];
  const found = places.map((place) => join(place, name)).find(isPackage);
  if (found === undefined) throw new Error(`${name} is not installed: npm run setup`);
  return found;
}

function isPackage(folder: string): boolean {
  try {
    return readFileSync(join(folder, 'package.json'), 'utf8') !== '';
  } catch {
    return false;
  }
}

/** Why npm can't be used here, or false. */
export function npmMissing(): string | false {
  const { error, status } = spawnSync('npm', ['--version'], { cwd: root, stdio: 'ignore' });
  return status === 0 ? false : `npm can't be run: ${error?.message ?? `exit status ${status}`}`;
}

/** Without what an npm that started the tests has put into the environment: it would act on this repository. */
function npm(args: readonly string[], cwd: string): string {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const result = spawnSync('npm', args, { cwd, env, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (result.status !== 0) throw new Error(`npm ${args.join(' ')} failed: ${result.stdout}${result.stderr}`);
  return result.stdout;
}
