/** The audit in files: lines stay whole and are there once, through rotations, full disks and half lines of others. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { directory } from '../raw-client.test.helper.js';
import { readLines, Told } from './audit.test.helper.js';
import { AuditFile } from './file.js';
import { AuditLog } from './log.js';
import { type AuditRecord, NOTHING } from './record.js';

const peer = { pid: 1, uid: 2, gid: 3 };

function record(objectId: number): AuditRecord {
  return { ...NOTHING, operation: 'put', result: 'ok', objectId, name: `frame/${objectId}`, peer };
}

function ids(text: string): (number | null)[] {
  return readLines(text).map((line) => line.object_id);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

interface Written {
  error: Error | undefined;
  written: number;
}

function write(file: AuditFile, text: string): Promise<Written> {
  return new Promise((resolve) => {
    file.write(Buffer.from(text), (error, written) => resolve({ error, written }));
  });
}

/** Writes as the log does: what is left comes again. Answers the first error. */
async function writeUntilError(
  file: AuditFile,
  text: string,
): Promise<{ error: Error | undefined; rest: string }> {
  let rest = text;
  while (rest !== '') {
    const { error, written } = await write(file, rest);
    rest = rest.slice(written);
    if (error !== undefined) return { error, rest };
  }
  return { error: undefined, rest };
}

