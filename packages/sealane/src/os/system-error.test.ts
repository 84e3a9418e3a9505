/** Errors of the kernel, as they come from the addon, and what becomes of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { isNativeError, systemError } from './system-error.js';

function caught(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** An error as the addon throws it. */
function nativeError(code: string, errno: number, syscall: string): Error {
  return Object.assign(new Error(`${syscall}: ${code}`), { code, errno, syscall });
}

test('a failed system call carries number, name and call, and the addon error as its cause', () => {
  const native = caught(() => addon().duplicate(2_000_000_000, false));
  assert(isNativeError(native));
  assert(isNativeError(native, 'EBADF'));
  assert(!isNativeError(native, 'EMFILE'));
  const error = systemError(native, 'duplicating it');
  assert(error instanceof SealaneError);
  assert.deepEqual(
    [error.code, error.errno, error.errnoName, error.syscall],
    ['ERR_SEALANE_SYSTEM', 9, 'EBADF', 'fcntl'],
  );
  assert.equal(error.cause, native);
  assert.match(error.message, /^duplicating it failed: fcntl: .*\(EBADF\)/);
});

test('what is used up has a code of its own, whatever code was asked for', () => {
  for (const [name, errno] of [
    ['EMFILE', 24],
    ['ENFILE', 23],
    ['ENOMEM', 12],
    ['ENOSPC', 28],
    ['EFBIG', 27],
  ] as const) {
    const error = systemError(nativeError(name, errno, 'open'), 'opening', 'ERR_SEALANE_CONNECTION_LOST');
    assert(error instanceof SealaneError);
    assert.equal(error.code, 'ERR_SEALANE_EXHAUSTED');
    assert.equal(error.errnoName, name);
  }
});

test('a mapping that finds no memory hints at the limit of mappings', () => {
  const error = systemError(nativeError('ENOMEM', 12, 'mmap'), 'mapping');
  assert.match(String(error), /vm\.max_map_count/);
  assert.doesNotMatch(
    String(systemError(nativeError('ENOMEM', 12, 'malloc'), 'copying')),
    /vm\.max_map_count/,
  );
});

test('other errors stay what they are: wrong arguments, and errors of our own', () => {
  const wrong = caught(() => addon().duplicate(-1, false));
  assert(wrong instanceof TypeError);
  assert.equal(systemError(wrong, 'anything'), wrong);
  const own = new SealaneError('ERR_SEALANE_CLOSED', 'closed');
  assert.equal(systemError(own, 'anything'), own);
  assert.equal(systemError('text', 'anything'), 'text');
});

test('an error number that libuv has no name for still has one', () => {
  const [, second] = [addon().socketPair(false), addon().scratch[1] as number];
  const first = addon().scratch[0] as number;
  const error = caught(() => addon().memfdSeal(first, 1));
  assert(isNativeError(error, 'EINVAL'), String(error));
  addon().close(first);
  addon().close(second);
});
