// Objects whose publisher holds a lease on their memory, which keeps who opens it anew waiting: nobody waits.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Bus } from 'sealane';
import { BLOB_SEALS, inspect, Memfd } from 'sealane/internal';
import { TestBroker } from './bus.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Why there is no C program that takes a lease; undefined when there is one. */
function build(): string | undefined {
  const run = spawnSync(process.execPath, [join(root, 'scripts', 'build-peers.mjs')], { encoding: 'utf8' });
  return run.status === 0 ? undefined : run.stderr.trim();
}

const skip = build() ?? false;

/**
 * Puts an object that nobody can open anew for 45 seconds; gives its inode. The kernel grants a lease to the only opening of a file.
 */
async function putLeased(bus: Bus, name: string): Promise<number | bigint> {
  const memfd = Memfd.create('leased');
  memfd.write(Buffer.from('leased'), 0);
  memfd.seal(BLOB_SEALS);
  const fd = openSync(`/proc/self/fd/${memfd.fd}`, constants.O_RDONLY);
  memfd.close();
  const { status, stderr } = spawnSync(join(root, '.cache', 'peers', 'lease'), {
    stdio: [fd, 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  await bus.adopt({ fd }, { name });
  const { inode } = inspect(fd);
  closeSync(fd);
  return inode;
}

/** A program beside this one, which serves the broker meanwhile. */
async function run(file: string, args: string[]): Promise<{ status: number; output: string }> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const [status] = await once(child, 'close');
  return { status, output };
}

// Whoever waited for the lease would succeed when the kernel breaks it.
test('a broker does not wait for a lease when a memfdbus client gets the object: it refuses', {
  skip,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-leases-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const memfdbus = join(folder, 'memfdbus.sock');
  await using broker = await TestBroker.start({ memfdbusSocket: memfdbus });
  const bus = await broker.connect();
  await putLeased(bus, 'leased');
  const client = join(root, '.cache', 'peers', 'memfdbus_client');
  const { status, output } = await run(client, [memfdbus, 'get', 'name', 'leased', join(folder, 'out')]);
  assert.equal(output, 'broker error: failed to reopen object fd\n');
  assert.equal(status, 1);
  using blob = await bus.get('leased');
  assert.equal(blob.text(), 'leased');
});

test('sealane exec does not wait for a lease: the program runs while it is still held', {
  skip,
}, async () => {
  await using broker = await TestBroker.start();
  const inode = await putLeased(await broker.connect(), 'leased');
  const command = join(root, 'packages', 'cli', 'bin', 'sealane.js');
  const script = 'cat <&"$SEALANE_FD"; grep LEASE /proc/locks';
  const args = ['--socket', broker.socket, 'exec', 'leased', '--', 'sh', '-c', script];
  const { output } = await run(process.execPath, [command, ...args]);
  assert.match(output, /^leased/);
  assert.match(output, new RegExp(`:${inode} `));
});
