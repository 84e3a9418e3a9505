/** What a caller may not encode: every value outside its range is ERR_SEALANE_INVALID_ARGUMENT and names the field. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BrokerLimits,
  decodeHeader,
  decodeResponse,
  type ErrorStatus,
  encodeRefusal,
  encodeRequest,
  encodeResponse,
  MAX_ERROR_TEXT_BYTES,
  type ObjectInfo,
  type PutRequest,
  RESPONSE_BIT,
  type Request,
  type Response,
  STATUS,
} from './index.js';

const put: PutRequest = {
  type: 'put',
  requestId: 1,
  size: 0,
  contentAddressed: false,
  allowed: [],
  metadata: {},
};
const object: ObjectInfo = { id: 1, size: 0, allowed: [], metadata: {}, createdAtMs: 0, uid: 0 };
const hello: Request = {
  type: 'hello',
  requestId: 1,
  minVersion: 1,
  maxVersion: 1,
  maxPacketBytes: 1024,
  maxMessageBytes: 1024,
};
const limits: BrokerLimits = {
  maxPacketBytes: 1024,
  maxMessageBytes: 1024,
  maxNameBytes: 1,
  maxObjects: 0,
  maxBytes: 0,
  maxObjectBytes: 0,
  maxOutstanding: 1,
  maxWatches: 0,
  maxListEntries: 1,
};
const entries = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, '']));

/** Messages with one value that is wrong, as JavaScript lets anybody write them; by the field that the error names. */
const WRONG_REQUESTS: readonly (readonly [names: string, request: unknown])[] = [
  ['type', { type: 'bogus', requestId: 1 }],
  ['requestId', { ...put, requestId: 0 }],
  ['requestId', { ...put, requestId: 2 ** 32 }],
  ['requestId', { ...put, requestId: undefined }],
  ['size', { ...put, size: -1 }],
  ['size', { ...put, size: 0.5 }],
  ['size', { ...put, size: 2 ** 53 }],
  ['size', { ...put, size: 1n }],
  ['name', { ...put, name: '' }],
  ['name', { ...put, name: 'é'.repeat(32_769) }],
  ['name', { ...put, name: 'a\ud800' }],
  ['name', { ...put, name: 7 }],
  ['digest', { ...put, digest: 'AB'.repeat(32) }],
  ['digest', { ...put, digest: 'ab'.repeat(31) }],
  ['digest', { ...put, digest: `${'ab'.repeat(32)}\n` }],
  ['owner', { ...put, owner: 'j'.repeat(257) }],
  ['allowed', { ...put, allowed: [''] }],
  ['allowed', { ...put, allowed: 'job' }],
  ['allowed', { ...put, allowed: [7] }],
  ['ttlMs', { ...put, ttlMs: 0 }],
  ['ttlMs', { ...put, ttlMs: 2 ** 31 }],
  ['metadata', { ...put, metadata: null }],
  ['metadata', { ...put, metadata: { '': 'a' } }],
  ['metadata', { ...put, metadata: { ['k'.repeat(257)]: 'a' } }],
  ['metadata', { ...put, metadata: { a: 'b'.repeat(4_096) } }],
  ['metadata', { ...put, metadata: { a: 7 } }],
  ['metadata', { ...put, metadata: entries(65) }],
  ['selector', { type: 'drop', requestId: 1, selector: { by: 'bogus' } }],
  ['id', { type: 'drop', requestId: 1, selector: { by: 'id', id: 0 } }],
  ['wait', { type: 'get', requestId: 1, selector: { by: 'id', id: 1 }, wait: true }],
  ['limit', { type: 'list', requestId: 1, after: 0, limit: 0, digests: false }],
  ['after', { type: 'list', requestId: 1, after: -1, limit: 1, digests: false }],
  [
    'pattern',
    {
      type: 'watch',
      requestId: 1,
      pattern: 'p'.repeat(1_025),
      literal: false,
      every: false,
      existing: false,
    },
  ],
  ['pattern', { type: 'watch', requestId: 1, pattern: '', literal: true, every: false, existing: false }],
  ['watch', { type: 'next', requestId: 1, watch: 0 }],
  ['target', { type: 'cancel', requestId: 1, target: 2 ** 32 }],
  ['minVersion', { ...hello, minVersion: 0 }],
  ['maxVersion', { ...hello, minVersion: 2 }],
  ['maxPacketBytes', { ...hello, maxPacketBytes: 1_023 }],
  ['jobId', { ...hello, jobId: '' }],
];

