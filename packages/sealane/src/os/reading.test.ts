/** Reading descriptors of every kind to their end, without ever waiting on a thread for somebody who may never write. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSealaneError } from '../base/errors.js';
import { readToEnd } from './reading.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-reading-'));
after(() => rmSync(folder, { recursive: true }));

let pipes = 0;

/** Both ends of a pipe, blocking ones. */
function makePipe(): { reader: number; writer: number } {
  const path = join(folder, `pipe-${pipes++}`);
  execFileSync('mkfifo', [path]);
  const both = openSync(path, 'r+');
  const [reader, writer] = [openSync(path, 'r'), openSync(path, 'w')];
  closeSync(both);
  return { reader, writer };
}

async function readText(fd: number, signal?: AbortSignal): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of readToEnd(fd, signal)) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts).toString();
}

function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function isNonBlocking(fd: number): boolean {
  const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '';
  return (Number.parseInt(flags, 8) & constants.O_NONBLOCK) !== 0;
}

test('a file is read from its beginning, and its position stays where it was', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, 'beginning and end');
  const fd = openSync(path, 'r');
  readSync(fd, Buffer.alloc(9));
  assert.equal(await readText(fd), 'beginning and end');
  const rest = Buffer.alloc(20);
  assert.equal(rest.toString('utf8', 0, readSync(fd, rest)), ' and end');
  closeSync(fd);
});

test('a file that tells no size is read to its end, and so is one that is never empty to poll', async () => {
  for (const path of ['/proc/self/status', '/proc/self/mounts', '/dev/null']) {
    const fd = openSync(path, 'r');
    assert.equal((await readText(fd)).length > 0, path !== '/dev/null', path);
    closeSync(fd);
  }
});

test('a pipe is read as it is written, until it ends, and stays as blocking as it was', async () => {
  const { reader, writer } = makePipe();
  const text = readText(reader);
  for (let count = 0; count < 3; count++) {
    await new Promise((resolve) => setImmediate(resolve));
    writeSync(writer, `${count},`);
    assert.equal(isNonBlocking(reader), false);
  }
  closeSync(writer);
  assert.equal(await text, '0,1,2,');
  closeSync(reader);
});

test('a pipe that is non-blocking is waited for as well', async () => {
  const { reader, writer } = makePipe();
  const again = openSync(`/proc/self/fd/${reader}`, constants.O_RDONLY | constants.O_NONBLOCK);
  const text = readText(again);
  await new Promise((resolve) => setImmediate(resolve));
  writeSync(writer, 'late');
  closeSync(writer);
  assert.equal(await text, 'late');
  closeSync(again);
  closeSync(reader);
});

test('a wait for a silent pipe ends when its signal fires, and leaves no descriptor', async () => {
  const { reader, writer } = makePipe();
  const before = countDescriptors();
  const controller = new AbortController();
  const text = readText(reader, controller.signal);
  setImmediate(() => controller.abort());
  await assert.rejects(text, { code: 'ERR_SEALANE_ABORTED' });
  assert.equal(countDescriptors(), before);
  closeSync(writer);
  closeSync(reader);
});

test('what can not be read is a system error, and leaves no descriptor', async () => {
  const fd = openSync(folder, 'r');
  const before = countDescriptors();
  await assert.rejects(readText(fd), (error) => isSealaneError(error) && error.errnoName === 'EISDIR');
  closeSync(fd);
  await assert.rejects(readText(fd), (error) => isSealaneError(error) && error.errnoName === 'EBADF');
  assert.equal(countDescriptors(), before - 1);
});
