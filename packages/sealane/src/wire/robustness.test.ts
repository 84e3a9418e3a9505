/** Whatever a peer sends is decoded or refused with ERR_SEALANE_PROTOCOL: no other error, no memory beyond the message. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../base/errors.js';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  FIELD_HEADER_BYTES,
  HEADER_BYTES,
  REQUEST_TYPES,
  RESPONSE_BIT,
  type Request,
  type Response,
  TAGS,
} from './index.js';
import { bytesOf, readVectors, type Vector } from './vectors.test.helper.js';

interface Side {
  readonly messages: readonly Uint8Array[];
  readonly typeBit: number;
  /** Decodes, and encodes and decodes again; undefined when it was refused. */
  readonly tryDecode: (bytes: Uint8Array) => Request | Response | undefined;
}

function sideOf<T extends Request | Response>(
  file: string,
  typeBit: number,
  decode: (bytes: Uint8Array) => T,
  encode: (message: T) => Uint8Array,
): Side {
  const tryDecode = (bytes: Uint8Array): T | undefined => {
    const message = refusedOr(() => decode(bytes));
    if (message !== undefined) assert.deepStrictEqual(decode(encode(message)), message);
    return message;
  };
  return { messages: readVectors<Vector<T>>(file).map(({ hex }) => bytesOf(hex)), typeBit, tryDecode };
}

/** What `decode` returns; undefined when it refused, and any other error goes on. */
function refusedOr<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (isSealaneError(error, 'ERR_SEALANE_PROTOCOL')) return undefined;
    throw error;
  }
}

const SIDES: readonly Side[] = [
  sideOf('requests', 0, decodeRequest, encodeRequest),
  sideOf('responses', RESPONSE_BIT, decodeResponse, encodeResponse),
];

/** A message with this body, and a header that fits it. */
function messageOf(type: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, body.length, true);
  view.setUint16(4, type, true);
  view.setUint32(8, 1, true);
  message.set(body, HEADER_BYTES);
  return message;
}

/** The total length of all strings in a message, in units of UTF-16. */
function textLength(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.entries(value).reduce(
    (sum, [key, child]) => sum + (/\W/.test(key) ? key.length : 0) + textLength(child),
    0,
  );
}

const anyType = fc.constantFrom(...Object.values(REQUEST_TYPES));

/** Fields with right headers: known and unknown tags, lengths that fit somewhere, any value. */
const anyFields = fc
  .array(
    fc.tuple(
      fc.oneof(fc.constantFrom(...Object.values(TAGS)), fc.nat(0xffff)),
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => bytes.fill(0, 6)),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.string({ maxLength: 20 }).map((text) => new Uint8Array(Buffer.from(text))),
      ),
    ),
    { maxLength: 12 },
  )
  .map((fields) => joined(fields.map(([tag, value]) => fieldOf(tag, value))));

function fieldOf(tag: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FIELD_HEADER_BYTES + value.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tag, true);
  view.setUint32(4, value.length, true);
  bytes.set(value, FIELD_HEADER_BYTES);
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

test('every message that is cut short is refused', () => {
  for (const { messages, tryDecode } of SIDES) {
    for (const message of messages) {
      for (let length = 0; length < message.length; length++) {
        assert.equal(tryDecode(message.subarray(0, length)), undefined);
      }
    }
  }
});

test('every body that is cut short under a header that fits it is decoded or refused', () => {
  for (const { messages, tryDecode } of SIDES) {
    for (const message of messages) {
      for (let length = HEADER_BYTES; length < message.length; length++) {
        const cut = message.slice(0, length);
        new DataView(cut.buffer).setUint32(0, length - HEADER_BYTES, true);
        tryDecode(cut);
      }
    }
  }
});

test('every change of a single byte is decoded or refused', () => {
  for (const { messages, tryDecode } of SIDES) {
    for (const original of messages) {
      const message = original.slice();
      for (let index = 0; index < message.length; index++) {
        const right = message[index] ?? 0;
        for (let change = 1; change < 256; change++) {
          message[index] = right ^ change;
          tryDecode(message);
        }
        message[index] = right;
      }
    }
  }
});

test('random bytes are refused', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, (message) => {
      for (const { tryDecode } of SIDES) tryDecode(message);
    }),
    { numRuns: 2_000 },
  );
});

test('random bodies and random fields are decoded or refused, and never become more text than they hold', () => {
  const body = fc.oneof(fc.uint8Array({ maxLength: 100 }), anyFields);
  fc.assert(
    fc.property(anyType, body, (type, bytes) => {
      for (const { tryDecode, typeBit } of SIDES) {
        const decoded = tryDecode(messageOf(type | typeBit, bytes));
        assert.ok(textLength(decoded) <= 2 * bytes.length + 60); // digests double; the words of the types are in it
      }
    }),
    { numRuns: 5_000 },
  );
});

test('random fields inside an object are decoded or refused', () => {
  fc.assert(
    fc.property(anyFields, (fields) => {
      const response = messageOf(REQUEST_TYPES.stat | RESPONSE_BIT, fieldOf(TAGS.object, fields));
      for (const { tryDecode } of SIDES) tryDecode(response);
    }),
    { numRuns: 2_000 },
  );
});
