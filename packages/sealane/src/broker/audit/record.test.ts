/** The line of a record: fields and order as documented, one line whatever clients call their objects. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SealaneError, type SealaneErrorCode } from '../../base/errors.js';
import { FIELDS, type Line } from './audit.test.helper.js';
import { type AuditRecord, formatRecord, NOTHING, resultOf } from './record.js';

const peer = { pid: 4_242, uid: 1_000, gid: 100 };

test('a line is the documented example, followed by who did it', () => {
  const digest = 'ab'.repeat(32);
  const record: AuditRecord = {
    operation: 'get',
    result: 'ok',
    selector: 'name',
    objectId: 7,
    name: 'model.bin',
    size: 1_048_576,
    count: null,
    digest,
    jobId: 'beta',
    error: null,
    peer,
  };
  assert.equal(
    formatRecord(record, '1700000000123456789'),
    `{"ts_ns":1700000000123456789,"op":"get","operation":"get","result":"ok","selector":"name","object_id":7,"name":"model.bin","size":1048576,"count":null,"digest":"sha256:${digest}","job_id":"beta","error":null,"pid":4242,"uid":1000,"gid":100}\n`,
  );
});

test('what is absent is null, not left out', () => {
  const line = formatRecord({ ...NOTHING, operation: 'unknown', result: 'error', peer }, '1');
  assert.equal(
    line,
    '{"ts_ns":1,"op":"unknown","operation":"unknown","result":"error","selector":null,"object_id":null,"name":null,"size":null,"count":null,"digest":null,"job_id":null,"error":null,"pid":4242,"uid":1000,"gid":100}\n',
  );
});

test('numbers keep all their digits, also those that a client made up', () => {
  const record: AuditRecord = {
    ...NOTHING,
    operation: 'get',
    result: 'not_found',
    objectId: 2n ** 64n - 1n,
    size: Number.MAX_SAFE_INTEGER,
    peer,
  };
  const line = formatRecord(record, '1795244511661893116');
  assert.match(
    line,
    /"ts_ns":1795244511661893116,.*"object_id":18446744073709551615,.*"size":9007199254740991,/,
  );
});

test('each code has its result; what is not ours is an error', () => {
  const expected: Partial<Record<SealaneErrorCode, string>> = {
    ERR_SEALANE_NOT_FOUND: 'not_found',
    ERR_SEALANE_ACCESS_DENIED: 'forbidden',
    ERR_SEALANE_UNTRUSTED_PEER: 'forbidden',
    ERR_SEALANE_INVALID_ARGUMENT: 'bad_request',
    ERR_SEALANE_PROTOCOL: 'bad_request',
    ERR_SEALANE_WRONG_DESCRIPTOR: 'bad_request',
    ERR_SEALANE_NOT_SEALED: 'bad_request',
    ERR_SEALANE_SIZE_MISMATCH: 'bad_request',
    ERR_SEALANE_DIGEST_MISMATCH: 'bad_request',
    ERR_SEALANE_LIMIT_EXCEEDED: 'error',
    ERR_SEALANE_EXHAUSTED: 'error',
    ERR_SEALANE_ABORTED: 'error',
    ERR_SEALANE_INTERNAL: 'error',
  };
  for (const [code, result] of Object.entries(expected))
    assert.equal(resultOf(new SealaneError(code as SealaneErrorCode, 'x')), result);
  assert.equal(resultOf(new RangeError('x')), 'error');
});

/** Characters that end a line for some reader, or that a terminal obeys. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

const HOSTILE = [
  'a\nb',
  'a\r\nb',
  '"}\n{"op":"get"',
  '\\',
  '\\"',
  '\u2028\u2029\u0085',
  '\x00\x1b[2J\x7f\x9b',
  '\u202e\u2066',
  '\ud800',
  '\udc00x',
  '\ufeff',
  '\u{1f600}größe',
  '__proto__',
];

test('a name is one JSON string on one line, and stands in it as it is where it can', () => {
  for (const name of HOSTILE) {
    const line = formatRecord({ ...NOTHING, operation: 'put', result: 'ok', name, peer }, '1');
    assert.doesNotMatch(line.slice(0, -1), UNSAFE, JSON.stringify(name));
    assert.equal((JSON.parse(line) as Line).name, name);
    assert.equal((JSON.parse(Buffer.from(line).toString()) as Line).name, name, 'it survives UTF-8');
  }
  const line = formatRecord({ ...NOTHING, operation: 'put', result: 'ok', name: 'größe 😀', peer }, '1');
  assert(line.includes('"name":"größe 😀"'));
});

const text = fc.option(
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: 'binary-ascii', maxLength: 40 }),
    fc.constantFrom(...HOSTILE, ''),
  ),
);
const number = fc.option(fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER)));
const id = fc.integer({ min: 0, max: 4_294_967_295 });
const record: fc.Arbitrary<AuditRecord> = fc.record({
  operation: fc.constantFrom('put', 'get', 'list', 'drop', 'stat', 'watch', 'next', 'connect', 'unknown'),
  result: fc.constantFrom('ok', 'error', 'not_found', 'bad_request', 'forbidden'),
  selector: fc.constantFrom('id', 'name', 'digest', null),
  objectId: number,
  name: text,
  size: number,
  count: number,
  digest: fc.option(
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => Buffer.from(b).toString('hex')),
  ),
  jobId: text,
  error: text,
  peer: fc.record({ pid: id, uid: id, gid: id }),
});

test('property: what JSON makes of a line is what was recorded, with the fields in their order', () => {
  fc.assert(
    fc.property(record, fc.bigInt({ min: 0n, max: 2n ** 63n }), (recorded, ns) => {
      const line = formatRecord(recorded, String(ns));
      assert(line.endsWith('}\n') && !UNSAFE.test(line.slice(0, -1)));
      assert(line.startsWith(`{"ts_ns":${ns},`));
      const { ts_ns: _, ...read } = JSON.parse(line) as Line;
      assert.deepEqual(Object.keys(JSON.parse(line) as Line), FIELDS);
      const { operation, objectId, jobId, digest, peer: who, ...rest } = recorded;
      assert.deepEqual(read, {
        ...rest,
        op: operation,
        operation,
        object_id: objectId,
        job_id: jobId,
        digest: digest === null ? null : `sha256:${digest}`,
        ...who,
      });
    }),
    { numRuns: 2_000 },
  );
});
