/**
 * What every consumer does with what it received, whichever way it came: read each byte once, and hash it
 * when asked.
 */
import { createHash } from 'node:crypto';

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/** The exclusive or of all bytes, read a word at a time: the cheapest pass that has to see every byte. */
export function readEveryByte(bytes: Uint8Array): number {
  const lead = (WORD_BYTES - (bytes.byteOffset % WORD_BYTES)) % WORD_BYTES;
  const wordCount = Math.max(0, Math.floor((bytes.length - lead) / WORD_BYTES));
  if (wordCount === 0) return mix(bytes);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + lead, wordCount);
  let mixed = 0;
  for (let i = 0; i < wordCount; i++) mixed ^= words[i] as number;
  mixed ^= (mixed >>> 8) ^ (mixed >>> 16) ^ (mixed >>> 24);
  return (mixed & 0xff) ^ mix(bytes.subarray(0, lead)) ^ mix(bytes.subarray(lead + wordCount * WORD_BYTES));
}

function mix(bytes: Uint8Array): number {
  let mixed = 0;
  for (const byte of bytes) mixed ^= byte;
  return mixed;
}

/** SHA-256 of the parts in order, in hexadecimal. A part has less than 2 GiB. */
export function digestOf(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
