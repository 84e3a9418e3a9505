/** Where the runtime directory is, and which ones are refused. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SealaneError } from '../base/errors.js';
import {
  checkRuntimeDirectory,
  defaultSocketPath,
  ensureRuntimeDirectory,
  runtimeDirectoryPath,
} from './runtime-directory.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-runtime-'));
after(() => rmSync(folder, { recursive: true }));

const uid = process.geteuid?.() ?? -1;

function isUnsafe(pattern: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof SealaneError &&
    error.code === 'ERR_SEALANE_UNSAFE_DIRECTORY' &&
    pattern.test(error.message);
}

test('the directory is the chosen one, else that of the session, else that of the user', () => {
  assert.equal(runtimeDirectoryPath({ SEALANE_DIR: '/chosen', XDG_RUNTIME_DIR: '/session' }), '/chosen');
  assert.equal(runtimeDirectoryPath({ XDG_RUNTIME_DIR: '/session' }), '/session/sealane');
  assert.equal(runtimeDirectoryPath({ SEALANE_DIR: '', XDG_RUNTIME_DIR: '/session' }), '/session/sealane');
  const fallback = existsSync(`/run/user/${uid}`) ? `/run/user/${uid}/sealane` : `/tmp/sealane-${uid}`;
  assert.equal(runtimeDirectoryPath({}), fallback);
  assert.equal(runtimeDirectoryPath({ SEALANE_DIR: '', XDG_RUNTIME_DIR: '' }), fallback);
});

test('the socket is the chosen one, else broker.sock in the directory', () => {
  assert.equal(defaultSocketPath({ SEALANE_SOCKET: '/a/socket', SEALANE_DIR: '/chosen' }), '/a/socket');
  assert.equal(defaultSocketPath({ SEALANE_SOCKET: '', SEALANE_DIR: '/chosen' }), '/chosen/broker.sock');
});

test('a missing directory is made for its owner alone, whatever the umask, and is fine the next time', () => {
  const path = join(folder, 'new');
  const before = process.umask(0);
  try {
    ensureRuntimeDirectory(path);
  } finally {
    process.umask(before);
  }
  assert.equal(statSync(path).mode & 0o7777, 0o700);
  ensureRuntimeDirectory(path);
  assert.deepEqual(checkRuntimeDirectory(path), { path, exists: true, problem: undefined });
});

test('a directory that lets others in is refused, with its mode and the remedy', () => {
  const path = join(folder, 'open');
  mkdirSync(path);
  for (const mode of [0o701, 0o710, 0o755, 0o777]) {
    chmodSync(path, mode);
    assert.throws(
      () => ensureRuntimeDirectory(path),
      isUnsafe(new RegExp(`mode 0${mode.toString(8)}.*chmod`)),
    );
  }
  assert.match(checkRuntimeDirectory(path).problem ?? '', /mode 0777/);
  chmodSync(path, 0o700);
  ensureRuntimeDirectory(path);
});

test('a symbolic link and a file are refused', () => {
  const target = join(folder, 'target');
  const link = join(folder, 'link');
  const file = join(folder, 'file');
  mkdirSync(target, { mode: 0o700 });
  symlinkSync(target, link);
  writeFileSync(file, '');
  assert.throws(() => ensureRuntimeDirectory(link), isUnsafe(/symbolic link.*SEALANE_DIR/));
  assert.throws(() => ensureRuntimeDirectory(file), isUnsafe(/not a directory.*SEALANE_DIR/));
});

test("somebody else's directory is refused", () => {
  // Root can give one away; an ordinary user finds one of root's.
  const path = uid === 0 ? join(folder, 'foreign') : '/';
  if (uid === 0) {
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, 65_533, 65_533);
  }
  const owner = uid === 0 ? 65_533 : 0;
  assert.throws(
    () => ensureRuntimeDirectory(path),
    isUnsafe(new RegExp(`belongs to user ${owner}.*user ${uid}`)),
  );
});

test('a directory that can not be made is a system error that names the remedy, and looking at it makes none', () => {
  const path = join(folder, 'missing', 'directory');
  assert.throws(
    () => ensureRuntimeDirectory(path),
    (error) =>
      error instanceof SealaneError &&
      error.errnoName === 'ENOENT' &&
      error.errno === 2 &&
      /SEALANE_DIR/.test(error.message),
  );
  assert.deepEqual(checkRuntimeDirectory(path), { path, exists: false, problem: undefined });
  const below = join(folder, 'plain', 'directory');
  writeFileSync(join(folder, 'plain'), '');
  assert.match(checkRuntimeDirectory(below).problem ?? '', /ENOTDIR/);
});
