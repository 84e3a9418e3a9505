/** Files by path: opened off the event loop, never waiting for another process, and closed once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSealaneError } from '../base/errors.js';
import { inspect } from './descriptor.js';
import { OpenFile } from './open-file.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-open-'));
after(() => rmSync(folder, { recursive: true }));

const pipe = join(folder, 'pipe');
execFileSync('mkfifo', [pipe]);

function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function flagsOf(fd: number): number {
  return Number.parseInt(
    /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '',
    8,
  );
}

function fails(errnoName: string, path: string) {
  return (error: unknown) =>
    isSealaneError(error) && error.errnoName === errnoName && error.message.includes(JSON.stringify(path));
}

test('a file is opened to read, and made or truncated to write, close-on-exec', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, 'old');
  const reading = await OpenFile.open(path, 'r');
  assert.deepEqual([inspect(reading.fd).size, inspect(reading.fd).accessMode], [3, 'r']);
  for (const written of [path, join(folder, 'new')]) {
    const writing = await OpenFile.open(written, 'w');
    assert.deepEqual([inspect(writing.fd).size, inspect(writing.fd).accessMode], [0, 'w']);
    assert.notEqual(flagsOf(writing.fd) & 0o2000000, 0);
    await writing.close();
  }
  await reading.close();
});

test('closing once closes, and once more does nothing', async () => {
  const before = countDescriptors();
  const file = await OpenFile.open('/dev/null', 'w');
  await file.close();
  assert.equal(countDescriptors(), before);
  await file.close();
  await file.discard();
  assert.throws(() => file.fd, { code: 'ERR_SEALANE_INTERNAL' });
});

test('a file that can not be opened is a system error with the path', async () => {
  const before = countDescriptors();
  const missing = join(folder, 'missing', 'file');
  await assert.rejects(OpenFile.open(missing, 'r'), fails('ENOENT', missing));
  await assert.rejects(OpenFile.open(folder, 'w'), fails('EISDIR', folder));
  assert.equal(countDescriptors(), before);
});

test('a pipe without its other end is opened to read at once, and refused to be written', async () => {
  const reading = await OpenFile.open(pipe, 'r');
  assert.equal(inspect(reading.fd).type, 'a pipe');
  const writer = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  closeSync(writer);
  await reading.close();
  await assert.rejects(OpenFile.open(pipe, 'w'), fails('ENXIO', pipe));
});
