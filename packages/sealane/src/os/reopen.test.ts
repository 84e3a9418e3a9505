/** Second openings of a file: what they can do, and who closes them in a worker. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isSealaneError } from '../base/errors.js';
import { closeDescriptor, inspect } from './descriptor.js';
import { Memfd } from './memfd.js';
import { reopen, reopenToRead } from './reopen.js';

const MODULE = (name: string) => JSON.stringify(new URL(`./${name}.js`, import.meta.url).href);

/** Blocking and close-on-exec, as fdinfo shows it. */
function flagsOf(fd: number): number {
  return Number.parseInt(
    /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '',
    8,
  );
}

test('a reopened descriptor is another opening of the same file; one that is not open is an error', () => {
  using memfd = Memfd.sealed('test', Buffer.from('x'));
  const again = reopen(memfd.fd);
  assert.equal(inspect(again).inode, inspect(memfd.fd).inode);
  assert.equal(inspect(again).accessMode, 'rw');
  closeDescriptor(again);
  assert.throws(
    () => reopen(again),
    (error) =>
      isSealaneError(error, 'ERR_SEALANE_SYSTEM') && error.errnoName === 'ENOENT' && error.errno === 2,
  );
  assert.throws(
    () => reopenToRead(again),
    (error) => isSealaneError(error, 'ERR_SEALANE_SYSTEM') && error.errnoName === 'EBADF',
  );
});

test('a reopened descriptor is blocking and close-on-exec', () => {
  const O_NONBLOCK = 0o4000;
  const O_CLOEXEC = 0o2000000;
  using memfd = Memfd.sealed('test', Buffer.from('x'));
  for (const fd of [reopen(memfd.fd), reopenToRead(memfd.fd)]) {
    assert.equal(flagsOf(fd) & (O_NONBLOCK | O_CLOEXEC), O_CLOEXEC);
    closeDescriptor(fd);
  }
});

test('what a worker reopened and closed is not closed once more at its end, when the number is another file', async () => {
  const program = `
    const { parentPort } = require('node:worker_threads');
    (async () => {
      const { Memfd } = await import(${MODULE('memfd')});
      const { closeDescriptor } = await import(${MODULE('descriptor')});
      const { reopen, reopenToRead } = await import(${MODULE('reopen')});
      const memfd = Memfd.create('test', 10);
      const fds = [reopen(memfd.fd), reopenToRead(memfd.fd)];
      for (const fd of fds) closeDescriptor(fd);
      parentPort.postMessage(fds);
      parentPort.once('message', () => undefined);
    })();`;
  const worker = new Worker(program, { eval: true });
  const [numbers] = (await once(worker, 'message')) as [number[]];
  const opened = new Set<number>();
  while (numbers.some((fd) => !opened.has(fd))) opened.add(openSync('/dev/null', 'r'));
  worker.postMessage('end');
  await once(worker, 'exit');
  for (const fd of opened) assert.ok(fstatSync(fd).isCharacterDevice());
  for (const fd of opened) closeSync(fd);
});
