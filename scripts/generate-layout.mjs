// Writes what spec/services.json says in the form that each language takes. `--check` writes nothing and fails when a file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const SOURCE = 'spec/services.json';

const OUTPUTS = { 'packages/sealane/src/shm/layout.ts': typescript };

/** The file for TypeScript: a constant a line. */
function typescript({ title, groups }) {
  const lines = [
    `/** ${title} */`,
    `// Generated from ${SOURCE} by scripts/generate-layout.mjs: change that.`,
  ];
  for (const { prefix, comment, constants } of groups) {
    lines.push('', `// ${comment}`);
    for (const [name, [value, text]] of Object.entries(constants)) {
      if (text !== '') lines.push(`/** ${text} */`);
      lines.push(`export const ${prefix}_${name} = ${grouped(value)};`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Digits in groups of three, as the formatter wants long numbers to be read. */
function grouped(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, '_');
}

const check = process.argv.includes('--check');
const layout = JSON.parse(readFileSync(join(root, SOURCE), 'utf8'));
for (const [path, generate] of Object.entries(OUTPUTS)) {
  const text = generate(layout);
  if (!check) writeFileSync(join(root, path), text);
  else if (readFileSync(join(root, path), 'utf8') !== text) {
    process.stderr.write(`${path} is stale: run node scripts/generate-layout.mjs\n`);
    process.exitCode = 1;
  }
}
