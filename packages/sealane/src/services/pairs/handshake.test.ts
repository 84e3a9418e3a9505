/** The packets of the handshake: what is encoded is decoded, and whatever else comes is refused as what it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../../base/errors.js';
import { HANDSHAKE_MAX_REFUSE_BYTES } from '../../shm/layout.js';
import { MAX_SLOTS } from '../../shm/outcome.js';
import {
  type ConnectAccepted,
  type ConnectRequest,
  decodeAccepted,
  decodeAnswer,
  decodeConnect,
  decodeListenAccepted,
  encodeAccepted,
  encodeConnect,
  encodeListenAccepted,
  encodeRefused,
  type RefusalReason,
} from './handshake.js';

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const samples = fc.integer({ min: 1, max: 65_536 });

const parties = { service: hex(20), sender: u32, node: hex(16), receiver: u32 };

const listens = fc.record(
  { messaging: fc.constant('event' as const), ...parties },
  { noNullPrototype: true },
);

const subscribes = fc.record(
  {
    messaging: fc.constant('publish-subscribe' as const),
    ...parties,
    bufferSize: samples,
    maxBorrowed: samples,
    history: fc.integer({ min: 0, max: 65_536 }),
    buffers: fc.constant(true as const),
  },
  {
    noNullPrototype: true,
    requiredKeys: [
      'messaging',
      'service',
      'sender',
      'node',
      'receiver',
      'bufferSize',
      'maxBorrowed',
      'history',
    ],
  },
);

const requests: fc.Arbitrary<ConnectRequest> = fc.oneof(subscribes, listens);

const decodeEither = (packet: Uint8Array) => decodeAnswer(packet, decodeAccepted);

const cells = (most: number) => fc.integer({ min: 0, max: Math.log2(most) }).map((power) => 2 ** power);

const accepted: fc.Arbitrary<ConnectAccepted> = fc
  .record({
    slots: fc.integer({ min: 1, max: MAX_SLOTS }),
    userHeaderBytes: fc.integer({ min: 0, max: 65_536 }),
    padding: fc.integer({ min: 0, max: 4_096 }),
    maxBytes: fc.integer({ min: 0, max: 2 ** 39 }),
    submissionCells: cells(65_536),
    completionCells: cells(2 * MAX_SLOTS),
    segment: fc.integer({ min: 0, max: 1_023 }),
    sequenceBefore: fc.maxSafeNat(),
    delivery: fc.constantFrom(undefined, 'descriptors' as const, 'pool' as const),
  })
  .map(({ slots, userHeaderBytes, padding, maxBytes, delivery, ...some }) => {
    const others = delivery === undefined ? some : { ...some, delivery };
    const payloadOffset = 64 + userHeaderBytes + padding;
    const strideBytes = Math.ceil((payloadOffset + maxBytes) / 8) * 8;
    const shape = { slots, userHeaderBytes, payloadOffset, maxBytes, strideBytes };
    return { type: 'accepted', shape, ...others };
  });

/** Of one to four bytes. */
const characters = fc.constantFrom('a', '\0', 'é', '€', '😀');

const reasons = fc.constantFrom<RefusalReason>(
  ...(['no-port', 'untrusted', 'too-many', 'own-process', 'exhausted', 'bad-request'] as const),
);

const packets: fc.Arbitrary<Uint8Array> = fc.oneof(
  requests.map(encodeConnect),
  accepted.map(encodeAccepted),
  fc.tuple(reasons, fc.string()).map(([reason, text]) => encodeRefused(reason, text)),
);

/** Decodes, or throws what a peer's packet may cause. Returns whether it was decoded. */
function decodes(decode: (packet: Uint8Array) => unknown, packet: Uint8Array): boolean {
  try {
    decode(packet);
    return true;
  } catch (error) {
    const expected =
      isSealaneError(error, 'ERR_SEALANE_PROTOCOL') || isSealaneError(error, 'ERR_SEALANE_VERSION_MISMATCH');
    if (!expected) throw error;
    return false;
  }
}

test('a request is decoded as it was encoded', () => {
  fc.assert(
    fc.property(requests, (request) => assert.deepEqual(decodeConnect(encodeConnect(request)), request)),
  );
});

test('an acceptance is decoded as it was encoded', () => {
  fc.assert(
    fc.property(accepted, (answer) => assert.deepEqual(decodeEither(encodeAccepted(answer)), answer)),
  );
});

test("a notifier's acceptance is decoded as it was encoded", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_024 }), (eventIds) => {
      const answer = decodeAnswer(encodeListenAccepted({ eventIds }), decodeListenAccepted);
      assert.deepEqual(answer, { type: 'accepted', eventIds });
    }),
  );
  for (const eventIds of [0, 1_025, 2 ** 32 - 1])
    assert.equal(decodes(decodeListenAccepted, encodeListenAccepted({ eventIds })), false);
});

test('a refusal is decoded as it was encoded, its text cut at a whole character', () => {
  fc.assert(
    fc.property(reasons, fc.string({ unit: characters, maxLength: 400 }), (reason, text) => {
      const packet = encodeRefused(reason, text);
      assert.ok(packet.length <= HANDSHAKE_MAX_REFUSE_BYTES);
      const answer = decodeEither(packet);
      assert.ok(answer.type === 'refused' && answer.reason === reason);
      assert.ok(text.startsWith(answer.text));
      if (Buffer.byteLength(text) <= 512) assert.equal(answer.text, text);
    }),
  );
});

