// The long test of kills: npm run test:soak -- [--kills 1000] [--seed N]. Prints how far it is, and the seed by which to repeat its plan.
import { parseArgs } from 'node:util';
import { soak } from './soak.test.helper.js';

const { values } = parseArgs({ options: { kills: { type: 'string' }, seed: { type: 'string' } } });
const kills = wholeNumber('kills', values.kills ?? '1000');
const seed = wholeNumber('seed', values.seed ?? String(Math.floor(Math.random() * 2 ** 31)));

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  process.stderr.write(`test:soak: --${name} must be a whole number, not ${JSON.stringify(text)}\n`);
  process.exit(2);
}

process.stdout.write(`test:soak: ${kills} kills, seed ${seed}\n`);
const began = performance.now();
const { sent, received } = await soak({
  kills,
  seed,
  onKill(count) {
    if (count % 25 !== 0) return;
    const seconds = ((performance.now() - began) / 1_000).toFixed(0);
    process.stdout.write(`test:soak: ${count} of ${kills} killed after ${seconds} s\n`);
  },
});
process.stdout.write(
  `test:soak: passed: the survivors sent ${sent} samples and received ${received}, none torn, and nothing is left of the dead\n`,
);
