/**
 * Writes the test vectors of the protocols, spec/vectors/*.json; with --check it only compares, and exits with 1 when one is
 * stale. The bytes come from the tables of spec/blobs.md, spec/memfdbus.md and spec/frames.md, not from the codecs: the two must agree by themselves.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { accepted } from './vectors/accepted.mjs';
import { frames, framesRefused } from './vectors/frames.mjs';
import { memfdbus, memfdbusRefused } from './vectors/memfdbus.mjs';
import { refused } from './vectors/refused.mjs';
import { requests } from './vectors/requests.mjs';
import { responses } from './vectors/responses.mjs';

const FOLDER = new URL('../spec/vectors/', import.meta.url);

function writeOrCheck(name, entries) {
  const file = new URL(`${name}.json`, FOLDER);
  const text = `${JSON.stringify(entries, undefined, 2)}\n`;
  if (!process.argv.includes('--check')) return writeFileSync(file, text);
  if (readFileSync(file, 'utf8') === text) return;
  console.error(`spec/vectors/${name}.json is stale: run node scripts/make-vectors.mjs`);
  process.exitCode = 1;
}

writeOrCheck('requests', requests);
writeOrCheck('responses', responses);
writeOrCheck('refused', refused);
writeOrCheck('accepted', accepted);
writeOrCheck('memfdbus', memfdbus);
writeOrCheck('memfdbus-refused', memfdbusRefused);
writeOrCheck('frames', frames);
writeOrCheck('frames-refused', framesRefused);
