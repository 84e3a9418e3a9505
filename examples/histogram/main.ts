/**
 * A camera puts frames into a broker; a WebAssembly guest, compiled from C, computes the histogram of each where it lies. Shows the last histogram,
 * and what a frame costs mapped and copied. Owns the broker and the guest.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Broker, type Bus, connect } from 'sealane';
import { compileGuest, Histogram, NoCompiler } from './guest.js';

const { values } = parseArgs({
  options: {
    width: { type: 'string', default: '1920' },
    height: { type: 'string', default: '1080' },
    frames: { type: 'string', default: '30' },
  },
});
const width = Number(values.width);
const height = Number(values.height);
const frames = Number(values.frames);
const BYTES = width * height * 4;
const BARS = 16;

/** A gradient that moves from frame to frame, put as an object. */
async function putFrame(bus: Bus, number: number): Promise<void> {
  using draft = bus.draft(BYTES);
  const pixels = new Uint32Array(draft.bytes.buffer, draft.bytes.byteOffset, width * height);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) pixels[at] = 0xff00_0000 | (((x + y + number) & 0xff) * 0x01_0101);
  await draft.put({ name: 'camera/front' });
}

function median(samples: readonly number[]): number {
  return [...samples].sort((a, b) => a - b)[samples.length >> 1] ?? 0;
}

function timed(work: () => Uint32Array, samplesUs: number[]): Uint32Array {
  const start = performance.now();
  const counts = work();
  samplesUs.push((performance.now() - start) * 1_000);
  return counts;
}

function show(counts: Uint32Array): void {
  const width = counts.length / BARS;
  const bars = Array.from({ length: BARS }, (_, bar) =>
    counts.subarray(bar * width, (bar + 1) * width).reduce((sum, count) => sum + count, 0),
  );
  const most = Math.max(...bars);
  bars.forEach((count, bar) => {
    const range = `${bar * width}-${(bar + 1) * width - 1}`.padStart(7);
    process.stdout.write(`${range} ${'#'.repeat((count / most) * 50).padEnd(50)} ${count}\n`);
  });
}

async function run(socket: string): Promise<void> {
  const module = compileGuest();
  await using _broker = await Broker.start({ socket });
  await using bus = await connect({ socket });
  using histogram = await Histogram.start(module, BYTES);
  const mappedUs: number[] = [];
  const copiedUs: number[] = [];
  let counts = new Uint32Array(0);
  for (let number = 0; number < frames; number++) {
    await putFrame(bus, number);
    using frame = await bus.get('camera/front');
    counts = timed(() => histogram.count(frame), mappedUs) as Uint32Array<ArrayBuffer>;
    const copy = timed(() => histogram.countCopy(frame.bytes), copiedUs);
    if (copy.some((count, level) => count !== counts[level])) throw new Error('the two ways differ');
  }
  show(counts);
  const pixels = counts.reduce((sum, count) => sum + count, 0);
  process.stdout.write(
    `${frames} frames of ${width}x${height}, ${pixels} pixels each, counted by the guest\n`,
  );
  const [mapped, copied] = [mappedUs, copiedUs].map((samples) => Math.round(median(samples)));
  process.stdout.write(`median for a frame: ${mapped} us mapped, ${copied} us copied into the guest\n`);
}

const folder = mkdtempSync(join(tmpdir(), 'sealane-histogram-'));
try {
  await run(join(folder, 'broker.sock'));
} catch (error) {
  if (!(error instanceof NoCompiler)) throw error;
  process.stderr.write(`histogram: ${error.message}\n`);
  process.exitCode = 2;
} finally {
  rmSync(folder, { recursive: true });
}
