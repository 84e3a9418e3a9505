/** Directories that are watched while files come and go in them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SealaneError } from '../base/errors.js';
import { Inotify, type InotifyEvent, parseInotify } from './inotify.js';
import { Readiness } from './readiness.js';
import { Watcher } from './watcher.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-inotify-'));
after(() => rmSync(folder, { recursive: true }));
let folders = 0;

function newFolder(): string {
  const path = join(folder, String(folders++));
  mkdirSync(path);
  return path;
}

function hasErrno(name: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.errnoName === name;
}

/** All events that there are, as watch, kind and name. */
function readAll(inotify: Inotify): string[] {
  const all: InotifyEvent[] = [];
  for (let events = inotify.read(); events !== undefined; events = inotify.read()) all.push(...events);
  return all.map(({ watch, kind, name }) => `${watch} ${kind} ${name}`.trim());
}

test('names appear when they are made, linked or moved there, and vanish when they are deleted or moved away', () => {
  using inotify = Inotify.open();
  const [one, two] = [newFolder(), newFolder()];
  const first = inotify.watch(one);
  const second = inotify.watch(two);
  assert.equal(inotify.read(), undefined);
  writeFileSync(join(one, 'made'), 'content');
  linkSync(join(one, 'made'), join(two, 'linked'));
  mkdirSync(join(one, 'folder'));
  renameSync(join(one, 'made'), join(two, 'moved'));
  unlinkSync(join(two, 'linked'));
  rmdirSync(join(one, 'folder'));
  assert.deepEqual(readAll(inotify), [
    `${first} appeared made`,
    `${second} appeared linked`,
    `${first} appeared folder`,
    `${first} vanished made`,
    `${second} appeared moved`,
    `${second} vanished linked`,
    `${first} vanished folder`,
  ]);
  assert.equal(inotify.read(), undefined);
});

test('names are told whatever their length and characters, byte by byte as UTF-8', () => {
  using inotify = Inotify.open();
  const path = newFolder();
  const watch = inotify.watch(path);
  const names = ['a', 'x'.repeat(15), 'x'.repeat(16), 'y'.repeat(255), 'Mädchen 🎥', '\n'];
  for (const name of names) writeFileSync(join(path, name), '');
  writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff])]), '');
  assert.deepEqual(
    readAll(inotify),
    [...names, '\ufffd'].map((name) => `${watch} appeared ${name}`.trim()),
  );
});

test('a directory that is deleted ends its watch, once, and so does unwatch', () => {
  using inotify = Inotify.open();
  const [one, two] = [newFolder(), newFolder()];
  const first = inotify.watch(one);
  const second = inotify.watch(two);
  rmdirSync(one);
  assert.deepEqual(readAll(inotify), [`${first} ended`]);
  inotify.unwatch(first);
  writeFileSync(join(two, 'before'), '');
  inotify.unwatch(second);
  writeFileSync(join(two, 'after'), '');
  assert.deepEqual(readAll(inotify), [`${second} appeared before`, `${second} ended`]);
  assert.equal(inotify.watch(two) !== second, true);
});

test('a directory has one watch, whatever it is called', () => {
  using inotify = Inotify.open();
  const path = newFolder();
  assert.equal(inotify.watch(path), inotify.watch(`${path}/.`));
});

test('only a directory is watched, and no symbolic link followed', () => {
  using inotify = Inotify.open();
  const path = newFolder();
  writeFileSync(join(path, 'file'), '');
  symlinkSync(newFolder(), join(path, 'link'));
  assert.throws(() => inotify.watch(join(path, 'file')), hasErrno('ENOTDIR'));
  assert.throws(() => inotify.watch(join(path, 'link')), hasErrno('ENOTDIR'));
  assert.throws(() => inotify.watch(join(path, 'missing')), hasErrno('ENOENT'));
  assert.throws(() => inotify.watch(''), hasErrno('ENOENT'));
  assert.throws(() => inotify.watch('a\0b'), TypeError);
  assert.throws(() => inotify.watch('x'.repeat(5000)), TypeError);
});

