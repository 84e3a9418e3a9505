/** The packets of memory that grows: what is encoded is decoded, and whatever else comes is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../../base/errors.js';
import {
  decodeSegmentPacket,
  encodeRetire,
  encodeSegment,
  type SegmentAdded,
  type SegmentRetired,
} from './segment-packets.js';

const segment = fc.integer({ min: 0, max: 1_023 });

const added: fc.Arbitrary<SegmentAdded> = fc
  .record({ segment, words: fc.integer({ min: 1, max: 2 ** 37 }), used: fc.nat({ max: 2 ** 31 - 1 }) })
  .map(({ segment, words, used }) => {
    const strideBytes = words * 8;
    return { type: 'added', segment, strideBytes, maxBytes: used % (strideBytes + 1) };
  });

const retired: fc.Arbitrary<SegmentRetired> = segment.map((segment) => ({ type: 'retired', segment }));

const encode = (change: SegmentAdded | SegmentRetired) =>
  change.type === 'added' ? encodeSegment(change) : encodeRetire(change.segment);

const packets = fc.oneof(added, retired).map(encode);

/** Decodes, or throws what a peer's packet may cause: then undefined. */
function decoded(packet: Uint8Array): SegmentAdded | SegmentRetired | undefined {
  try {
    return decodeSegmentPacket(packet);
  } catch (error) {
    const expected =
      isSealaneError(error, 'ERR_SEALANE_PROTOCOL') || isSealaneError(error, 'ERR_SEALANE_VERSION_MISMATCH');
    if (!expected) throw error;
    return undefined;
  }
}

test('what is encoded is decoded as it was', () => {
  fc.assert(
    fc.property(fc.oneof(added, retired), (change) =>
      assert.deepEqual(decodeSegmentPacket(encode(change)), change),
    ),
  );
});

test('no part of a packet is decoded, nor one that is longer', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      for (let length = 0; length < packet.length; length++)
        assert.equal(decoded(packet.subarray(0, length)), undefined);
      assert.equal(decoded(Buffer.concat([packet, Uint8Array.of(0)])), undefined);
    }),
    { numRuns: 50 },
  );
});

test('a packet with anything changed, or made of anything, is decoded within its ranges, or refused', () => {
  const changed = fc.tuple(packets, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([packet, at, bits]) => {
    const index = at % packet.length;
    packet[index] = (packet[index] ?? 0) ^ bits;
    return packet;
  });
  const random = fc.constantFrom(16, 32).chain((length) =>
    fc.uint8Array({ minLength: length, maxLength: length }).map((packet) => {
      packet.set([83, 76, 83, 86, 1, 0, length === 16 ? 17 : 16, 0]);
      return packet;
    }),
  );
  fc.assert(
    fc.property(fc.oneof(changed, random), (packet) => {
      const change = decoded(packet);
      if (change === undefined) return;
      assert.ok(change.segment >= 0 && change.segment < 1_024);
      if (change.type === 'retired') return;
      assert.ok(change.strideBytes % 8 === 0 && change.strideBytes >= 8 && change.strideBytes <= 2 ** 40);
      assert.ok(change.maxBytes >= 0 && change.maxBytes <= change.strideBytes);
    }),
    { numRuns: 2_000 },
  );
});
