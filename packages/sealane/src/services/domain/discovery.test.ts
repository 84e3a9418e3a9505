/** What appears and vanishes is told once, whoever serves the watch; also after floods, removals, and without inotify. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Change, DomainWatch, ServiceWatch } from './discovery.js';
import { freshDirectory, freshDomain, freshNode, holder, kill } from './domain.test.helper.js';
import { listNodes } from './listing.js';
import { PUBLISH_SUBSCRIBE } from './messaging.js';
import { serviceFolderName } from './names.js';

const NODE = '0123456789abcdef';
const port = (number: number) => `${NODE}-${number.toString(16).padStart(8, '0')}.pub`;

/** A watch of a folder, and what it told, as `+name` and `-name`. */
function watched(
  t: TestContext,
  folder: string,
): { watch: ServiceWatch; told: string[]; next: () => Promise<void> } {
  const told: string[] = [];
  let wake: () => void = () => undefined;
  const watch = new ServiceWatch(folder, ({ what, name }) => {
    told.push(`${what === 'appeared' ? '+' : '-'}${name}`);
    wake();
  });
  t.after(() => watch.close());
  return { watch, told, next: () => held(new Promise((resolve) => (wake = resolve))) };
}

/** Awaits with the event loop kept alive, as watches don't. */
async function held(promise: Promise<void>): Promise<void> {
  const hold = setInterval(() => undefined, 60_000);
  await promise.finally(() => clearInterval(hold));
}

const make = (folder: string, name: string) => writeFileSync(join(folder, name), '');
const remove = (folder: string, name: string) => rmSync(join(folder, name));

function openInotifyCount(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:inotify';
    } catch {
      return false;
    }
  }).length;
}

test('what is there is told at once, and what comes and goes when it is served, without an event loop', (t) => {
  const folder = freshDirectory(t);
  make(folder, NODE);
  const { watch, told } = watched(t, folder);
  assert.deepEqual(told, [`+${NODE}`]);
  make(folder, port(1));
  remove(folder, NODE);
  assert.equal(told.length, 1);
  watch.serve();
  assert.deepEqual(told.slice(1), [`+${port(1)}`, `-${NODE}`]);
  watch.serve();
  watch.scan();
  assert.equal(told.length, 3);
});

test('the event loop serves it', async (t) => {
  const folder = freshDirectory(t);
  const { told, next } = watched(t, folder);
  const change = next();
  make(folder, port(1));
  await change;
  assert.deepEqual(told, [`+${port(1)}`]);
});

test('files that stand for nothing are not told of', (t) => {
  const folder = freshDirectory(t);
  const { watch, told } = watched(t, folder);
  for (const name of ['service.json', `${port(1)}.new`, 'x', `${NODE}0`, '\u001b[31m']) make(folder, name);
  watch.serve();
  watch.scan();
  assert.deepEqual(told, []);
});

test('a scan tells what nobody was told, and what is served later is not told twice', (t) => {
  const folder = freshDirectory(t);
  const { watch, told } = watched(t, folder);
  make(folder, port(1));
  make(folder, port(2));
  remove(folder, port(2));
  watch.scan();
  watch.serve();
  assert.deepEqual(told, [`+${port(1)}`]);
  remove(folder, port(1));
  watch.scan();
  watch.serve();
  assert.deepEqual(told, [`+${port(1)}`, `-${port(1)}`]);
});

test('what was removed and made again is told of as both', (t) => {
  const folder = freshDirectory(t);
  make(folder, port(1));
  const { watch, told } = watched(t, folder);
  remove(folder, port(1));
  make(folder, port(1));
  watch.serve();
  assert.deepEqual(told, [`+${port(1)}`, `-${port(1)}`, `+${port(1)}`]);
});

