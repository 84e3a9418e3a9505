/** The packets that bring descriptors: what is encoded is decoded, and whatever else comes is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../base/errors.js';
import { HANDSHAKE_BUFFER, HANDSHAKE_DESCRIPTORS } from '../shm/layout.js';
import { decodeBuffer, decodeDescriptors, encodeBuffer, encodeDescriptors, typeOf } from './packets.js';

const BUFFERS = 256;

const count = fc.integer({ min: 1, max: 4 });
const token = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const frames = fc.record({ token, count }, { noNullPrototype: true });
const buffers = fc.record(
  { index: fc.integer({ min: 0, max: BUFFERS - 1 }), count },
  { noNullPrototype: true },
);
const packets = fc.oneof(frames.map(encodeDescriptors), buffers.map(encodeBuffer));

/** Decodes, or throws what a peer's packet may cause: then undefined. */
function decoded<P>(decode: (packet: Uint8Array) => P, packet: Uint8Array): P | undefined {
  try {
    return decode(packet);
  } catch (error) {
    const expected =
      isSealaneError(error, 'ERR_SEALANE_PROTOCOL') || isSealaneError(error, 'ERR_SEALANE_VERSION_MISMATCH');
    if (!expected) throw error;
    return undefined;
  }
}

const decodePool = (packet: Uint8Array) => decodeBuffer(packet, BUFFERS);

/** What either decoder makes of it is what the packet says, in its ranges, and no packet is both. */
function checkHonest(packet: Uint8Array): void {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const frame = decoded(decodeDescriptors, packet);
  const buffer = decoded(decodePool, packet);
  assert.ok(frame === undefined || buffer === undefined);
  const found = frame ?? buffer;
  if (found === undefined) return;
  assert.equal(packet.length, 32);
  assert.equal(typeOf(packet), frame === undefined ? HANDSHAKE_BUFFER : HANDSHAKE_DESCRIPTORS);
  assert.ok(found.count >= 1 && found.count <= 4);
  assert.equal(found.count, view.getUint32(16, true));
  if (frame !== undefined) {
    assert.ok(Number.isSafeInteger(frame.token) && frame.token >= 1);
    assert.equal(BigInt(frame.token), view.getBigUint64(8, true));
  }
  if (buffer !== undefined) {
    assert.ok(buffer.index >= 0 && buffer.index < BUFFERS);
    assert.equal(buffer.index, view.getUint32(8, true));
  }
}

test('what is encoded is decoded as it was', () => {
  fc.assert(
    fc.property(frames, (frame) => {
      const packet = encodeDescriptors(frame);
      assert.equal(typeOf(packet), HANDSHAKE_DESCRIPTORS);
      assert.deepEqual(decodeDescriptors(packet), frame);
      checkHonest(packet);
    }),
  );
  fc.assert(
    fc.property(buffers, (buffer) => {
      const packet = encodeBuffer(buffer);
      assert.equal(typeOf(packet), HANDSHAKE_BUFFER);
      assert.deepEqual(decodePool(packet), buffer);
      checkHonest(packet);
    }),
  );
});

test('the bytes are those that the specification draws', () => {
  const hex = (packet: Uint8Array) => Buffer.from(packet).toString('hex');
  assert.equal(
    hex(encodeDescriptors({ token: 0x1_0203_0405_0607, count: 3 })),
    `534c5356 0100 1200 0706050403020100 03000000 ${'00'.repeat(12)}`.replaceAll(' ', ''),
  );
  assert.equal(
    hex(encodeBuffer({ index: 0x102, count: 4 })),
    `534c5356 0100 1300 02010000 00000000 04000000 ${'00'.repeat(12)}`.replaceAll(' ', ''),
  );
});

test('the least and the most of each is decoded, and nothing beyond', () => {
  const most = Number.MAX_SAFE_INTEGER;
  for (const good of [
    { token: 1, count: 1 },
    { token: most, count: 4 },
  ])
    assert.deepEqual(decodeDescriptors(encodeDescriptors(good)), good);
  for (const wrong of [
    { token: 0, count: 1 },
    { token: most + 1, count: 1 },
    { token: 2 ** 63, count: 1 },
    { token: 1, count: 0 },
    { token: 1, count: 5 },
    { token: 1, count: 2 ** 32 - 1 },
  ])
    assert.throws(() => decodeDescriptors(encodeDescriptors(wrong)), { code: 'ERR_SEALANE_PROTOCOL' });
  for (const wrong of [
    { index: 3, count: 1 },
    { index: 2 ** 32 - 1, count: 1 },
    { index: 0, count: 0 },
    { index: 0, count: 5 },
  ])
    assert.throws(() => decodeBuffer(encodeBuffer(wrong), 3), { code: 'ERR_SEALANE_PROTOCOL' });
});

test('no part of a packet is decoded, nor one that is longer', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      for (const decode of [(bytes: Uint8Array): unknown => decodeDescriptors(bytes), decodePool]) {
        for (let length = 0; length < packet.length; length++)
          assert.equal(decoded(decode, packet.subarray(0, length)), undefined);
        assert.equal(decoded(decode, Buffer.concat([packet, Uint8Array.of(0)])), undefined);
      }
    }),
    { numRuns: 50 },
  );
});

test('a packet with anything changed, or made of anything, is decoded as what it says, or refused', () => {
  const changed = fc.tuple(packets, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([packet, at, bits]) => {
    const index = at % packet.length;
    packet[index] = (packet[index] ?? 0) ^ bits;
    return packet;
  });
  const headed = fc
    .tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.constantFrom(16, 17, 18, 19), count)
    .map(([packet, type, number]) => {
      packet.set([83, 76, 83, 86, 1, 0, type, 0]);
      packet.set([number, 0, 0, 0], 16);
      return packet;
    });
  fc.assert(fc.property(fc.oneof(changed, headed, fc.uint8Array({ maxLength: 64 })), checkHonest), {
    numRuns: 4_000,
  });
});

test('a packet of another version is refused as that', () => {
  fc.assert(
    fc.property(packets, fc.integer({ min: 2, max: 65_535 }), (packet, version) => {
      new DataView(packet.buffer, packet.byteOffset).setUint16(4, version, true);
      assert.throws(() => decodeDescriptors(packet), { code: 'ERR_SEALANE_VERSION_MISMATCH' });
      assert.throws(() => decodePool(packet), { code: 'ERR_SEALANE_VERSION_MISMATCH' });
    }),
  );
});

test('packets that are too short to say what they are are nothing', () => {
  for (let length = 0; length < 8; length++) assert.equal(typeOf(new Uint8Array(length).fill(18)), 0);
});
