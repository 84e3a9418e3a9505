/** The memfdbus codec against spec/vectors, which know nothing of it, arbitrary messages and bytes, and every truncation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../base/errors.js';
import {
  decodeMemfdbusDigest,
  decodeMemfdbusHeader,
  decodeMemfdbusPayload,
  decodeMemfdbusText,
  encodeMemfdbus,
  encodeMemfdbusHeader,
  escapeMemfdbusText,
  MEMFDBUS_HEADER_BYTES,
} from './memfdbus.js';
import { bytesOf, readVectors, type Vector } from './vectors.test.helper.js';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const anyHeader = fc.record(
  {
    command: fc.integer({ min: 0, max: 0xffff }),
    status: u32,
    jobBytes: u32,
    objectId: u64,
    size: u64,
    nameBytes: u32,
    textBytes: u32,
    allowedBytes: u32,
  },
  { noNullPrototype: true },
);
const bytes = fc.uint8Array({ maxLength: 40 });
const anyPayload = fc.record({ name: bytes, text: bytes, job: bytes, allowed: bytes });

/** A message of spec/vectors/memfdbus.json: 64-bit numbers as decimal texts, null for a text that is no UTF-8. */
interface Described {
  command: number;
  status: number;
  objectId: string;
  size: string;
  name: string | null;
  text: string | null;
  job: string | null;
  allowed: string | null;
}

function isProtocolError(error: unknown): boolean {
  return isSealaneError(error, 'ERR_SEALANE_PROTOCOL');
}

/** Header and payload, as strictly as they can be read. */
function decode(bytes: Uint8Array): Described {
  const header = decodeMemfdbusHeader(bytes);
  const { name, text, job, allowed } = decodeMemfdbusPayload(header, bytes.subarray(MEMFDBUS_HEADER_BYTES));
  const { command, status, objectId, size } = header;
  const textOf = (part: Uint8Array): string | null => decodeMemfdbusText(part) ?? null;
  const texts = { name: textOf(name), text: textOf(text), job: textOf(job), allowed: textOf(allowed) };
  return { command, status, objectId: String(objectId), size: String(size), ...texts };
}

test('every message of the vectors is decoded to what it says, and encoded to its bytes', () => {
  for (const { name, hex, message } of readVectors<Vector<Described>>('memfdbus')) {
    assert.deepEqual(decode(bytesOf(hex)), message, name);
    const { command, status, objectId, size, ...texts } = message;
    if (Object.values(texts).includes(null) || name.includes('reserved')) continue;
    const payload = Object.fromEntries(
      Object.entries(texts).map(([key, text]) => [key, Buffer.from(text ?? '')]),
    );
    const fields = { status, objectId: BigInt(objectId), size: BigInt(size) };
    assert.deepEqual(Buffer.from(encodeMemfdbus(command, fields, payload)), bytesOf(hex), name);
  }
});

test('every message of the vectors that must be refused is refused', () => {
  for (const { name, hex } of readVectors<{ name: string; hex: string[] }>('memfdbus-refused'))
    assert.throws(() => decode(bytesOf(hex)), isProtocolError, name);
});

test('every message of the vectors is refused when it is cut anywhere', () => {
  for (const { name, hex } of readVectors<Vector<Described>>('memfdbus')) {
    const whole = bytesOf(hex);
    for (let length = 0; length < whole.length; length++)
      assert.throws(() => decode(whole.subarray(0, length)), isProtocolError, `${name}, ${length} bytes`);
  }
});

test('every header is the same after encoding and decoding', () => {
  fc.assert(
    fc.property(anyHeader, fc.nat(15), (header, at) => {
      const { command, ...fields } = header;
      const buffer = new Uint8Array(at + MEMFDBUS_HEADER_BYTES + 3).fill(0xff);
      buffer.set(encodeMemfdbusHeader(command, fields), at);
      assert.deepEqual(decodeMemfdbusHeader(buffer.subarray(at)), header);
    }),
  );
});

test('every payload is the same after encoding and decoding, and one that is cut or too long is refused', () => {
  fc.assert(
    fc.property(anyPayload, (payload) => {
      const message = encodeMemfdbus(1, {}, payload);
      const header = decodeMemfdbusHeader(message);
      const body = message.subarray(MEMFDBUS_HEADER_BYTES);
      const decoded = decodeMemfdbusPayload(header, body);
      for (const [name, value] of Object.entries(payload))
        assert.deepEqual(Buffer.from(decoded[name as keyof typeof payload]), Buffer.from(value));
      for (let length = 0; length < body.length; length++)
        assert.throws(() => decodeMemfdbusPayload(header, body.subarray(0, length)), isProtocolError);
      assert.throws(() => decodeMemfdbusPayload(header, Buffer.concat([body, body, '1'].map(Buffer.from))));
    }),
    { numRuns: 50 },
  );
});

test('a header that is cut anywhere, or has another magic or version, is refused', () => {
  const header = encodeMemfdbusHeader(3);
  for (let length = 0; length < header.length; length++)
    assert.throws(() => decodeMemfdbusHeader(header.subarray(0, length)), isProtocolError);
  for (let at = 0; at < 6; at++) {
    const wrong = header.slice();
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    assert.throws(() => decodeMemfdbusHeader(wrong), isProtocolError);
  }
});

test('arbitrary bytes never throw anything but a protocol error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (noise, opened) => {
      // Half of them begin as a message does, so that what follows is looked at too.
      if (opened) noise.set(encodeMemfdbusHeader(0).subarray(0, Math.min(6, noise.length)));
      try {
        decode(noise);
      } catch (error) {
        assert(isProtocolError(error));
      }
    }),
  );
});

test('only well-formed UTF-8 is text, and a byte order mark is a part of it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(decodeMemfdbusText(Buffer.from(text)), Buffer.from(text).toString());
    }),
  );
  assert.equal(decodeMemfdbusText(Buffer.from('\ufeffname')), '\ufeffname');
  for (const hex of ['ff', 'c080', 'eda080', 'f4908080', '61c3'])
    assert.equal(decodeMemfdbusText(Buffer.from(hex, 'hex')), undefined, hex);
});

test('a digest is sha256: and 64 lower-case digits, nothing else', () => {
  const digits = '0123456789abcdef'.repeat(4);
  assert.equal(decodeMemfdbusDigest(Buffer.from(`sha256:${digits}`)), digits);
  for (const wrong of [`sha256:${digits}0`, `sha256:${digits.toUpperCase()}`, `sha512:${digits}`, digits, ''])
    assert.equal(decodeMemfdbusDigest(Buffer.from(wrong)), undefined, wrong);
});

test('an escaped text has no control character, and different texts stay different', () => {
  assert.equal(
    escapeMemfdbusText('a\tb\nc\rd\\e\0f\u007fg\u0085ü'),
    'a\\tb\\nc\\rd\\\\e\\000f\\177g\\302\\205ü',
  );
  const restore = (text: string): string => {
    const latin1 = Buffer.from(text)
      .toString('latin1')
      .replace(/\\(t|n|r|\\|[0-7]{3})/g, (_, code: string) => {
        const known = { t: '\t', n: '\n', r: '\r', '\\': '\\' }[code];
        return known ?? String.fromCharCode(Number.parseInt(code, 8));
      });
    return Buffer.from(latin1, 'latin1').toString();
  };
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary-ascii' }), (first, second) => {
      const text = first + second;
      const escaped = escapeMemfdbusText(text);
      assert.doesNotMatch(escaped, /\p{Cc}/u);
      assert.equal(restore(escaped), text);
    }),
  );
});
