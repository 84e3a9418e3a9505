/** Writes a frame as a PNG file once a second, into the folder that is its argument. The frame is held until it is written. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodePng } from './png.js';
import { Reporter } from './shape.js';
import { viewFrames } from './viewer.js';

const folder = process.argv[2] ?? '.';
const EVERY_MS = 1_000;
const reporter = new Reporter('snapshots');
let nextMs = 0;
let count = 0;

await viewFrames('video snapshots', reporter, async ({ bytes }, { width, height }) => {
  const nowMs = performance.now();
  if (nowMs < nextMs) return;
  nextMs = nowMs + EVERY_MS;
  const file = join(folder, `frame-${String(count++).padStart(4, '0')}.png`);
  await writeFile(file, await encodePng(bytes, width, height));
  reporter.note = file;
});
