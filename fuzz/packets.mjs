/**
 * What peers send is read, whatever it is: the packets of pairs, and the metadata of frames. Each input is decoded as exactly what its bytes say, or refused
 * with an error of the protocol. Run by scripts/fuzz.mjs; the first byte of an input chooses who reads the rest.
 */
import assert from 'node:assert/strict';
import { decodeFrameMetadata, encodeFrameMetadata, isSealaneError } from 'sealane';
import {
  decodeAccepted,
  decodeAnswer,
  decodeBuffer,
  decodeConnect,
  decodeDescriptors,
  decodeListenAccepted,
  decodeSegmentPacket,
  encodeAccepted,
  encodeBuffer,
  encodeConnect,
  encodeDescriptors,
  encodeListenAccepted,
  encodeRefused,
  encodeRetire,
  encodeSegment,
} from 'sealane/internal';

const CODES = new Set(['ERR_SEALANE_PROTOCOL', 'ERR_SEALANE_VERSION_MISMATCH']);
const BUFFERS = 256;

/** Encodes an answer of a publisher, or its refusal. */
function encodeAnswer(answer) {
  if (answer.type !== 'refused') return encodeAccepted(answer);
  const packet = encodeRefused(answer.reason, answer.text);
  return answer.text.includes('\ufffd') ? undefined : packet;
}

/** Who reads, and who writes the same again; bytes that a reader does not look at may differ. */
const READERS = [
  { decode: decodeDescriptors, encode: encodeDescriptors, looksAt: 20 },
  { decode: (packet) => decodeBuffer(packet, BUFFERS), encode: encodeBuffer, skips: [12, 16], looksAt: 20 },
  { decode: decodeConnect, encode: encodeConnect, check: 'fields' },
  { decode: (packet) => decodeAnswer(packet, decodeAccepted), encode: encodeAnswer, check: 'fields' },
  {
    decode: (packet) => decodeAnswer(packet, decodeListenAccepted),
    encode: (answer) => (answer.type === 'refused' ? encodeAnswer(answer) : encodeListenAccepted(answer)),
    check: 'fields',
  },
  {
    decode: decodeSegmentPacket,
    encode: (packet) => (packet.type === 'added' ? encodeSegment(packet) : encodeRetire(packet.segment)),
    check: 'fields',
  },
  { decode: decodeFrameMetadata, encode: encodeFrameMetadata },
];

function decoded(decode, bytes) {
  try {
    return decode(bytes);
  } catch (error) {
    if (isSealaneError(error) && CODES.has(error.code)) return undefined;
    throw error;
  }
}

/** Reads one input; throws where that is not as it should be. Returns whether it was taken for something. */
export function readInput(input) {
  const { decode, encode, check, skips = [0, 0], looksAt } = READERS[(input[0] ?? 0) % READERS.length];
  const bytes = input.subarray(1);
  const found = decoded(decode, bytes);
  if (found === undefined) return false;
  const again = encode(found);
  if (again === undefined) return true;
  if (check === 'fields') {
    assert.deepEqual(decode(again), found);
    return true;
  }
  const seen = (packet) => {
    const copy = Buffer.from(packet.subarray(0, looksAt));
    return copy.fill(0, ...skips);
  };
  assert.deepEqual(seen(again), seen(bytes));
  return true;
}

/** Numbers at which things change. */
const NUMBERS = [
  0,
  1,
  2,
  3,
  4,
  5,
  8,
  16,
  19,
  63,
  64,
  255,
  256,
  1_023,
  1_024,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32 - 1,
];

/** Inputs that were taken for something, of each reader the newest. */
const KEPT = 64;

/** Makes inputs of those that were taken for something. `random` gives whole numbers below its argument. */
export class Mutator {
  #random;
  #taken = READERS.map(() => []);

  constructor(random) {
    this.#random = random;
  }

  /** An input that was taken for something. */
  add(input) {
    const taken = this.#taken[(input[0] ?? 0) % READERS.length];
    if (taken.length < KEPT) taken.push(input);
    else taken[this.#random(KEPT)] = input;
  }

  /** Another input; any reader's is as likely. */
  next() {
    const random = this.#random;
    const taken = this.#taken[random(READERS.length)];
    const bytes = Buffer.from(taken[random(taken.length)] ?? []);
    for (let changes = random(5); changes > 0 && bytes.length > 1; changes--) this.#change(bytes);
    if (random(10) === 0) return bytes.subarray(0, random(bytes.length + 1));
    return random(10) === 0 ? Buffer.concat([bytes, Buffer.alloc(1 + random(64), random(256))]) : bytes;
  }

  #change(bytes) {
    const random = this.#random;
    const words = Math.floor((bytes.length - 1) / 4);
    if (words > 0 && random(2) === 0)
      bytes.writeUInt32LE(NUMBERS[random(NUMBERS.length)], 1 + 4 * random(words));
    else bytes[1 + random(bytes.length - 1)] ^= 1 << random(8);
  }
}