test('all watches of a thread share one instance, which ends with the last', (t) => {
  const before = openInotifyCount();
  const folders = [freshDirectory(t), freshDirectory(t)];
  const [first, second, third] = [0, 1, 1].map((index) => watched(t, folders[index] as string));
  assert.ok(first && second && third);
  assert.equal(openInotifyCount(), before + 1);
  assert.equal(first.watch.fd, third.watch.fd);
  make(folders[1] as string, port(1));
  first.watch.serve();
  assert.deepEqual([first.told, second.told, third.told], [[], [`+${port(1)}`], [`+${port(1)}`]]);
  second.watch.close();
  second.watch.close();
  remove(folders[1] as string, port(1));
  third.watch.serve();
  assert.deepEqual(third.told, [`+${port(1)}`, `-${port(1)}`]);
  assert.equal(second.told.length, 1);
  first.watch.close();
  third.watch.close();
  assert.equal(openInotifyCount(), before);
  assert.throws(() => third.watch.serve(), { code: 'ERR_SEALANE_CLOSED' });
});

test('a listener may close every watch, its own too', (t) => {
  const folder = freshDirectory(t);
  const told: Change[] = [];
  const closeAll = (change: Change) => {
    told.push(change);
    for (const watch of watches) watch.close();
  };
  const watches = [1, 2, 3].map(() => new ServiceWatch(folder, closeAll));
  make(folder, port(1));
  make(folder, port(2));
  watches[0]?.serve();
  assert.equal(told.length, 1);
});

test('a listener that serves or scans in between gets a consistent picture', (t) => {
  const folder = freshDirectory(t);
  const there = new Set<string>();
  const watch = new ServiceWatch(folder, ({ what, name }) => {
    if (what === 'appeared') there.add(name);
    else there.delete(name);
    if (there.size === 2) remove(folder, name);
    watch.serve();
    watch.scan();
  });
  t.after(() => watch.close());
  make(folder, port(1));
  make(folder, port(2));
  watch.serve();
  watch.serve();
  assert.equal(there.size, 1);
  assert.deepEqual([...there], readdirSync(folder));
});

test('a listener that serves is not called before it returns, and hears of what it caused then', (t) => {
  const folder = freshDirectory(t);
  const told: string[] = [];
  let running = 0;
  const watch = new ServiceWatch(folder, ({ name }) => {
    running += 1;
    assert.equal(running, 1);
    told.push(name);
    if (told.length < 5) make(folder, port(told.length));
    watch.serve();
    running -= 1;
  });
  t.after(() => watch.close());
  make(folder, port(0));
  watch.serve();
  assert.deepEqual(told, [0, 1, 2, 3, 4].map(port));
});

test('a folder that was removed has nothing in it any more, and is found again when it is made again', async (t) => {
  const folder = join(freshDirectory(t), 'service');
  mkdirSync(folder);
  make(folder, port(1));
  const { watch, told, next } = watched(t, folder);
  rmSync(folder, { recursive: true });
  watch.serve();
  assert.deepEqual(told, [`+${port(1)}`, `-${port(1)}`]);
  const change = next();
  mkdirSync(folder);
  make(folder, port(2));
  await change;
  assert.deepEqual(told.slice(2), [`+${port(2)}`]);
  remove(folder, port(2));
  watch.serve();
  assert.deepEqual(told.slice(3), [`-${port(2)}`]);
});

test('a folder in whose place there is a file is looked for again', async (t) => {
  const folder = join(freshDirectory(t), 'service');
  writeFileSync(folder, '');
  const { told, next } = watched(t, folder);
  const change = next();
  mkdirSync(`${folder}.new`);
  make(`${folder}.new`, NODE);
  rmSync(folder);
  renameSync(`${folder}.new`, folder);
  await change;
  assert.deepEqual(told, [`+${NODE}`]);
});

test('after more events than the kernel keeps, everything is as it is', (t) => {
  const kept = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
  if (kept > 100_000) return t.skip(`the kernel keeps ${kept} events here`);
  const folder = freshDirectory(t);
  const there = new Set<string>();
  const watch = new ServiceWatch(folder, ({ what, name }) => {
    if (what === 'appeared') there.add(name);
    else there.delete(name);
  });
  t.after(() => watch.close());
  // Each makes two events; the numbers differ, since the kernel counts the same event twice in a row once.
  for (let round = 0; round <= kept / 2; round++) {
    make(folder, port(round));
    remove(folder, port(round));
  }
  make(folder, NODE);
  watch.serve();
  assert.deepEqual([...there], [NODE]);
});

