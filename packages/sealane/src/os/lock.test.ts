/** Locks between real processes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SealaneError } from '../base/errors.js';
import { FileLock } from './lock.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-lock-'));
after(() => rmSync(folder, { recursive: true }));

/** Starts a process that takes the lock and keeps it; resolves with what it said. */
async function lockElsewhere(path: string): Promise<{ child: ChildProcess; said: string }> {
  const module = JSON.stringify(new URL('./lock.js', import.meta.url).href);
  const program = `
    const { FileLock } = await import(${module});
    globalThis.lock = FileLock.tryAcquire(${JSON.stringify(path)});
    console.log(lock === undefined ? 'refused' : 'locked');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return { child, said: said.toString().trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

test('a lock is held by one at a time, and is free again after close', () => {
  const path = join(folder, 'one');
  const lock = FileLock.tryAcquire(path);
  assert(lock !== undefined);
  assert.equal(FileLock.tryAcquire(path), undefined);
  lock.close();
  lock.close();
  assert.equal(lock.closed, true);
  using again = FileLock.tryAcquire(path);
  assert(again !== undefined);
  assert(existsSync(path));
});

test('the file is made for its owner alone, and an existing one keeps its content', () => {
  const path = join(folder, 'made');
  FileLock.tryAcquire(path)?.close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeFileSync(path, 'content');
  FileLock.tryAcquire(path)?.close();
  assert.equal(statSync(path).size, 7);
});

test('another process is refused while this one holds the lock', async () => {
  const path = join(folder, 'refused');
  using lock = FileLock.tryAcquire(path);
  assert(lock !== undefined);
  const { child, said } = await lockElsewhere(path);
  assert.equal(said, 'refused');
  await kill(child);
});

test('the lock of a process that was killed is free', async () => {
  const path = join(folder, 'killed');
  const { child, said } = await lockElsewhere(path);
  assert.equal(said, 'locked');
  assert.equal(FileLock.tryAcquire(path), undefined);
  await kill(child);
  using lock = FileLock.tryAcquire(path);
  assert(lock !== undefined);
});

test('a symbolic link, a missing folder and a folder are refused', () => {
  const hasErrno = (name: string) => (error: unknown) =>
    error instanceof SealaneError && error.errnoName === name;
  const link = join(folder, 'link');
  symlinkSync(join(folder, 'target'), link);
  assert.throws(() => FileLock.tryAcquire(link), hasErrno('ELOOP'));
  assert.equal(existsSync(join(folder, 'target')), false);
  assert.throws(() => FileLock.tryAcquire(join(folder, 'missing', 'lock')), hasErrno('ENOENT'));
  assert.throws(() => FileLock.tryAcquire(folder), hasErrno('EISDIR'));
  assert.throws(() => FileLock.tryAcquire('a\0b'), TypeError);
});
