/** Domains: where they lie, which ones are refused, and the lock; between real processes. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { FileLock } from '../../os/lock.js';
import { Domain } from './domain.js';
import { freshDirectory, freshDomain } from './domain.test.helper.js';
import { publishNode } from './node-files.js';

test('a domain is made for its user alone, under the runtime directory or another', (t) => {
  const directory = join(freshDirectory(t), 'own');
  const domain = Domain.open({ name: 'a', directory });
  for (const path of [directory, join(directory, 'domains'), domain.path, domain.nodes, domain.services])
    assert.equal(statSync(path).mode & 0o7777, 0o700, path);
  assert.equal(domain.path, join(directory, 'domains', 'a'));
  const before = process.env.SEALANE_DIR;
  process.env.SEALANE_DIR = directory;
  try {
    assert.equal(Domain.open().path, join(directory, 'domains', 'default'));
  } finally {
    if (before === undefined) delete process.env.SEALANE_DIR;
    else process.env.SEALANE_DIR = before;
  }
});

test('a relative directory stays where it was', (t) => {
  const directory = freshDirectory(t);
  const before = process.cwd();
  process.chdir(directory);
  try {
    assert.equal(Domain.open({ directory: 'here' }).directory, join(directory, 'here'));
  } finally {
    process.chdir(before);
  }
});

test('a domain that is only looked at is not made', (t) => {
  const directory = freshDirectory(t);
  assert.equal(Domain.find({ directory }), undefined);
  assert.equal(existsSync(join(directory, 'domains')), false);
  Domain.open({ directory });
  assert.ok(Domain.find({ directory }));
  assert.equal(Domain.find({ directory, name: 'other' }), undefined);
});

test('names that lead elsewhere are refused', (t) => {
  const directory = freshDirectory(t);
  for (const name of ['..', '../x', 'a/b', '', '.a', 'x'.repeat(33), 'a\0b'])
    assert.throws(() => Domain.open({ directory, name }), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
      message: /domain/,
    });
  assert.throws(() => Domain.open({ directory: 'a\0b' }), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('a directory that is not ours alone is refused, at every level', (t) => {
  const unsafe = { code: 'ERR_SEALANE_UNSAFE_DIRECTORY' };
  for (const level of ['domains', 'domains/default', 'domains/default/nodes', 'domains/default/services']) {
    const directory = freshDirectory(t);
    const domain = Domain.open({ directory });
    const path = join(directory, level);
    chmodSync(path, 0o770);
    assert.throws(() => Domain.open({ directory }), unsafe, level);
    assert.throws(() => Domain.find({ directory }), unsafe, level);
    rmSync(path, { recursive: true });
    symlinkSync(freshDirectory(t), path);
    assert.throws(() => Domain.open({ directory }), unsafe, level);
    rmSync(path);
    writeFileSync(path, '');
    assert.throws(() => Domain.open({ directory }), unsafe, level);
    rmSync(path);
    assert.equal(Domain.open({ directory }).path, domain.path);
  }
});

test('a directory under which a socket would have too long a path is refused with the length that fits', (t) => {
  const parent = freshDirectory(t);
  const fits = 63 - Buffer.byteLength(parent) - 1;
  const longest = join(parent, 'd'.repeat(fits));
  const node = publishNode(Domain.open({ directory: longest }), 'node');
  assert.equal(Buffer.byteLength(Domain.open({ directory: longest }).nodeSocket(node.id)), 107);
  node.close();
  assert.throws(() => Domain.open({ directory: `${longest}d` }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /directory must have at most 63 bytes.*have 108.*allows 107.*SEALANE_DIR/,
  });
  assert.equal(existsSync(`${longest}d`), false);
  assert.throws(() => Domain.open({ directory: longest, name: 'default9' }), /at most 62 bytes/);
});

test('the lock is given back whatever happens, and is not taken twice', (t) => {
  const domain = freshDomain(t);
  assert.equal(
    domain.locked(() => 7),
    7,
  );
  assert.throws(() => domain.locked(() => assert.fail('on purpose')), /on purpose/);
  assert.throws(() => domain.locked(() => domain.locked(() => 7)), { code: 'ERR_SEALANE_INTERNAL' });
  assert.throws(() => domain.requireLock(), { code: 'ERR_SEALANE_INTERNAL' });
  domain.locked(() => domain.requireLock());
});

test('while another holds the lock, who must have it waits, and who need not does not', async (t) => {
  const domain = freshDomain(t);
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ Domain }) => {
      const domain = Domain.open({ directory: workerData.directory });
      parentPort.postMessage(domain.tryLocked(() => 1) === undefined ? 'refused' : 'had');
      parentPort.postMessage(domain.locked(() => 'had'));
    });`;
  const lock = FileLock.tryAcquire(join(domain.path, 'lock'));
  assert.ok(lock);
  const module = new URL('./domain.js', import.meta.url).href;
  const worker = new Worker(program, { eval: true, workerData: { module, directory: domain.directory } });
  const said: unknown[] = [];
  await new Promise<void>((resolve) => {
    worker.on('message', (word) => {
      said.push(word);
      if (said.length === 1) lock.close();
      else resolve();
    });
  });
  assert.deepEqual(said, ['refused', 'had']);
  await worker.terminate();
});

test('a lock that nobody gives back is an error that says what to do', (t) => {
  const domain = freshDomain(t);
  using lock = FileLock.tryAcquire(join(domain.path, 'lock'));
  assert.ok(lock);
  assert.throws(() => domain.locked(() => assert.fail('it is held')), {
    code: 'ERR_SEALANE_TIMEOUT',
    message: /held the lock of the domain, .*\/lock, for 10 seconds.*lslocks/,
  });
});

test('a lock that is no file is an error, and so is a domain that was removed', (t) => {
  const domain = freshDomain(t);
  mkdirSync(join(domain.path, 'lock'));
  assert.throws(() => domain.locked(() => 0), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EISDIR' });
  rmSync(domain.path, { recursive: true });
  assert.throws(() => domain.locked(() => 0), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'ENOENT' });
});
