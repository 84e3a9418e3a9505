/** Headers: what is refused before a body is read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_MESSAGE_BYTES } from '../base/limits.js';
import { decodeHeader, decodeRequest, decodeResponse, encodeRequest, HEADER_BYTES } from './index.js';

const REFUSED = { code: 'ERR_SEALANE_PROTOCOL' };

function header(bodyBytes: number, flags: number): Uint8Array {
  const packet = new Uint8Array(HEADER_BYTES);
  const view = new DataView(packet.buffer);
  view.setUint32(0, bodyBytes, true);
  view.setUint16(4, 999, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, 0xffff_ffff, true);
  view.setUint16(12, 500, true);
  return packet;
}

test('a header is read although its type and its status are unknown', () => {
  const expected = { bodyBytes: 0, type: 999, detached: false, requestId: 0xffff_ffff, status: 500 };
  assert.deepEqual(decodeHeader(header(0, 0)), expected);
});

test('the header of a detached message stands alone and tells the size of the body', () => {
  assert.equal(decodeHeader(header(70_000, 1)).bodyBytes, 70_000);
  assert.equal(decodeHeader(header(70_000, 1)).detached, true);
  assert.throws(() => decodeHeader(header(0, 1)), REFUSED);
  assert.throws(() => decodeHeader(Buffer.concat([header(1, 1), Buffer.alloc(1)])), REFUSED);
});

test('a detached message may be as large as any message, and no larger', () => {
  assert.equal(decodeHeader(header(MAX_MESSAGE_BYTES - HEADER_BYTES, 1)).detached, true);
  assert.throws(() => decodeHeader(header(MAX_MESSAGE_BYTES - HEADER_BYTES + 1, 1)), REFUSED);
});

test('a detached message can not be decoded before its body is attached', () => {
  assert.throws(() => decodeRequest(header(70_000, 1)), { ...REFUSED, message: /not attached/ });
  assert.throws(() => decodeResponse(header(70_000, 1)), { ...REFUSED, message: /not attached/ });
});

test('a packet that holds more than its message is refused', () => {
  const message = encodeRequest({ type: 'status', requestId: 1 });
  assert.throws(() => decodeRequest(Buffer.concat([message, Buffer.alloc(1)])), REFUSED);
  assert.throws(() => decodeRequest(Buffer.concat([message, message])), REFUSED);
});
