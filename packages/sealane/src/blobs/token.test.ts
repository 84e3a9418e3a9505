/** Tokens and targets: whatever stands in for one is what was meant, or refused; and no descriptor is lost. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../base/errors.js';
import { offerDescriptor, takeDescriptor, withdrawDescriptor } from '../os/index.js';
import { Memfd } from '../os/memfd.js';
import { decodeRequest, encodeRequest } from '../wire/index.js';
import { type BlobToken, openBlob } from './blob.js';
import { type Target, toSelector } from './target.js';

const SIZE = 64;

const INFO = { id: 1, size: SIZE, allowed: [], metadata: {}, createdAt: new Date(0), uid: 0 };

function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function makeToken(): BlobToken {
  using memfd = Memfd.sealed('token', new Uint8Array(SIZE).fill(7));
  return { sealane: 'blob-token/1', key: offerDescriptor(memfd.fd), info: INFO };
}

test('a token in which something is changed opens what it was made for, or is refused', () => {
  const anything = fc.oneof(fc.anything({ maxDepth: 1 }), fc.string({ unit: 'binary' }), fc.integer());
  const change = fc.record({ sealane: anything, key: anything, info: anything }, { requiredKeys: [] });
  const size = fc.oneof(fc.constant(SIZE), fc.integer(), fc.double());
  const before = countDescriptors();
  fc.assert(
    fc.property(change, fc.option(size), (changed, otherSize) => {
      const token = makeToken();
      const info = otherSize === null ? INFO : { ...INFO, size: otherSize };
      try {
        using blob = openBlob({ ...token, info, ...changed } as BlobToken);
        assert.equal(blob.size, SIZE);
        assert.equal(blob.bytes[SIZE - 1], 7);
      } catch (error) {
        assert(isSealaneError(error), String(error));
        assert.match(error.code, /_(INVALID_ARGUMENT|BAD_TOKEN|SIZE_MISMATCH)$/);
      } finally {
        withdrawDescriptor(token.key);
      }
    }),
    { numRuns: 1_000 },
  );
  assert.equal(countDescriptors(), before);
});

test('no text but the key itself takes an offer', () => {
  using memfd = Memfd.sealed('token', new Uint8Array(1));
  const key = offerDescriptor(memfd.fd);
  const near = fc
    .tuple(fc.nat(31), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }))
    .map(([at, letter]) => {
      return key.slice(0, at) + letter + key.slice(at + 1);
    });
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[0-9a-f]{32}$/),
    near,
    fc.constant(`${key}0`),
  );
  fc.assert(
    fc.property(text, (wrong) => {
      fc.pre(wrong !== key);
      assert.equal(takeDescriptor(wrong), undefined);
      assert.equal(withdrawDescriptor(wrong), false);
    }),
    { numRuns: 2_000 },
  );
  assert.equal(withdrawDescriptor(key), true);
});

test('whatever stands for a target is one that the wire carries, or a wrong argument', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^(sha256:)?[0-9a-fA-F]{60,66}$/));
  const one = fc.oneof(text, fc.integer(), fc.double(), fc.anything({ maxDepth: 1 }));
  const target = fc.oneof(one, fc.record({ id: one, name: one, digest: one }, { requiredKeys: [] }));
  fc.assert(
    fc.property(target, (given) => {
      try {
        const selector = toSelector(given as Target);
        const request = { type: 'get', requestId: 1, selector, wait: false } as const;
        assert.deepEqual(decodeRequest(encodeRequest(request)), request);
      } catch (error) {
        assert(isSealaneError(error, 'ERR_SEALANE_INVALID_ARGUMENT'), String(error));
      }
    }),
    { numRuns: 3_000 },
  );
});
