/**
 * Starts the processes of the example and shows what they report: ffmpeg, which makes raw video of a test pattern; the camera, which
 * publishes it; and two consumers. Owns all of them: they end with it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Report } from './shape.js';

const { values } = parseArgs({
  options: {
    width: { type: 'string', default: '1280' },
    height: { type: 'string', default: '720' },
    rate: { type: 'string', default: '30' },
    seconds: { type: 'string', default: '10' },
    out: { type: 'string', default: 'video-frames' },
    pattern: { type: 'boolean', default: false },
  },
});
const { width, height, rate, out } = values;
/** Processes that report: the camera and two consumers. */
const ROLES = 3;
const children: ChildProcess[] = [];
const newest = new Map<string, Report>();
let ffmpeg: ChildProcess | undefined;
let drawn = 0;
let ending = false;
let timed = false;

mkdirSync(out, { recursive: true });
const pattern = values.pattern || !hasFfmpeg();
// The consumers wait for the service: no order is needed.
start('luminance', []);
start('snapshots', [out]);
if (pattern) start('camera', [width, height, rate, 'pattern']);
else startVideo();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end(130));

function hasFfmpeg(): boolean {
  if (spawnSync('ffmpeg', ['-version'], { stdio: 'ignore' }).status === 0) return true;
  process.stderr.write(
    'video: there is no ffmpeg (Debian package ffmpeg): the camera makes its own pattern\n',
  );
  return false;
}

function startVideo(): void {
  const input = ['-f', 'lavfi', '-i', `testsrc2=size=${width}x${height}:rate=${rate}`];
  const words = ['-loglevel', 'error', '-re', ...input, '-pix_fmt', 'rgba', '-f', 'rawvideo', 'pipe:1'];
  const video = spawn('ffmpeg', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  own('ffmpeg', video);
  ffmpeg = video;
  start('camera', [width, height, rate], video.stdout);
  // The camera has it now: this process must not read from it.
  video.stdout.destroy();
}

function start(
  name: string,
  words: readonly string[],
  input: 'ignore' | NodeJS.ReadableStream = 'ignore',
): void {
  const script = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [script, ...words], {
    stdio: [input === 'ignore' ? input : (input as ChildProcess['stdout']), 'pipe', 'inherit'],
  });
  own(name, child);
  if (child.stdout !== null)
    createInterface({ input: child.stdout }).on('line', (line) => show(JSON.parse(line) as Report));
}

/** One that ends by itself ends the example. */
function own(name: string, child: ChildProcess): void {
  children.push(child);
  child.on('error', (error) => process.stderr.write(`video: ${name}: ${error.message}\n`));
  child.on('exit', (status, signal) => {
    if (ending) return;
    process.stderr.write(`video: ${name} ended: ${signal ?? status}\n`);
    end(1);
  });
}

function end(status: number): void {
  ending = true;
  process.exitCode = status;
  // At once, before it finds that nobody takes its frames: it has nothing to clean up.
  ffmpeg?.kill('SIGKILL');
  for (const child of children) child.kill('SIGTERM');
  setTimeout(() => process.exit(status), 1_000).unref();
}

/** In place on a terminal, a line for each report elsewhere. */
function show(report: Report): void {
  newest.set(report.role, report);
  // Its time begins when every process is at work, however long they took to start.
  const working = [...newest.values()].filter(({ frames }) => frames > 0).length;
  if (working === ROLES && !timed) setTimeout(() => end(0), Number(values.seconds) * 1_000);
  timed ||= working === ROLES;
  if (!process.stdout.isTTY) return void process.stdout.write(`${lineOf(report)}\n`);
  const lines = [...newest.values()].map(lineOf);
  process.stdout.write(`${drawn === 0 ? '' : `\x1b[${drawn}A\r\x1b[J`}${lines.join('\n')}\n`);
  drawn = lines.length;
}

function lineOf({ role, frames, missed, seconds, meanUs, maxUs, note }: Report): string {
  const perSecond = `${(frames / seconds).toFixed(1)} frames/s`.padStart(16);
  const latency =
    meanUs === undefined || maxUs === undefined
      ? ''
      : `  missed ${missed}  latency ${meanUs.toFixed(0)} us, at most ${maxUs.toFixed(0)} us`;
  return `${role.padEnd(10)}${perSecond}${latency}${note === undefined ? '' : `  ${note}`}`;
}
