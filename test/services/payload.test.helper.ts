/** Samples that prove themselves: random content that a seed decides, and a checksum over all of it. Also seeded random numbers, and words of them. */

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** A whole number from `min` to `max`. */
export function between(random: () => number, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1));
}

/** Words at the begin of a payload: checksum of the rest, seed, sequence number, length. */
const HEADER_WORDS = 4;
/** Shortest payload that can be made. */
export const MIN_PAYLOAD_BYTES = HEADER_WORDS * 4;

const wordsOf = (bytes: Uint8Array) =>
  new Uint32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));

/** Fills a payload, which begins at a multiple of 4, with what follows from the seed and the sequence number. */
export function fillPayload(bytes: Uint8Array, seed: number, sequence: number): void {
  const words = wordsOf(bytes);
  let state = (Math.imul(seed, 0x9e3779b1) ^ sequence) | 1;
  for (let at = HEADER_WORDS; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  for (let at = words.length * 4; at < bytes.length; at++) bytes[at] = state >>> (at % 4);
  words[1] = seed;
  words[2] = sequence;
  words[3] = bytes.length;
  words[0] = checksum(bytes);
}

/** What is wrong with a payload that should be of that sequence number; undefined: nothing. */
export function payloadProblem(bytes: Uint8Array, sequence: number): string | undefined {
  const words = wordsOf(bytes);
  if (bytes.length < MIN_PAYLOAD_BYTES) return `it has ${bytes.length} bytes`;
  if (words[3] !== bytes.length) return `it says that it has ${words[3]} bytes, and has ${bytes.length}`;
  if (words[2] !== sequence) return `it says that it is sample ${words[2]}, its header ${sequence}`;
  const sum = checksum(bytes);
  return words[0] === sum ? undefined : `its checksum is ${sum}, and ${words[0]} is due`;
}

/** Over all but the checksum itself. */
function checksum(bytes: Uint8Array): number {
  const words = wordsOf(bytes);
  let sum = 0x811c9dc5;
  for (let at = 1; at < words.length; at++) {
    sum = Math.imul(sum ^ (words[at] as number), 0x01000193);
    sum ^= sum >>> 15;
  }
  for (let at = words.length * 4; at < bytes.length; at++) sum = Math.imul(sum ^ (bytes[at] as number), 31);
  return sum >>> 0;
}

/** Writes a thousand words anywhere: of any value, or small ones that may make sense. */
export function scribble(random: () => number, words: Int32Array): void {
  for (let count = 0; count < 1_000; count++) {
    const at = between(random, 0, words.length - 1);
    const value = random() < 0.5 ? between(random, -2, 16) : between(random, -(2 ** 31), 2 ** 31 - 1);
    Atomics.store(words, at, value);
  }
}
