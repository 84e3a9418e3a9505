/** The codec against spec/vectors: files that know nothing of it, and that clients in other languages are tested with as well. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isSealaneError } from '../base/errors.js';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  type Request,
  type Response,
} from './index.js';
import { bytesOf, ROOT, readVectors, type Vector } from './vectors.test.helper.js';

interface Accepted extends Vector<unknown> {
  readonly of: 'request' | 'response';
}

interface Refused extends Omit<Accepted, 'message'> {
  readonly reason: string;
  readonly byte?: number;
}

function decode(of: 'request' | 'response', hex: readonly string[]): unknown {
  return of === 'request' ? decodeRequest(bytesOf(hex)) : decodeResponse(bytesOf(hex));
}

/** What JSON can tell of a message: the metadata that are decoded have no prototype. */
function plain(message: unknown): unknown {
  return JSON.parse(JSON.stringify(message));
}

test('every request of the vectors is decoded to its message and encoded to its bytes', () => {
  for (const { name, hex, message } of readVectors<Vector<Request>>('requests')) {
    assert.deepEqual(plain(decode('request', hex)), message, name);
    assert.equal(
      Buffer.from(encodeRequest(message)).toString('hex'),
      Buffer.from(bytesOf(hex)).toString('hex'),
      name,
    );
  }
});

test('every response of the vectors is decoded to its message and encoded to its bytes', () => {
  for (const { name, hex, message } of readVectors<Vector<Response>>('responses')) {
    assert.deepEqual(plain(decode('response', hex)), message, name);
    assert.equal(
      Buffer.from(encodeResponse(message)).toString('hex'),
      Buffer.from(bytesOf(hex)).toString('hex'),
      name,
    );
  }
});

test('what a later version may add, and any order of the fields, is understood', () => {
  for (const { name, of, hex, message } of readVectors<Accepted>('accepted')) {
    assert.deepEqual(plain(decode(of, hex)), message, name);
  }
});

test('every message of the vectors that must be refused is refused, at the byte that is wrong', () => {
  for (const { name, of, hex, byte } of readVectors<Refused>('refused')) {
    const at = byte === undefined ? '' : `at byte ${byte}`;
    const isRight = (error: unknown) =>
      isSealaneError(error, 'ERR_SEALANE_PROTOCOL') && error.message.includes(at);
    assert.throws(() => decode(of, hex), isRight, name);
  }
});

test('the vectors are those that scripts/make-vectors.mjs writes', () => {
  const script = fileURLToPath(new URL('scripts/make-vectors.mjs', ROOT));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
