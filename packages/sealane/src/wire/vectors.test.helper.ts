/** Reads the test vectors of spec/vectors for the tests of the codec. */
import { readFileSync } from 'node:fs';

/** The root of the repository, seen from the compiled tests. */
export const ROOT = new URL('../../../..', import.meta.url);

/** A message and its bytes: `hex` is a line for the header and one for each field. */
export interface Vector<T> {
  readonly name: string;
  readonly hex: readonly string[];
  readonly message: T;
}

/** The entries of one file of spec/vectors. */
export function readVectors<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`spec/vectors/${name}.json`, ROOT), 'utf8')) as T[];
}

/** The message that the lines of a vector stand for. */
export function bytesOf(hex: readonly string[]): Uint8Array {
  return Buffer.from(hex.join('').replaceAll(' ', ''), 'hex');
}
