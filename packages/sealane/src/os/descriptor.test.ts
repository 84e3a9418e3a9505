/** Descriptors of every kind, real ones, and what is said about them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SealaneError } from '../base/errors.js';
import {
  BLOB_SEALS,
  closeDescriptor,
  disposeDescriptor,
  disposeDescriptors,
  disposeMemory,
  duplicate,
  inspect,
  isSealedMemory,
  OwnedDescriptor,
  requireBlobDescriptor,
  SEAL_EXEC,
  SEAL_FUTURE_WRITE,
  SEAL_GROW,
  SEAL_SHRINK,
  SEAL_WRITE,
  sealNames,
} from './descriptor.js';
import { Memfd } from './memfd.js';
import { UnixSocket } from './unix-socket.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-descriptor-'));
after(() => rmSync(folder, { recursive: true }));

const O_PATH = 0o10000000;

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    assert(error instanceof SealaneError, `not a SealaneError: ${error}`);
    return error.code;
  }
  return 'none';
}

function reopen(fd: number, flags: number): number {
  return openSync(`/proc/self/fd/${fd}`, flags);
}

test('inspect tells size, seals, access mode and kind of a memfd', () => {
  using memfd = Memfd.sealed('inspected', Buffer.alloc(5000, 1));
  const info = inspect(memfd.fd);
  assert.equal(info.size, 5000);
  assert.equal(info.fileSystem, 0x01021994);
  assert.equal(info.seals & BLOB_SEALS, BLOB_SEALS);
  assert.equal(info.accessMode, 'rw');
  assert.equal(info.regular, true);
  assert.equal(info.allocatedBytes, 8192);
});

test('inspect names a file by device and inode: the same through two descriptors, another for another file', () => {
  using first = Memfd.create('first');
  using second = Memfd.create('second');
  using again = OwnedDescriptor.duplicate(first.fd);
  const [a, b, c] = [inspect(first.fd), inspect(again.fd), inspect(second.fd)];
  assert.deepEqual([a.device, a.inode], [b.device, b.inode]);
  assert.notDeepEqual([a.device, a.inode], [c.device, c.inode]);
});

test('inspect tells access modes apart', () => {
  using memfd = Memfd.create('modes');
  const modes = [constants.O_RDONLY, constants.O_WRONLY, constants.O_RDWR, O_PATH].map((flags) => {
    const fd = reopen(memfd.fd, flags);
    const { accessMode } = inspect(fd);
    closeSync(fd);
    return accessMode;
  });
  assert.deepEqual(modes, ['r', 'w', 'rw', 'path']);
});

test('inspect of a descriptor that is not open is a system error with EBADF', () => {
  assert.throws(
    () => inspect(2_000_000_000),
    (error: unknown) => error instanceof SealaneError && error.errnoName === 'EBADF' && error.errno === 9,
  );
});

test('inspect of a number that can be no descriptor is a TypeError', () => {
  for (const fd of [-1, 1.5, Number.NaN, 2 ** 31]) assert.throws(() => inspect(fd), TypeError);
});

test('a duplicate is another descriptor of the same file, and is close-on-exec', () => {
  using memfd = Memfd.create('duplicated', 10);
  const copy = duplicate(memfd.fd);
  assert.notEqual(copy, memfd.fd);
  assert.equal(inspect(copy).inode, inspect(memfd.fd).inode);
  const flags = readFileSync(`/proc/self/fdinfo/${copy}`, 'latin1').match(/flags:\s*(\d+)/)?.[1] ?? '0';
  assert.notEqual(Number.parseInt(flags, 8) & 0o2000000, 0);
  closeDescriptor(copy);
  assert.throws(() => inspect(copy));
});

test('closing a descriptor twice is a bug of ours', () => {
  using memfd = Memfd.create('closed twice');
  const copy = duplicate(memfd.fd);
  closeDescriptor(copy);
  assert.equal(
    codeOf(() => closeDescriptor(copy)),
    'ERR_SEALANE_INTERNAL',
  );
});

test('an owned duplicate is closed once, and not usable afterwards', () => {
  using memfd = Memfd.create('owned');
  const owned = OwnedDescriptor.duplicate(memfd.fd);
  const { fd } = owned;
  owned.close();
  owned.close();
  assert.throws(() => readlinkSync(`/proc/self/fd/${fd}`));
  assert.equal(
    codeOf(() => owned.fd),
    'ERR_SEALANE_INTERNAL',
  );
});

test('a sealed memfd is a blob descriptor, also read-only and with more seals', () => {
  using memfd = Memfd.create('blob', 100);
  memfd.seal(BLOB_SEALS | SEAL_EXEC);
  assert.equal(requireBlobDescriptor(memfd.fd, 100).size, 100);
  const fd = reopen(memfd.fd, constants.O_RDONLY);
  assert.equal(requireBlobDescriptor(fd).accessMode, 'r');
  closeSync(fd);
});

test('a missing seal is an error that names exactly what is missing', () => {
  using memfd = Memfd.create('half sealed', 100);
  memfd.seal(SEAL_GROW | SEAL_SHRINK);
  assert.throws(() => requireBlobDescriptor(memfd.fd), /lacks the seals SEAL, WRITE:/);
  assert.equal(
    codeOf(() => requireBlobDescriptor(memfd.fd)),
    'ERR_SEALANE_NOT_SEALED',
  );
  using other = Memfd.create('each');
  for (const seal of [1, SEAL_SHRINK, SEAL_GROW, SEAL_WRITE]) {
    using lacking = Memfd.create('lacking one');
    lacking.seal(BLOB_SEALS & ~seal & ~1);
    assert.equal(
      codeOf(() => requireBlobDescriptor(lacking.fd)),
      'ERR_SEALANE_NOT_SEALED',
    );
  }
  assert.equal(
    codeOf(() => requireBlobDescriptor(other.fd)),
    'ERR_SEALANE_NOT_SEALED',
  );
});

test('a size that differs is an error with both sizes, and is looked at last', () => {
  using memfd = Memfd.sealed('sized', Buffer.alloc(10));
  assert.throws(() => requireBlobDescriptor(memfd.fd, 11), /has 10 bytes, but 11 were stated/);
  assert.equal(
    codeOf(() => requireBlobDescriptor(memfd.fd, 11)),
    'ERR_SEALANE_SIZE_MISMATCH',
  );
  using unsealed = Memfd.create('unsealed', 10);
  assert.equal(
    codeOf(() => requireBlobDescriptor(unsealed.fd, 11)),
    'ERR_SEALANE_NOT_SEALED',
  );
});

test('what is no memfd is refused by name: ordinary file, socket, directory, procfs, device', () => {
  const path = join(folder, 'file');
  writeFileSync(path, 'content');
  const [socket, peer] = UnixSocket.pair();
  peer.close();
  const fds = [path, folder, '/proc/self/status', '/dev/null'].map((each) => openSync(each, 'r'));
  for (const fd of [...fds, socket.fd]) {
    assert.equal(
      codeOf(() => requireBlobDescriptor(fd)),
      'ERR_SEALANE_WRONG_DESCRIPTOR',
      `descriptor ${fd}`,
    );
  }
  assert.throws(() => requireBlobDescriptor(socket.fd), /is a socket, not a memfd/);
  for (const fd of fds) closeSync(fd);
  socket.close();
});

test('a descriptor that can not be read is refused: write-only, O_PATH', () => {
  using memfd = Memfd.sealed('unreadable', Buffer.alloc(10));
  using writable = Memfd.create('for writing', 10);
  const writing = reopen(writable.fd, constants.O_WRONLY);
  const path = reopen(memfd.fd, O_PATH);
  assert.throws(() => requireBlobDescriptor(writing), /writing only/);
  assert.throws(() => requireBlobDescriptor(path), /O_PATH/);
  assert.equal(
    codeOf(() => requireBlobDescriptor(path)),
    'ERR_SEALANE_WRONG_DESCRIPTOR',
  );
  closeSync(writing);
  closeSync(path);
});

/** Opens a descriptor that a Python program made: `code` leaves it in `fd`. A text says why there is none. */
async function fromPython(code: string): Promise<number | string> {
  const program = `import os, sys, fcntl\n${code}\nprint(fd, flush=True)\nsys.stdin.read()`;
  const child = spawn('python3', ['-c', program], { stdio: ['pipe', 'pipe', 'ignore'] });
  const answer = await new Promise<string>((resolve) => {
    child.on('error', () => resolve('there is no python3'));
    child.on('exit', () => resolve('python3 can not make such a descriptor here'));
    child.stdout?.once('data', (data) => resolve(String(data).trim()));
  });
  try {
    return /^\d+$/.test(answer) ? openSync(`/proc/${child.pid}/fd/${answer}`, 'r') : answer;
  } finally {
    child.stdin?.end();
  }
}

