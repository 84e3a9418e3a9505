// The demo: its parts, and the whole of it on a small file.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStyle } from '../terminal/style.js';
import { gained, parseMemory } from './memory.js';
import { readEveryByte } from './reading.js';
import { type DemoReport, plotsOf, renderReport } from './report.js';
import { median } from './run.js';
import { renderSvg } from './svg.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'sealane-demo-test-'));
const places = join(directory, 'tmp');
mkdirSync(places);
const environment = { ...process.env, TMPDIR: places, NO_COLOR: '1' };

after(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, bytes: number): string {
  const path = join(directory, name);
  writeFileSync(path, randomBytes(bytes));
  return path;
}

test('reading touches every byte, at any alignment and length', () => {
  for (let offset = 0; offset < 8; offset++) {
    for (const length of [0, 1, 2, 3, 4, 5, 7, 64, 1001]) {
      const part = new Uint8Array(randomBytes(offset + length)).subarray(offset);
      const expected = part.reduce((mixed, byte) => mixed ^ byte, 0);
      assert.equal(readEveryByte(part), expected, `${length} bytes at ${offset}`);
    }
  }
});

test('memory is read from the kernel and summed as what was gained', () => {
  const text =
    'addr [rollup]\nRss:  100 kB\nPss:   60 kB\nPss_Anon: 1 kB\nPrivate_Clean: 3 kB\nPrivate_Dirty: 4 kB\n';
  const figures = parseMemory(text);
  assert.deepEqual(figures, { rssBytes: 102_400, pssBytes: 61_440, privateBytes: 7168 });
  const none = { rssBytes: 0, pssBytes: 0, privateBytes: 0 };
  assert.deepEqual(gained([none, figures], [figures, figures]), figures);
  assert.equal(gained([none], [undefined]), undefined);
});

test('the median of an even number of rounds is one of them', () => {
  assert.deepEqual([median([3, 1, 2]), median([4, 1]), median([7])], [2, 1, 7]);
});

const memory = { rssBytes: 2 ** 20, pssBytes: 2 ** 20, privateBytes: 0 };
const figures = { publishedMs: 10, inHandMs: 20, readMs: 50, memory, verified: 3, wrong: 0 };
const report: DemoReport = {
  files: [{ path: '/x/<a>&\x1b.bin', size: 2 ** 20 }],
  consumers: 3,
  rounds: 1,
  results: [
    { way: 'sealane', figures },
    { way: 'socket', figures: { ...figures, readMs: 100, wrong: 1 } },
    { way: 'messages', skipped: 'a file has more than 1 GiB' },
  ],
};

test('the report compares, says what was left out, and tells a failed verification', () => {
  const text = renderReport(report, { style: createStyle(false), ellipsis: '...', unicode: false }).join(
    '\n',
  );
  assert.match(text, /Sealane +10\.0 ms +20\.0 ms +50\.0 ms +60\.0 MiB\/s +1\.00 MiB +0 B/);
  assert.match(text, /Unix socket \(node:net\) +#+ 100 ms \(2\.0x\)/);
  assert.match(text, /child_process messages was left out: a file has more than 1 GiB/);
  assert.match(text, /VERIFICATION FAILED: 1 of 7/);
  assert.doesNotMatch(text, /\p{Cc}(?<!\n)/u);
});

test('the report says why another way was faster, and only then', () => {
  const told = (readMs: number, size: number) =>
    renderReport(
      {
        ...report,
        files: [{ path: '/x', size }],
        results: [
          { way: 'sealane', figures: { ...figures, readMs } },
          { way: 'socket', figures },
          { way: 'messages', skipped: 'for this test' },
        ],
      },
      { style: createStyle(false), ellipsis: '...', unicode: false },
    ).join('\n');
  assert.match(told(51, 20_000), /slower here because the files are small \(19\.5 KiB on average\)/);
  assert.match(told(51, 2 ** 26), /slower here: consumers that want every byte/);
  assert.doesNotMatch(told(50, 20_000), /slower/);
});

test('the image is well-formed and carries no markup of a file name', () => {
  const svg = renderSvg('<b> & "c"', plotsOf(report));
  assert.match(svg, /^<svg [^>]+>\n<title>&lt;b&gt; &amp; &quot;c&quot;<\/title>/);
  assert.equal(svg.match(/<rect /g)?.length, 4);
  assert.equal(svg.match(/<text/g)?.length, svg.match(/<\/text>/g)?.length);
});

test('the demo delivers files to all consumers every way, verifies them, and leaves nothing behind', () => {
  const svg = join(directory, 'bars.svg');
  const files = [file('one.bin', 1_500_001), file('two.bin', 70_000)];
  const words = [MAIN, 'demo', ...files, '--quick', '--consumers', '2', '--json', '--svg', svg];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    env: environment,
    encoding: 'utf8',
  });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  const result = JSON.parse(stdout);
  assert.deepEqual([result.bytes, result.consumers, result.rounds, result.verified], [1_570_001, 2, 1, true]);
  for (const { way, figures } of result.ways) {
    assert.deepEqual([figures.verified, figures.wrong], [4, 0], way);
    assert.ok(figures.readMs >= figures.inHandMs && figures.inHandMs > 0, way);
  }
  assert.match(readFileSync(svg, 'utf8'), /^<svg/);
  assert.deepEqual(readdirSync(places), []);
});

test('an interrupted demo ends its processes and removes its directory', async () => {
  const words = [MAIN, 'demo', file('three.bin', 1_000_000), '--consumers', '2'];
  const child = spawn(process.execPath, words, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  const closed = once(child, 'close');
  for await (const line of createInterface({ input: child.stderr })) {
    if (line.startsWith('Unix socket')) break;
  }
  const consumers = childrenOf(child.pid ?? 0);
  child.kill('SIGINT');
  assert.deepEqual((await closed)[0], 130);
  assert.deepEqual(readdirSync(places), []);
  assert.deepEqual(consumers.filter(isAlive), []);
});

test('the demo refuses what it can not deliver', () => {
  const empty = file('empty', 0);
  for (const [path, expected] of [
    [empty, /is empty/],
    [directory, /is not a regular file/],
    ['/none', /no such file/],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'demo', path], {
      env: environment,
      encoding: 'utf8',
    });
    assert.equal(status, 1);
    assert.match(stderr, expected);
  }
  assert.deepEqual(readdirSync(places), []);
});

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
