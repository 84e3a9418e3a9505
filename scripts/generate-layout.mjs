// Writes what the JSON files of spec/ say in the form that each language takes. `--check` writes nothing and fails when a file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
/** What is written, from what, and by which function. */
const OUTPUTS = [
  ['packages/sealane/src/shm/layout.ts', 'spec/services.json', typescript],
  ['packages/sealane/src/buffers/frame-layout.ts', 'spec/frames.json', typescript],
];

/** The file for TypeScript: a constant a line. */
function typescript({ title, groups }, source) {
  const lines = [
    `/** ${title} */`,
    `// Generated from ${source} by scripts/generate-layout.mjs: change that.`,
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
for (const [path, source, generate] of OUTPUTS) {
  const text = generate(JSON.parse(readFileSync(join(root, source), 'utf8')), source);
  if (!check) writeFileSync(join(root, path), text);
  else if (readFileSync(join(root, path), 'utf8') !== text) {
    process.stderr.write(`${path} is stale: run node scripts/generate-layout.mjs\n`);
    process.exitCode = 1;
  }
}