test('no part of a packet is decoded', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      for (let length = 0; length < packet.length; length++)
        for (const decode of [decodeConnect, decodeEither, decodeListenAccepted])
          assert.equal(decodes(decode, packet.subarray(0, length)), false, `${length} bytes`);
    }),
    { numRuns: 30 },
  );
});

test('a packet with anything changed is decoded within its ranges, or refused', () => {
  fc.assert(
    fc.property(packets, fc.nat(), fc.integer({ min: 1, max: 255 }), (packet, at, bits) => {
      const changed = Uint8Array.from(packet);
      const index = at % packet.length;
      changed[index] = (changed[index] ?? 0) ^ bits;
      for (const decode of [decodeConnect, decodeEither, decodeListenAccepted])
        if (index < 6) assert.equal(decodes(decode, changed), false);
        else decodes(decode, changed);
    }),
    { numRuns: 2_000 },
  );
});

test('whatever is decoded keeps its bounds', () => {
  const sized = fc
    .constantFrom(64, 16, 17, 528)
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
  fc.assert(
    fc.property(sized, fc.constantFrom(1, 2, 3), (packet, type) => {
      packet.set([83, 76, 83, 86, 1, 0, type, 0]);
      if (decodes(decodeConnect, packet)) checkRequest(decodeConnect(packet));
      if (decodes(decodeEither, packet)) checkAnswer(decodeEither(packet));
    }),
    { numRuns: 2_000 },
  );
});

function checkRequest(request: ConnectRequest): void {
  if (request.messaging === 'event') return;
  const { bufferSize, maxBorrowed, history, buffers } = request;
  assert.ok(buffers === undefined || buffers);
  assert.ok(bufferSize >= 1 && bufferSize <= 65_536);
  assert.ok(maxBorrowed >= 1 && maxBorrowed <= 65_536);
  assert.ok(history >= 0 && history <= 65_536);
}

function checkAnswer(answer: ReturnType<typeof decodeEither>): void {
  if (answer.type === 'refused') return;
  assert.ok([undefined, 'descriptors', 'pool'].includes(answer.delivery));
  const { slots, payloadOffset, maxBytes, strideBytes, userHeaderBytes } = answer.shape;
  assert.ok(slots >= 1 && slots <= MAX_SLOTS);
  assert.ok(64 + userHeaderBytes <= payloadOffset && payloadOffset + maxBytes <= strideBytes);
  assert.ok(Number.isSafeInteger(slots * strideBytes));
}

test('what goes beside samples is asked for and answered in one field each, and other values are refused', () => {
  const parties = { service: '5a'.repeat(10), sender: 1, node: 'f'.repeat(16), receiver: 2 };
  const wishes = { bufferSize: 1, maxBorrowed: 1, history: 0 };
  const request = { messaging: 'publish-subscribe' as const, ...parties, ...wishes };
  const asked = [request, { ...request, buffers: true as const }].map(encodeConnect);
  assert.deepEqual(
    asked.map((packet) => packet[19]),
    [0, 1],
  );
  assert.deepEqual(asked.map(decodeConnect), [request, { ...request, buffers: true }]);
  for (let value = 2; value < 256; value++)
    assert.throws(() => decodeConnect(with32(asked[0], 19, value, 1)), { code: 'ERR_SEALANE_PROTOCOL' });
  const shape = { slots: 1, userHeaderBytes: 0, payloadOffset: 64, maxBytes: 64, strideBytes: 128 };
  const some = { shape, submissionCells: 1, completionCells: 2, segment: 0, sequenceBefore: 0 };
  const answers = [
    some,
    { ...some, delivery: 'descriptors' as const },
    { ...some, delivery: 'pool' as const },
  ];
  for (const [value, answer] of answers.entries()) {
    const packet = encodeAccepted(answer);
    assert.equal(new DataView(packet.buffer, packet.byteOffset).getUint32(56, true), value);
    assert.deepEqual(decodeEither(packet), { type: 'accepted', ...answer });
  }
  for (const value of [3, 4, 255, 256, 65_537, 0x0100_0001, 2 ** 32 - 1])
    assert.throws(() => decodeEither(with32(encodeAccepted(some), 56, value)), {
      code: 'ERR_SEALANE_PROTOCOL',
      message: new RegExp(`delivery is ${value}`),
    });
});

/** The packet with another number there, of four bytes or one. */
function with32(packet: Uint8Array | undefined, at: number, value: number, bytes = 4): Uint8Array {
  const copy = Buffer.from(packet ?? []);
  copy.writeUIntLE(value, at, bytes);
  return copy;
}

test('a packet of another version is refused as that', () => {
  fc.assert(
    fc.property(packets, fc.integer({ min: 2, max: 65_535 }), (packet, version) => {
      new DataView(packet.buffer, packet.byteOffset).setUint16(4, version, true);
      assert.throws(() => decodeConnect(packet), { code: 'ERR_SEALANE_VERSION_MISMATCH' });
      assert.throws(() => decodeEither(packet), { code: 'ERR_SEALANE_VERSION_MISMATCH' });
    }),
  );
});