test('its descriptor can be waited for, by a thread that blocks and by the event loop', async () => {
  using inotify = Inotify.open();
  using readiness = Readiness.open();
  const path = newFolder();
  const watch = inotify.watch(path);
  readiness.add(inotify.fd, 1);
  assert.equal(readiness.poll(0), 0);
  writeFileSync(join(path, 'one'), '');
  assert.equal(readiness.poll(100), 1);
  assert.deepEqual(readAll(inotify), [`${watch} appeared one`]);
  const told = new Promise<string[]>((resolve) => {
    const watcher = new Watcher(inotify.fd, () => {
      watcher.close();
      resolve(readAll(inotify));
    });
    watcher.want(true, false);
  });
  writeFileSync(join(path, 'two'), '');
  assert.deepEqual(await told, [`${watch} appeared two`]);
});

test('more events than fit one read come with the next ones', () => {
  using inotify = Inotify.open();
  const path = newFolder();
  const watch = inotify.watch(path);
  const names = Array.from({ length: 200 }, (_, index) => `${index}`.padStart(200, 'x'));
  for (const name of names) writeFileSync(join(path, name), '');
  const first = inotify.read();
  assert(first !== undefined && first.length < 200);
  const rest = readAll(inotify);
  assert.equal(first.length + rest.length, 200);
  assert.equal(rest.at(-1), `${watch} appeared ${names.at(-1)}`);
});

test('events that were lost are told of by an overflow, after those that were kept', (t) => {
  const limit = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'latin1'));
  if (limit > 65_536) return t.skip(`this kernel keeps ${limit} events`);
  using inotify = Inotify.open();
  const path = newFolder();
  inotify.watch(path);
  // The same event twice in a row is one: the names differ by turns.
  const [one, two] = [join(path, 'one'), join(path, 'two')];
  writeFileSync(one, '');
  for (let events = 1; events <= limit; events += 4) {
    renameSync(one, two);
    renameSync(two, one);
  }
  const all = readAll(inotify);
  assert.equal(all.length, limit + 1);
  assert.equal(all.at(-1), '-1 overflow');
});

test('without an instance left it is ERR_SEALANE_EXHAUSTED, and the error says which limit to raise', () => {
  const program = `
    const { Inotify } = await import(${JSON.stringify(new URL('./inotify.js', import.meta.url).href)});
    const { openSync } = await import('node:fs');
    Inotify.open().close();
    try {
      for (;;) openSync('/dev/null', 'r');
    } catch {}
    try {
      Inotify.open();
    } catch (error) {
      console.log(error.code, error.errnoName, /max_user_instances/.test(error.message));
    }`;
  const script = 'ulimit -n 64 && exec "$0" --input-type=module -e "$1"';
  const { stdout, stderr } = spawnSync('sh', ['-c', script, process.execPath, program], { encoding: 'utf8' });
  assert.equal(stdout, 'ERR_SEALANE_EXHAUSTED EMFILE true\n', stderr);
});

test('bytes that are cut off, or lie about the length of a name, are not read past their end', () => {
  const event = Buffer.alloc(32);
  event.writeInt32LE(1, 0);
  event.writeUInt32LE(0x100, 4);
  event.writeUInt32LE(16, 12);
  event.write('name', 16);
  assert.deepEqual(parseInotify(event), [{ watch: 1, name: 'name', kind: 'appeared' }]);
  assert.deepEqual(parseInotify(Buffer.alloc(0)), []);
  const internal = (error: unknown) => error instanceof SealaneError && error.code === 'ERR_SEALANE_INTERNAL';
  for (const length of [1, 15, 16, 31])
    assert.throws(() => parseInotify(event.subarray(0, length)), internal);
  for (const length of [17, 0xffffffff]) {
    event.writeUInt32LE(length, 12);
    assert.throws(() => parseInotify(event), internal);
  }
  event.writeUInt32LE(16, 12);
  event.fill('x', 16);
  assert.deepEqual(parseInotify(event), [{ watch: 1, name: 'x'.repeat(16), kind: 'appeared' }]);
});

test('its descriptor is close-on-exec; closing twice does nothing, and use after it is an error', () => {
  const inotify = Inotify.open();
  const flags = readFileSync(`/proc/self/fdinfo/${inotify.fd}`, 'latin1').match(/flags:\s+(\d+)/)?.[1];
  assert.notEqual(Number.parseInt(String(flags), 8) & 0o2000000, 0);
  inotify.close();
  inotify.close();
  assert(inotify.closed);
  const closed = (error: unknown) => error instanceof SealaneError && error.code === 'ERR_SEALANE_CLOSED';
  for (const use of [
    () => inotify.fd,
    () => inotify.watch('/'),
    () => inotify.unwatch(1),
    () => inotify.read(),
  ]) {
    assert.throws(use, closed);
  }
});