/** Bounds the size of the files that this process writes; false where that can't be done. */
function limitFileSize(bytes: number | 'unlimited'): boolean {
  const { status } = spawnSync('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:`]);
  return status === 0;
}

/** Runs `body` while files can't grow over `bytes`. */
async function withFullDisk(t: TestContext, bytes: number, body: () => Promise<void>): Promise<void> {
  if (!limitFileSize(bytes)) {
    t.skip('there is no prlimit(1) to bound the size of files with');
    return;
  }
  try {
    await body();
  } finally {
    limitFileSize('unlimited');
  }
}

test('lines go to the end of the file, whose mode lets nobody else read a new one', async (t) => {
  const path = join(directory(t), 'audit.log');
  for (const line of ['one\n', 'two\n']) {
    await using file = await AuditFile.open(path);
    assert.deepEqual(await write(file, line), { error: undefined, written: 4 });
  }
  assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('after a crash that left half a line, the next line begins on its own', async (t) => {
  const path = join(directory(t), 'audit.log');
  writeFileSync(path, 'whole\n{"ts_ns":17');
  {
    await using file = await AuditFile.open(path);
    await write(file, 'first\n');
    await write(file, 'second\n');
  }
  assert.equal(readFileSync(path, 'utf8'), 'whole\n{"ts_ns":17\nfirst\nsecond\n');
});

test('a path that is no file to append to is refused', async (t) => {
  const place = directory(t);
  writeFileSync(join(place, 'real'), '');
  symlinkSync(join(place, 'real'), join(place, 'link'));
  await assert.rejects(AuditFile.open(join(place, 'link')), { errnoName: 'ELOOP' });
  await assert.rejects(AuditFile.open(place), { errnoName: 'EISDIR' });
  await assert.rejects(AuditFile.open(join(place, 'missing', 'file')), { errnoName: 'ENOENT' });
  for (const wrong of ['', -1, 1.5, undefined])
    await assert.rejects(AuditFile.open(wrong as string), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('through fifty rotations under load no line is lost, torn or doubled, and no descriptor is left', async (t) => {
  const place = directory(t);
  const path = join(place, 'audit.log');
  const before = readdirSync('/proc/self/fd').length;
  const told = new Told();
  const file = await AuditFile.open(path);
  const log = new AuditLog({ sink: file, onTrouble: told.say });
  let id = 0;
  for (let rotation = 0; rotation < 50; rotation++) {
    for (let turn = 0; turn < 5; turn++) {
      for (let count = 0; count < 40; count++) log.record(record(++id));
      await new Promise((resolve) => setImmediate(resolve));
    }
    renameSync(path, join(place, `audit.log.${String(rotation).padStart(2, '0')}`));
    // Not all of them are waited for: the next may come meanwhile.
    if (rotation % 3 === 0) await file.reopen();
    else void file.reopen();
    // What is renamed must be there.
    while (!readdirSync(place).includes('audit.log')) await new Promise((resolve) => setImmediate(resolve));
  }
  await log.close();
  await file.close();
  const files = readdirSync(place).sort((a, b) => a.localeCompare(b));
  assert.equal(files.length, 51);
  const [newest, ...rotated] = files;
  const order = [...rotated, newest ?? ''];
  assert.deepEqual(
    order.flatMap((name) => ids(readFileSync(join(place, name), 'utf8'))),
    upTo(10_000),
  );
  assert.deepEqual(told.messages, []);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('a line that a full disk cut is ended when there is room, before any other', async (t) => {
  const path = join(directory(t), 'audit.log');
  await using file = await AuditFile.open(path);
  let rest = '';
  await withFullDisk(t, 1_000, async () => {
    const result = await writeUntilError(file, `${'a'.repeat(599)}\n${'b'.repeat(599)}\n`);
    assert.equal((result.error as { errnoName?: string }).errnoName, 'EFBIG');
    assert.equal(statSync(path).size, 1_000);
    rest = result.rest;
    assert.equal((await writeUntilError(file, rest)).rest, rest, 'nothing is taken while it is full');
  });
  if (rest === '') return;
  assert.deepEqual(await writeUntilError(file, `${rest}next\n`), { error: undefined, rest: '' });
  assert.equal(readFileSync(path, 'utf8'), `${'a'.repeat(599)}\n${'b'.repeat(599)}\nnext\n`);
});

test('a line that a full disk cut is written anew, whole, in the file after it', async (t) => {
  const place = directory(t);
  const path = join(place, 'audit.log');
  await using file = await AuditFile.open(path);
  await withFullDisk(t, 1_000, async () => {
    const { rest } = await writeUntilError(file, `${'a'.repeat(599)}\n${'b'.repeat(599)}\n`);
    renameSync(path, `${path}.1`);
    await file.reopen();
    assert.deepEqual(await writeUntilError(file, `${rest}next\n`), { error: undefined, rest: '' });
    assert.equal(readFileSync(path, 'utf8'), `${'b'.repeat(599)}\nnext\n`);
    const old = readFileSync(`${path}.1`, 'utf8');
    assert.equal(old, `${'a'.repeat(599)}\n${'b'.repeat(400)}`, 'the old one ends in the part');
  });
});

/** A file system of 64 KiB; undefined, after the test was skipped, where none can be mounted. */
function smallFileSystem(t: TestContext): string | undefined {
  const place = mkdtempSync(join(tmpdir(), 'sealane-small-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place], { encoding: 'utf8' });
  t.after(() => {
    if (mounted.status === 0) spawnSync('umount', [place]);
    rmSync(place, { recursive: true, force: true });
  });
  if (mounted.status === 0) return place;
  t.skip(`no small file system can be mounted here: ${mounted.stderr?.trim()}`);
  return undefined;
}

test('on a full file system the audit waits, and then all of it is there', async (t) => {
  const place = smallFileSystem(t);
  if (place === undefined) return;
  const path = join(place, 'audit.log');
  writeFileSync(join(place, 'ballast'), Buffer.alloc(40_000));
  const told = new Told();
  await using file = await AuditFile.open(path);
  const log = new AuditLog({ sink: file, onTrouble: told.say });
  for (const id of upTo(500)) log.record(record(id));
  assert.match(await told.message(0), /can't be written: writing to .*audit\.log: ENOSPC/);
  rmSync(join(place, 'ballast'));
  spawnSync('mount', ['-o', 'remount,size=1m', place]);
  await log.close();
  assert.deepEqual(ids(readFileSync(path, 'utf8')), upTo(500));
});

test('a file that can not be opened anew leaves the old one in use', async (t) => {
  const place = directory(t);
  const path = join(place, 'audit.log');
  await using file = await AuditFile.open(path);
  await write(file, 'one\n');
  renameSync(path, join(place, 'old'));
  mkdirSync(path);
  await assert.rejects(file.reopen(), { errnoName: 'EISDIR' });
  await write(file, 'two\n');
  assert.equal(readFileSync(join(place, 'old'), 'utf8'), 'one\ntwo\n');
  rmSync(path, { recursive: true });
  await file.reopen();
  await write(file, 'three\n');
  assert.equal(readFileSync(path, 'utf8'), 'three\n');
});

test('a file that was emptied in its place goes on at its beginning', async (t) => {
  const path = join(directory(t), 'audit.log');
  await using file = await AuditFile.open(path);
  await write(file, 'one\n');
  writeFileSync(path, '');
  await write(file, 'two\n');
  assert.equal(readFileSync(path, 'utf8'), 'two\n');
});

test('several writers of one file do not tear each other', async (t) => {
  const path = join(directory(t), 'audit.log');
  const files = [await AuditFile.open(path), await AuditFile.open(path)];
  const logs = files.map((sink) => new AuditLog({ sink, onTrouble: () => undefined }));
  for (let id = 1; id <= 2_000; id++) {
    for (const log of logs) log.record(record(id));
    if (id % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  for (const log of logs) await log.close();
  for (const file of files) await file.close();
  const found = ids(readFileSync(path, 'utf8')).map(Number);
  assert.deepEqual(
    found.sort((a, b) => a - b),
    upTo(2_000).flatMap((id) => [id, id]),
  );
});

test('a pipe whose reader stopped is left for the new file at once', async (t) => {
  const place = directory(t);
  const path = join(place, 'audit');
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(reader));
  await using file = await AuditFile.open(path);
  fill(path);
  const waiting = write(file, 'next\n');
  renameSync(path, join(place, 'old'));
  await file.reopen();
  assert.deepEqual(await waiting, { error: undefined, written: 0 });
  await writeUntilError(file, 'next\n');
  assert.equal(readFileSync(path, 'utf8'), 'next\n');
});

/** Leaves no room in a pipe. */
function fill(path: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    for (;;) writeSync(fd, Buffer.alloc(4_096));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
  } finally {
    closeSync(fd);
  }
}
