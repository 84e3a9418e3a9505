/**
 * Whatever packets and samples come in whatever order: what is claimed is exactly what was sent with its token, what is wrong is an error with a
 * code, and each descriptor is somebody's or closed.
 */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync, readSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError, type SealaneError } from '../base/errors.js';
import { duplicate, Memfd, type Packet } from '../os/index.js';
import type { InboundPair } from '../services/samples/companion.js';
import type { HotSample } from '../services/samples/received.js';
import { toAllowedKinds } from './kinds.js';
import { encodeBuffer, encodeDescriptors } from './packets.js';
import { type Arrival, DescriptorReceiver, PoolReceiver } from './receivers.js';

const NAME = 'sealane-property';
const BUFFER_SIZE = 2;
const SLOTS = 4;

/** Four descriptors of each of these tokens, or buffers, that say whose they are and which. */
const MOST = 12;
const marks = Array.from({ length: MOST + 1 }, (_, token) =>
  Array.from({ length: 6 }, (__, index) => Memfd.sealed(NAME, Uint8Array.of(token, index))),
);
const OWN = marks.flat().length;

function open(): number {
  const isMark = (fd: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(`/memfd:${NAME}`);
    } catch {
      return false;
    }
  };
  return readdirSync('/proc/self/fd').filter(isMark).length - OWN;
}

function markOf(fd: number): number[] {
  const bytes = new Uint8Array(2);
  readSync(fd, bytes, 0, 2, 0);
  return [...bytes];
}

const pair = (delivery: InboundPair['delivery']): InboundPair => ({
  delivery,
  peer: { node: 'f'.repeat(16), port: 1, pid: 1 },
  slots: SLOTS,
  bufferSize: BUFFER_SIZE,
  sequenceBefore: 0,
});

/** A packet, or a sample. */
type Step =
  | {
      readonly what: 'packet';
      /** Its token or index; `follows`: so much more than that of the packet before. */
      readonly number: number;
      readonly follows: boolean;
      readonly count: number;
      readonly comes: number;
      readonly lost: boolean;
      readonly change: readonly [at: number, bits: number] | undefined;
    }
  | { readonly what: 'sample'; readonly number: number; readonly packets: number };

const number = fc.integer({ min: 0, max: MOST });
/** A byte of a packet, but none of its token or index: another one is another honest packet. */
const elsewhere = fc.constantFrom(...[0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 31]);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: honest() },
    {
      weight: 1,
      arbitrary: fc.record({
        what: fc.constant('packet' as const),
        number,
        follows: fc.boolean(),
        count: fc.integer({ min: 0, max: 5 }),
        comes: fc.integer({ min: 0, max: 6 }),
        lost: fc.boolean(),
        change: fc.option(fc.tuple(elsewhere, fc.integer({ min: 1, max: 255 })), { nil: undefined }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ what: fc.constant('sample' as const), number, packets: fc.nat(3) }),
    },
  ),
  { maxLength: 30 },
);

function honest(): fc.Arbitrary<Step> {
  const some = { number: fc.constantFrom(1, 1, 1, 2), count: fc.integer({ min: 1, max: 4 }) };
  return fc.record(some).map(({ number: more, count }) => {
    return {
      what: 'packet',
      number: more,
      follows: true,
      count,
      comes: count,
      lost: false,
      change: undefined,
    };
  });
}

const CODES = [
  'ERR_SEALANE_PROTOCOL',
  'ERR_SEALANE_VERSION_MISMATCH',
  'ERR_SEALANE_TOKEN_MISMATCH',
  'ERR_SEALANE_MISSING_DESCRIPTOR',
  'ERR_SEALANE_EXHAUSTED',
];

/** What of the receiver's errors may be; returns undefined then. */
function tried<R>(action: () => R): R | undefined {
  try {
    return action();
  } catch (error) {
    assert.ok(isSealaneError(error), String(error));
    assert.ok(CODES.includes(error.code), error.code);
    return undefined;
  }
}

function packetOf(
  step: Extract<Step, { what: 'packet' }>,
  about: number,
  pooled: boolean,
): [Uint8Array, Packet] {
  const { count, comes, lost, change } = step;
  const bytes = pooled ? encodeBuffer({ index: about, count }) : encodeDescriptors({ token: about, count });
  if (change !== undefined) bytes[change[0]] = (bytes[change[0]] ?? 0) ^ change[1];
  const descriptors = (marks[about] ?? []).slice(0, comes).map(({ fd }) => duplicate(fd));
  return [bytes, { bytes: bytes.length, descriptors, descriptorsLost: lost, truncated: false }];
}

/** A sample as far as companions look at it. */
const sampleOf = (sequence: number, slot: number) =>
  ({ sequence, slot, luggage: undefined }) as unknown as HotSample;

