// The video example as a user runs it, for two seconds and with small frames: with ffmpeg's test pattern, and with its own.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inflateSync } from 'node:zlib';

const main = join(
  dirname(fileURLToPath(import.meta.url)),
  '..',
  '..',
  'examples',
  'dist',
  'video',
  'main.js',
);
const WIDTH = 64;
const HEIGHT = 48;

/** Runs the example; answers its output and the pictures that it wrote. */
async function run(
  t: TestContext,
  words: readonly string[],
): Promise<{ output: string; pictures: Buffer[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-video-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const out = join(folder, 'frames');
  const size = ['--width', String(WIDTH), '--height', String(HEIGHT), '--seconds', '2', '--out', out];
  const child = spawn(process.execPath, [main, ...size, ...words], {
    env: { ...process.env, SEALANE_DIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGTERM'));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const [status] = await once(child, 'close');
  assert.equal(status, 0, output);
  assert.deepEqual(readdirSync(join(folder, 'domains', 'default', 'nodes')), [], 'all nodes were withdrawn');
  const names = existsSync(out) ? readdirSync(out).sort() : [];
  return { output, pictures: names.map((name) => readFileSync(join(out, name))) };
}

/** The pixels of a PNG of one IDAT chunk without filters, as the example writes it. */
function pixelsOf(picture: Buffer): Buffer {
  assert.equal(picture.toString('latin1', 1, 4), 'PNG');
  assert.deepEqual([picture.readUInt32BE(16), picture.readUInt32BE(20)], [WIDTH, HEIGHT]);
  const at = picture.indexOf('IDAT');
  const lines = inflateSync(picture.subarray(at + 4, at + 4 + picture.readUInt32BE(at - 4)));
  assert.equal(lines.length, (WIDTH * 4 + 1) * HEIGHT);
  return lines;
}

function check({ output, pictures }: { output: string; pictures: Buffer[] }): void {
  for (const role of ['camera', 'luminance', 'snapshots'])
    assert.match(output, new RegExp(`^${role} +[\\d.]+ frames/s`, 'm'));
  assert.match(output, /missed \d+ {2}latency \d+ us, at most \d+ us {2}luminance [\d.]+, motion [\d.]+/);
  const [picture] = pictures;
  assert.ok(picture !== undefined, output);
  const pixels = pixelsOf(picture);
  // Opaque, and of more than one colour.
  assert.equal(pixels[4], 255);
  assert.ok(new Set(pixels).size > 10);
}

test('frames of its own pattern are published, computed and written as pictures', async (t) => {
  check(await run(t, ['--pattern']));
});

test('frames of ffmpeg are published, computed and written as pictures', async (t) => {
  if (spawnSync('ffmpeg', ['-version']).status !== 0)
    return t.skip('there is no ffmpeg: `npm run example:video -- --install-tools --tools-only` installs it');
  check(await run(t, []));
});

test('a PNG is one that ffmpeg reads back as it was', async (t) => {
  if (spawnSync('ffmpeg', ['-version']).status !== 0) return t.skip('there is no ffmpeg');
  const { pictures } = await run(t, ['--pattern']);
  const [picture = Buffer.alloc(0)] = pictures;
  const words = '-loglevel error -f png_pipe -i pipe:0 -f rawvideo -pix_fmt rgba pipe:1'.split(' ');
  const { stdout, stderr } = spawnSync('ffmpeg', words, { input: picture });
  assert.equal(stderr.toString(), '');
  const lines = pixelsOf(picture);
  const rows = Array.from({ length: HEIGHT }, (_, y) =>
    lines.subarray(y * (WIDTH * 4 + 1) + 1, (y + 1) * (WIDTH * 4 + 1)),
  );
  assert.ok(stdout.equals(Buffer.concat(rows)));
});
