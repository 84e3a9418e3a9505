/** What is encoded is decoded again, for arbitrary messages; and the bytes belong to the caller. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyRequest, anyResponse } from './arbitraries.test.helper.js';
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse, type PutRequest } from './index.js';

const put: PutRequest = {
  type: 'put',
  requestId: 1,
  size: 4,
  contentAddressed: false,
  allowed: [],
  metadata: {},
};

test('every request is the same after encoding and decoding', () => {
  fc.assert(
    fc.property(anyRequest, (request) => {
      assert.deepStrictEqual(decodeRequest(encodeRequest(request)), request);
    }),
    { numRuns: 2_000 },
  );
});

test('every response is the same after encoding and decoding', () => {
  fc.assert(
    fc.property(anyResponse, (response) => {
      assert.deepStrictEqual(decodeResponse(encodeResponse(response)), response);
    }),
    { numRuns: 2_000 },
  );
});

test('a message is decoded at any place in a larger buffer', () => {
  fc.assert(
    fc.property(anyRequest, fc.nat(15), (request, at) => {
      const message = encodeRequest(request);
      const buffer = new Uint8Array(at + message.length + 3).fill(0xff);
      buffer.set(message, at);
      assert.deepStrictEqual(decodeRequest(buffer.subarray(at, at + message.length)), request);
    }),
  );
});

test('what was decoded does not change with the bytes that it came from', () => {
  const request: PutRequest = { ...put, name: 'n'.repeat(100), digest: 'ab'.repeat(32), allowed: ['größe'] };
  const message = encodeRequest(request);
  const decoded = decodeRequest(message);
  message.fill(0);
  assert.deepEqual({ ...decoded, metadata: {} }, request);
});

test('an encoded message is exact and stays as it is when others are encoded', () => {
  const first = encodeRequest({ ...put, name: 'first' });
  const copy = first.slice();
  encodeRequest({ ...put, name: 'second' });
  assert.deepEqual(first, copy);
  assert.equal(first.buffer.byteLength, first.length);
});

test('a message that is encoded while another one is does not mix with it', () => {
  const metadata = Object.defineProperty({}, 'key', {
    enumerable: true,
    get: () => {
      encodeRequest({ ...put, name: 'inner', requestId: 2 });
      return 'value';
    },
  });
  const outer = encodeRequest({ ...put, name: 'outer', metadata });
  assert.deepEqual(outer, encodeRequest({ ...put, name: 'outer', metadata: { key: 'value' } }));
});

test('a message that fails leaves nothing behind in the next one', () => {
  const before = encodeRequest(put);
  assert.throws(() => encodeRequest({ ...put, name: 'x', allowed: [''] }));
  assert.deepEqual(encodeRequest(put), before);
});

test('metadata keys that are properties of every object are harmless', () => {
  const metadata = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}') as Record<string, string>;
  const decoded = decodeRequest(encodeRequest({ ...put, metadata }));
  assert.ok(decoded.type === 'put');
  assert.deepEqual(Object.entries(decoded.metadata), Object.entries(metadata));
  assert.equal(Object.getPrototypeOf(decoded.metadata), null);
  assert.equal(({} as Record<string, unknown>).a, undefined);
});