const WRONG_RESPONSES: readonly (readonly [names: string, response: unknown])[] = [
  ['type', { type: 'bogus', requestId: 1 }],
  ['type', { type: 'error', requestId: 1, request: 'bogus', status: 1, text: '' }],
  ['status', { type: 'error', requestId: 1, request: 'get', status: 0, text: '' }],
  ['status', { type: 'error', requestId: 1, request: 'get', status: 16, text: '' }],
  ['id', { type: 'put', requestId: 1, object: { ...object, id: 0 } }],
  ['uid', { type: 'put', requestId: 1, object: { ...object, uid: -1 } }],
  ['next', { type: 'list', requestId: 1, objects: [], next: -1 }],
  ['pid', { type: 'hello', requestId: 1, version: 1, brokerPid: 0, limits }],
  [
    'maxOutstanding',
    { type: 'hello', requestId: 1, version: 1, brokerPid: 1, limits: { ...limits, maxOutstanding: 0 } },
  ],
  [
    'maxBytes',
    { type: 'hello', requestId: 1, version: 1, brokerPid: 1, limits: { ...limits, maxBytes: 2 ** 53 } },
  ],
];

test('every request with a value outside its range is refused, and the error names the field', () => {
  for (const [names, request] of WRONG_REQUESTS) {
    assert.throws(() => encodeRequest(request as Request), isAbout(names), JSON.stringify(names));
  }
});

test('every response with a value outside its range is refused, and the error names the field', () => {
  for (const [names, response] of WRONG_RESPONSES) {
    assert.throws(() => encodeResponse(response as Response), isAbout(names), JSON.stringify(names));
  }
});

function isAbout(names: string): { code: string; message: RegExp } {
  return { code: 'ERR_SEALANE_INVALID_ARGUMENT', message: new RegExp(`(^|of )${names}\\b`) };
}

test('a message over the largest size is refused', () => {
  const allowed = new Array<string>(65_000).fill('j'.repeat(256));
  assert.throws(() => encodeRequest({ ...put, allowed }), { code: 'ERR_SEALANE_LIMIT_EXCEEDED' });
});

test('the text of an error is cut before a character, and lone surrogates are replaced', () => {
  const textOf = (text: string) => {
    const response = decodeResponse(
      encodeResponse({ type: 'error', requestId: 1, request: 'get', status: STATUS.notFound, text }),
    );
    return response.type === 'error' ? response.text : undefined;
  };
  assert.equal(textOf('é'.repeat(MAX_ERROR_TEXT_BYTES)), 'é'.repeat(MAX_ERROR_TEXT_BYTES / 2));
  assert.equal(
    textOf(`a${'é'.repeat(MAX_ERROR_TEXT_BYTES)}`),
    `a${'é'.repeat(MAX_ERROR_TEXT_BYTES / 2 - 1)}`,
  );
  assert.equal(textOf('a\ud800b'), 'a\ufffdb');
});

test('a request of an unknown type can be refused', () => {
  const refusal = encodeRefusal({ type: 999, requestId: 5 }, STATUS.badRequest, 'what is 999?');
  assert.deepEqual(decodeHeader(refusal), {
    bodyBytes: refusal.length - 16,
    type: 999 | RESPONSE_BIT,
    detached: false,
    requestId: 5,
    status: STATUS.badRequest,
  });
  assert.throws(() => decodeResponse(refusal), { code: 'ERR_SEALANE_PROTOCOL' });
  assert.throws(() => encodeRefusal({ type: 1, requestId: 1 }, 0 as ErrorStatus, ''), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
  });
});
