/**
 * Writes the manual pages of the command, made from the compiled commands. Owns packages/cli/man/: pages of commands that are no more
 * are removed, and a page that has not changed is left alone. Needs the build.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { manual } from '../packages/cli/dist/manual/index.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'packages', 'cli', 'man');
const { version } = JSON.parse(readFileSync(join(root, 'packages', 'cli', 'package.json'), 'utf8'));

const pages = manual(version);
mkdirSync(folder, { recursive: true });
for (const name of readdirSync(folder)) if (!pages.has(name)) rmSync(join(folder, name));
for (const [name, text] of pages) {
  const file = join(folder, name);
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}
