/** Detached messages: what was split is put together to the same, and any packet with any body is a message or refused, and nothing stays open. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../base/errors.js';
import {
  closeDescriptor,
  duplicate,
  SEAL_GROW,
  SEAL_SEAL,
  SEAL_SHRINK,
  SEAL_WRITE,
} from '../os/descriptor.js';
import { Memfd } from '../os/memfd.js';
import { HEADER_BYTES } from '../wire/index.js';
import { attach, detach, isDetached } from './detached.js';

const MAX_BYTES = 10_000;

const REFUSALS = [
  'ERR_SEALANE_PROTOCOL',
  'ERR_SEALANE_NOT_SEALED',
  'ERR_SEALANE_SIZE_MISMATCH',
  'ERR_SEALANE_WRONG_DESCRIPTOR',
] as const;

function messageOf(body: Uint8Array): Uint8Array {
  const message = new Uint8Array(HEADER_BYTES + body.length);
  new DataView(message.buffer).setUint32(0, body.length, true);
  message.set(body, HEADER_BYTES);
  return message;
}

test('what was split is put together to the same', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 5_000 }), (bytes) => {
      const message = messageOf(bytes);
      const { header, body } = detach(message);
      const descriptors = [duplicate(body.fd)];
      body.close();
      assert(isDetached(header));
      assert.deepEqual(attach(header, descriptors, MAX_BYTES), message);
      assert.deepEqual(descriptors, []);
    }),
  );
});

test('any packet with any body is a message of the stated size, or refused with its descriptors left to the caller', () => {
  const packet = fc.oneof(
    fc.uint8Array({ minLength: HEADER_BYTES, maxLength: HEADER_BYTES }),
    fc.uint8Array({ minLength: HEADER_BYTES, maxLength: 40 }),
    fc.nat(MAX_BYTES + 10).map((bytes) => {
      const header = new Uint8Array(HEADER_BYTES);
      new DataView(header.buffer).setUint32(0, bytes, true);
      return header;
    }),
  );
  const seals = fc.constantFrom(
    0,
    SEAL_SEAL | SEAL_SHRINK | SEAL_GROW,
    SEAL_SEAL | SEAL_SHRINK | SEAL_GROW | SEAL_WRITE,
  );
  const body = fc.option(fc.tuple(fc.nat(MAX_BYTES + 10), seals));
  fc.assert(
    fc.property(packet, body, fc.boolean(), (bytes, made, fitting) => {
      const stated = new DataView(bytes.buffer).getUint32(0, true);
      const size = made !== null && fitting && stated <= MAX_BYTES ? stated : (made?.[0] ?? 0);
      const descriptors = made === null ? [] : [makeBody(size, made[1])];
      const given = descriptors.length;
      try {
        const message = attach(bytes, descriptors, MAX_BYTES);
        assert.equal(message.length, HEADER_BYTES + stated);
        assert.equal(descriptors.length, given - 1);
      } catch (error) {
        assert(isSealaneError(error) && REFUSALS.some((code) => error.code === code), String(error));
        assert.equal(descriptors.length, given);
      } finally {
        for (const descriptor of descriptors) closeDescriptor(descriptor);
      }
    }),
    { numRuns: 1_000 },
  );
});

function makeBody(size: number, seals: number): number {
  using memfd = Memfd.create('body', size);
  if (seals !== 0) memfd.seal(seals);
  return duplicate(memfd.fd);
}