test('huge-page memory is refused, sealed or not', async (t) => {
  const code = `fd = os.memfd_create('huge', os.MFD_HUGETLB | os.MFD_ALLOW_SEALING)\nfcntl.fcntl(fd, 1033, ${BLOB_SEALS})`;
  const fd = await fromPython(code);
  if (typeof fd === 'string') return t.skip(fd);
  assert.throws(() => requireBlobDescriptor(fd), /huge-page memory \(hugetlbfs\), not a memfd/);
  closeSync(fd);
});

test('a sparse giant of more than 2^53-1 bytes is refused before anything is done with its size', async (t) => {
  const code = `fd = os.memfd_create('giant', os.MFD_ALLOW_SEALING)\nos.ftruncate(fd, 2**63 - 1)\nfcntl.fcntl(fd, 1033, ${BLOB_SEALS})`;
  const fd = await fromPython(code);
  if (typeof fd === 'string') return t.skip(fd);
  assert.equal(
    codeOf(() => inspect(fd)),
    'ERR_SEALANE_WRONG_DESCRIPTOR',
  );
  assert.equal(
    codeOf(() => requireBlobDescriptor(fd)),
    'ERR_SEALANE_WRONG_DESCRIPTOR',
  );
  closeSync(fd);
});

test('what is disposed of is closed, whatever it is', async () => {
  const before = readdirSync('/proc/self/fd').length;
  const [one, two] = UnixSocket.pair();
  const large = Memfd.create('large', 0);
  large.write(Buffer.alloc(2_097_152), 0);
  disposeDescriptors([duplicate(one.fd), duplicate(two.fd), openSync('/dev/null', 'r'), openSync('/', 'r')]);
  disposeDescriptors([Memfd.sealed('small', Buffer.alloc(1)).release(), large.release()]);
  one.close();
  while (two.receive(Buffer.alloc(1)) === 'empty') await nextTurn();
  two.close();
  while (readdirSync('/proc/self/fd').length > before) await nextTurn();
});

