/** A process becomes another program: what that program finds, and what is left of this one when it can't. */
import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { readSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { closeDescriptor, inspect } from './descriptor.js';
import { freeDescriptor } from './exec.js';
import { Memfd } from './memfd.js';
import { reopenToRead } from './reopen.js';

const MODULE = (name: string) => JSON.stringify(new URL(`./${name}.js`, import.meta.url).href);

/** Runs a program of its own, to which `START` is a plain beginning and `become` the call. */
function run(body: string): SpawnSyncReturns<string> {
  const program = `
    import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
    import { replaceProcess, freeDescriptor } from ${MODULE('exec')};
    import { Memfd } from ${MODULE('memfd')};
    import { reopenToRead } from ${MODULE('reopen')};
    const STANDARD = [0, 1, 2].map((fd) => ({ fd, nonBlocking: undefined }));
    const START = { openFiles: undefined, ignoredSignals: 0n, blockedSignals: 0n, descriptors: STANDARD };
    const become = (words, { start = START, environment = ['PATH=' + process.env.PATH], object = 0 } = {}) =>
      replaceProcess({ words, environment, object, target: freeDescriptor(start) }, start);
    ${body}`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.equal(result.signal, null, result.stderr);
  return result;
}

test('a reopened descriptor reads the same bytes at an offset of its own, and can not write', () => {
  using memfd = Memfd.create('test', 0);
  memfd.write(Buffer.from('abcdef'), 0);
  const fd = reopenToRead(memfd.fd);
  try {
    const bytes = Buffer.alloc(4);
    assert.equal(readSync(memfd.fd, bytes, 0, 4, null), 4);
    assert.equal(readSync(fd, bytes, 0, 4, null), 4);
    assert.equal(bytes.toString(), 'abcd');
    assert.equal(inspect(fd).accessMode, 'r');
    assert.throws(() => writeSync(fd, 'x'), { code: 'EBADF' });
  } finally {
    closeDescriptor(fd);
  }
});

test('the object gets the lowest number that the program has free', () => {
  const start = (...fds: number[]) => ({
    openFiles: undefined,
    ignoredSignals: 0n,
    blockedSignals: 0n,
    descriptors: fds.map((fd) => ({ fd, nonBlocking: undefined })),
  });
  assert.equal(freeDescriptor(start(0, 1, 2)), 3);
  assert.equal(freeDescriptor(start()), 3);
  assert.equal(freeDescriptor(start(0, 4, 3, 7)), 5);
});

test('the program inherits the standard descriptors and the object, and nothing else', () => {
  const { stdout, status, stderr } = run(`
    const memfd = Memfd.sealed('test', Buffer.from('the object'));
    become(['sh', '-c', 'ls -l /proc/self/fd; cat <&3'], { object: reopenToRead(memfd.fd) });`);
  assert.equal(status, 0, stderr);
  const links = [...stdout.matchAll(/ (\d+) -> (.*)$/gm)].filter(([, , link = '']) => !link.endsWith('/fd'));
  assert.deepEqual(
    links.map(([, fd]) => fd),
    ['0', '1', '2', '3'],
  );
  assert.match(stdout, / 3 -> \/memfd:test \(deleted\)\nthe object$|the object$/);
});

test('signals, limit and environment are those that are asked for, and arguments are bytes', () => {
  const { stdout } = run(`
    const ignoredSignals = 0b11n | (1n << 16n);
    const blockedSignals = (1n << 11n) | (1n << 40n);
    const environment = [Buffer.from([0x41, 0x3d, 0xff]), 'B='];
    const start = { ...START, ignoredSignals, blockedSignals, openFiles: 123 };
    const files = ['status', 'limits', 'environ', 'cmdline'].map((name) => '/proc/self/' + name);
    become(['cat', ...files, '--', Buffer.from('/proc/self/comm')], { start, environment });`);
  assert.match(stdout, /^SigBlk:\t0000010000000800$/m);
  assert.match(stdout, /^SigIgn:\t0000000000010003$/m);
  assert.match(stdout, /^Max open files +123 /m);
  assert.ok(stdout.includes('A=\ufffd\0B=\0cat\0/proc/self/status\0'), stdout);
});

test('when there is no such program the process is as it was, and learns why', () => {
  const { stdout, status, stderr } = run(`
    // Close-on-exec is what every descriptor beyond the standard ones has afterwards, whoever opened it.
    const CLOSE_ON_EXEC = 0o2000000;
    const flags = (fd) => {
      const all = Number.parseInt(readFileSync('/proc/self/fdinfo/' + fd, 'utf8').match(/flags:\\s+(\\d+)/)[1], 8);
      return fd > 2 ? all | CLOSE_ON_EXEC : all;
    };
    const state = () => ({
      signals: readFileSync('/proc/self/status', 'utf8').match(/^Sig(Blk|Ign|Cgt):.*$/gm),
      limits: readFileSync('/proc/self/limits', 'utf8'),
      descriptors: readdirSync('/proc/self/fd').map((fd) => {
        try {
          return [fd, readlinkSync('/proc/self/fd/' + fd), flags(fd)];
        } catch {
          return [];
        }
      }),
    });
    process.on('SIGTERM', () => undefined);
    const memfd = Memfd.sealed('test', Buffer.from('the object'));
    const object = reopenToRead(memfd.fd);
    const descriptors = STANDARD.map(({ fd }) => ({ fd, nonBlocking: true }));
    const start = { openFiles: 99, ignoredSignals: 1n, blockedSignals: 2n, descriptors };
    const before = state();
    let code;
    try {
      become(['/nonexistent/program'], { start, object });
    } catch (error) {
      code = [error.code, error.errnoName, error.syscall];
    }
    const after = state();
    console.log(JSON.stringify({ before, after, code }));`);
  assert.equal(status, 0, stderr);
  const { before, after, code } = JSON.parse(stdout);
  assert.deepEqual(code, ['ERR_SEALANE_SYSTEM', 'ENOENT', 'execve']);
  assert.ok(before.descriptors.length > 5);
  assert.deepEqual(after, before);
});

test('strings with a zero byte, no program and a closed object are refused, and nothing is changed', () => {
  const { stdout, stderr } = run(`
    const refusal = (call) => {
      try {
        call();
      } catch (error) {
        return error.code;
      }
    };
    console.log(JSON.stringify([
      refusal(() => become(['cat', 'a\\0b'])),
      refusal(() => become(['cat'], { environment: [Buffer.from('A=\\0')] })),
      refusal(() => become([])),
      refusal(() => become(['cat'], { object: 100_000 })),
    ]));`);
  const refused = ['ERR_SEALANE_INVALID_ARGUMENT', 'ERR_SEALANE_INVALID_ARGUMENT', 'ERR_INVALID_ARG_VALUE'];
  assert.deepEqual(JSON.parse(stdout || '[]'), [...refused, 'ERR_SEALANE_SYSTEM'], stderr);
});
