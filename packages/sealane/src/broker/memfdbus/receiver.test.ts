/** The reading of requests: cut anywhere, in pieces of any size, and of arbitrary bytes; descriptors are closed once, whatever comes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Packet } from '../../os/unix-socket.js';
import { encodeMemfdbusHeader, MEMFDBUS_COMMAND, MEMFDBUS_HEADER_BYTES } from '../../wire/index.js';
import { digestOf, requestOf } from './client.test.helper.js';
import { Refusal } from './failures.js';
import { Receiver } from './receiver.js';
import type { MemfdbusRequest } from './request.js';

const LIMITS = { maxMemfdbusRequestBytes: 4_294_967_295, maxNameBytes: 65_536 };

/** What came of some bytes: a request, or the text of a refusal; the descriptors that came, and those that were closed. */
interface Read {
  result: MemfdbusRequest | string;
  came: number[];
  closed: number[];
}

/** Feeds pieces of bytes, each with the descriptors of its first byte, until the request is whole or refused; then its end. */
function read(pieces: readonly { bytes: Uint8Array; descriptors?: number[] }[]): Read {
  const came: number[] = [];
  const closed: number[] = [];
  const receiver = new Receiver(LIMITS, { reject: (fd) => closed.push(fd) });
  const run = (): MemfdbusRequest | string => {
    for (const { bytes, descriptors = [] } of pieces) {
      const piece: Packet = { bytes: bytes.length, descriptors, descriptorsLost: false, truncated: false };
      came.push(...descriptors);
      if (receiver.add(piece, bytes)) break;
    }
    return receiver.parse();
  };
  const result = guarded(run);
  receiver.close();
  return { result, came, closed };
}

function guarded(run: () => MemfdbusRequest | string): MemfdbusRequest | string {
  try {
    return run();
  } catch (error) {
    if (error instanceof Refusal) return error.text;
    throw error;
  }
}

/** Cuts bytes at the places that are stated, as far as they lie within. */
function cut(bytes: Uint8Array, places: readonly number[]): { bytes: Uint8Array }[] {
  const bounds = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])];
  bounds.sort((first, second) => first - second);
  return bounds.slice(1).map((end, index) => ({ bytes: bytes.subarray(bounds[index], end) }));
}

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const anyRequest = fc.record({
  command: fc.constantFrom(...Object.values(MEMFDBUS_COMMAND)),
  name: text,
  job: fc.option(text, { nil: undefined }),
  allowed: fc.option(text, { nil: undefined }),
});

test('a request is the same in whatever pieces it comes', () => {
  fc.assert(
    fc.property(anyRequest, fc.array(fc.nat(200), { maxLength: 20 }), ({ command, ...texts }, places) => {
      const digest = command === MEMFDBUS_COMMAND.put ? { text: digestOf('') } : {};
      const whole = requestOf(command, { ...definedOf(texts), ...digest });
      assert.deepEqual(read(cut(whole, places)).result, read([{ bytes: whole }]).result);
    }),
  );
});

test('a request that is cut anywhere is refused, and its descriptor is closed once', () => {
  const whole = requestOf(MEMFDBUS_COMMAND.put, {
    name: 'name',
    text: digestOf(''),
    job: 'job',
    allowed: 'other',
  });
  for (let length = 1; length < whole.length; length++) {
    const { result, closed } = read([{ bytes: whole.subarray(0, length), descriptors: [7] }]);
    assert.match(String(result), /^(failed to read|invalid protocol header)/, `${length} bytes`);
    assert.deepEqual(closed, [7]);
  }
  assert.equal(typeof read([{ bytes: whole }]).result, 'object');
});

test('arbitrary bytes are a request or a refusal, and every descriptor is closed once', () => {
  const piece = fc.record({
    bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }),
    descriptors: fc.array(fc.constant(0), { maxLength: 3 }),
  });
  const header = fc
    .record({
      command: fc.integer({ min: 0, max: 6 }),
      objectId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      nameBytes: fc.oneof(fc.nat(80), fc.nat(4_294_967_295)),
      textBytes: fc.constantFrom(0, 71, 4_294_967_295),
      jobBytes: fc.nat(300),
      allowedBytes: fc.nat(300),
    })
    .map(({ command, ...fields }) => ({ bytes: encodeMemfdbusHeader(command, fields), descriptors: [0] }));
  fc.assert(
    fc.property(fc.option(header, { nil: undefined }), fc.array(piece, { maxLength: 10 }), (first, rest) => {
      const pieces = first === undefined ? rest : [first, ...rest];
      let next = 1;
      const numbered = pieces.map(({ bytes, descriptors }) => ({
        bytes,
        descriptors: descriptors.map(() => next++),
      }));
      const { came, closed } = read(numbered);
      assert.deepEqual(closed.sort(byNumber), came);
    }),
    { numRuns: 500 },
  );
});

test('no more is kept than a command looks at, whatever the header states', () => {
  const header = encodeMemfdbusHeader(MEMFDBUS_COMMAND.list, { nameBytes: 4_294_967_295 - 3, jobBytes: 3 });
  const { result } = read([{ bytes: Buffer.concat([header, Buffer.from('jobandmore')]) }]);
  assert.deepEqual(result, { type: 'list', job: 'job' });
  assert.equal(header.length, MEMFDBUS_HEADER_BYTES);
});

function byNumber(first: number, second: number): number {
  return first - second;
}

/** Without what is undefined. */
function definedOf(texts: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(texts).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