test('frames get exactly their own descriptors, and no others stay open', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const lies: SealaneError[] = [];
      const receiver = new DescriptorReceiver(pair('descriptors'), toAllowedKinds('any'), (e) =>
        lies.push(e),
      );
      let claimed = 0;
      let last = 0;
      for (const step of list) {
        if (step.what === 'packet') {
          const token = step.follows ? Math.min(MOST, last + step.number) : step.number;
          const [bytes, packet] = packetOf(step, token, false);
          const taken = tried(() => receiver.take(bytes, packet));
          if (taken === true) {
            assert.ok(token > last, 'tokens count up');
            last = token;
          }
          if (taken === false) for (const fd of packet.descriptors) Memfd.take(fd).close();
        } else {
          const sample = sampleOf(step.number, 0);
          const told = lies.length;
          tried(() => receiver.claim(sample, () => false));
          const arrival = sample.luggage as Arrival | undefined;
          assert.equal(arrival === undefined, lies.length > told, 'a lie is told of');
          if (arrival === undefined) continue;
          assert.ok(step.number > claimed, 'tokens are claimed once, and count up');
          claimed = step.number;
          const found = arrival.descriptors.map(markOf);
          if (arrival.problem === undefined) assert.ok(found.length >= 1 && found.length <= 4);
          else assert.deepEqual([arrival.problem.code, found.length], ['ERR_SEALANE_EXHAUSTED', 0]);
          assert.deepEqual(
            found,
            found.map((_, index) => [step.number, index]),
          );
          arrival.close();
        }
        assert.ok(open() <= 4 * (BUFFER_SIZE + 1), 'few wait');
      }
      receiver.close();
      receiver.close();
      assert.equal(open(), 0);
    }),
    { numRuns: 300 },
  );
});

test('frames of a pool get exactly the descriptors of their buffer, and no others stay open', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const receiver = new PoolReceiver(pair('pool'), toAllowedKinds('any'), () => undefined);
      const known = new Map<number, Arrival>();
      for (const step of list) {
        if (step.what === 'packet') {
          const [bytes, packet] = packetOf(step, step.number, true);
          if (tried(() => receiver.take(bytes, packet)) === false)
            for (const fd of packet.descriptors) Memfd.take(fd).close();
        } else {
          const sample = sampleOf(1, step.number % SLOTS);
          tried(() => receiver.claim(sample, () => false));
          const arrival = sample.luggage as Arrival | undefined;
          if (arrival === undefined) {
            assert.ok(!known.has(sample.slot), 'a buffer that came stays');
            continue;
          }
          assert.equal(known.get(sample.slot) ?? arrival, arrival, 'a buffer comes once');
          known.set(sample.slot, arrival);
          const found = arrival.descriptors.map(markOf);
          assert.ok(found.length >= 1 && found.length <= 4);
          const expected = found.map((_, index) => [sample.slot, index]);
          assert.deepEqual(found, expected);
        }
        assert.ok(open() <= 4 * SLOTS);
      }
      receiver.close();
      receiver.close();
      assert.equal(open(), 0);
    }),
    { numRuns: 300 },
  );
});

test('a frame that comes twice is a lie, as one that comes after a later one', () => {
  const receiver = new DescriptorReceiver(pair('descriptors'), toAllowedKinds('any'), () => undefined);
  for (const token of [1, 2, 4]) {
    const packet = { number: token, follows: false, count: 1, comes: 1, lost: false, change: undefined };
    receiver.take(...packetOf({ what: 'packet', ...packet }, token, false));
  }
  const second = sampleOf(2, 0);
  receiver.claim(second, () => false);
  for (const token of [2, 1, 0])
    assert.throws(() => receiver.claim(sampleOf(token, 0), () => false), {
      code: 'ERR_SEALANE_TOKEN_MISMATCH',
      message: `frame ${token} comes after 2`,
      sequence: token,
    });
  (second.luggage as Arrival).close();
  receiver.close();
  assert.equal(open(), 0);
});

test('a receiver looks through a bounded number of packets for that of a sample', () => {
  for (const delivery of ['descriptors', 'pool'] as const) {
    let told = 0;
    const Receiver = delivery === 'pool' ? PoolReceiver : DescriptorReceiver;
    const receiver = new Receiver(pair(delivery), toAllowedKinds('any'), () => {
      told += 1;
    });
    let served = 0;
    const serve = () => {
      served += 1;
      assert.ok(served < 10_000, 'it ends by itself');
      return true;
    };
    assert.throws(() => receiver.claim(sampleOf(7, 3), serve), {
      code: 'ERR_SEALANE_MISSING_DESCRIPTOR',
      sequence: 7,
    });
    assert.equal(told, 1);
    receiver.close();
  }
});