test('nodes and services of a domain are told of: those that are there, that come, and that died once somebody removes them', async (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  const told: string[] = [];
  const watch = new DomainWatch(domain, ({ what, kind, name }) => told.push(`${what} ${kind} ${name}`));
  t.after(() => watch.close());
  assert.deepEqual(told, [`appeared node ${node.node}`]);
  const service = node.create(PUBLISH_SUBSCRIBE, 'x');
  watch.serve();
  service.close();
  watch.serve();
  assert.deepEqual(told.slice(1), [
    `appeared service ${serviceFolderName('x')}`,
    `vanished service ${serviceFolderName('x')}`,
  ]);
  const child = await holder(t, domain, 'y');
  watch.serve();
  const other = listNodes(domain).find(({ id }) => id !== node.node)?.id;
  assert.deepEqual(told.slice(3).sort(), [
    `appeared node ${other}`,
    `appeared service ${serviceFolderName('y')}`,
  ]);
  await kill(child);
  listNodes(domain);
  watch.serve();
  assert.deepEqual(told.slice(5).sort(), [
    `vanished node ${other}`,
    `vanished service ${serviceFolderName('y')}`,
  ]);
});

test('a worker watches with an instance of its own, and can be terminated', async (t) => {
  const folder = freshDirectory(t);
  const module = JSON.stringify(new URL('./discovery.js', import.meta.url).href);
  const program = `
    const { parentPort } = require('node:worker_threads');
    import(${module}).then(({ ServiceWatch }) => {
      globalThis.watch = new ServiceWatch(${JSON.stringify(folder)}, ({ name }) => parentPort.postMessage(name));
      parentPort.on('message', () => undefined);
      parentPort.postMessage('ready');
    });`;
  const before = openInotifyCount();
  const worker = new Worker(program, { eval: true });
  assert.deepEqual(await once(worker, 'message'), ['ready']);
  const change = once(worker, 'message');
  make(folder, port(1));
  assert.deepEqual(await change, [port(1)]);
  await worker.terminate();
  assert.equal(openInotifyCount(), before);
});

/** A program that has no descriptor left when it begins to watch, then some; prints what it is told of a file that it makes. */
function programWithoutInotify(folder: string): string {
  const [discovery, inotify] = ['./discovery.js', '../../os/inotify.js'].map((name) =>
    JSON.stringify(new URL(name, import.meta.url).href),
  );
  return `
    const { ServiceWatch } = await import(${discovery});
    const { Inotify } = await import(${inotify});
    const { writeFileSync } = await import('node:fs');
    const taken = [];
    try { for (;;) taken.push(Inotify.open()); } catch (error) { console.log(error.code); }
    const hold = setInterval(() => undefined, 1000);
    const watch = new ServiceWatch(${JSON.stringify(folder)}, ({ what, name }) => {
      console.log(what, name, watch.fd);
      watch.close();
      clearInterval(hold);
    });
    for (const inotify of taken) inotify.close();
    writeFileSync(${JSON.stringify(join(folder, port(1)))}, '');`;
}

test('without an inotify instance the folder is looked into from time to time', (t) => {
  const folder = freshDirectory(t);
  // Fewer descriptors than instances: the limit of instances is the whole user's, and others need theirs.
  const limited = 'ulimit -n 400; exec "$0" --input-type=module -e "$1"';
  const words = ['-c', limited, process.execPath, programWithoutInotify(folder)];
  const { stdout, stderr } = spawnSync('sh', words, { encoding: 'utf8' });
  assert.equal(stdout, `ERR_SEALANE_EXHAUSTED\nappeared ${port(1)} undefined\n`, stderr);
});