test('a thousand descriptors are disposed of at once', async () => {
  const before = readdirSync('/proc/self/fd').length;
  disposeDescriptors(Array.from({ length: 1_000 }, () => openSync('/dev/null', 'r')));
  while (readdirSync('/proc/self/fd').length > before) await nextTurn();
});

test('sealed memory is told from all else', async (t) => {
  const seals = SEAL_SHRINK | SEAL_GROW;
  using sealed = Memfd.sealed('sealed', Buffer.alloc(5));
  using open = Memfd.create('open', 5);
  assert.equal(isSealedMemory(sealed.fd, seals), true);
  assert.equal(isSealedMemory(sealed.fd, seals | SEAL_FUTURE_WRITE), false);
  assert.equal(isSealedMemory(open.fd, seals), false);
  const [readOnly, writeOnly, path, file] = [
    reopen(sealed.fd, constants.O_RDONLY),
    reopen(open.fd, constants.O_WRONLY),
    reopen(sealed.fd, O_PATH),
    openSync('/dev/null', 'r'),
  ] as const;
  open.seal(BLOB_SEALS);
  assert.equal(isSealedMemory(readOnly, seals), true);
  for (const other of [writeOnly, path, file, 1_000_000]) assert.equal(isSealedMemory(other, seals), false);
  for (const fd of [readOnly, writeOnly, path, file]) closeSync(fd);
  const code = `fd = os.memfd_create('huge', os.MFD_HUGETLB | os.MFD_ALLOW_SEALING)\nfcntl.fcntl(fd, 1033, ${BLOB_SEALS})`;
  const huge = await fromPython(code);
  if (typeof huge === 'string') return t.diagnostic(`without huge pages: ${huge}`);
  assert.equal(isSealedMemory(huge, seals), false);
  closeSync(huge);
});

test('memory that is disposed of, of whatever size and however much at once, is closed', async () => {
  const before = readdirSync('/proc/self/fd').length;
  using large = Memfd.create('large', 0);
  large.write(Buffer.alloc(2_097_152), 0);
  for (let round = 0; round < 3; round++) {
    disposeMemory(Array.from({ length: 200 }, () => duplicate(large.fd)));
    disposeMemory([Memfd.sealed('small', Buffer.alloc(1)).release()]);
    disposeDescriptors([openSync('/dev/null', 'r')]);
  }
  while (readdirSync('/proc/self/fd').length > before + 1) await nextTurn();
});

test('what is not open can not be disposed of', () => {
  const fd = openSync('/dev/null', 'r');
  closeSync(fd);
  assert.equal(
    codeOf(() => disposeDescriptor(fd)),
    'ERR_SEALANE_SYSTEM',
  );
});

test('seals are named in messages', () => {
  assert.equal(sealNames(SEAL_WRITE | SEAL_GROW), 'GROW, WRITE');
  assert.equal(sealNames(0), 'none');
});
