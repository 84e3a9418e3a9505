/**
 * Writes the fields of one message into a buffer that is used again and again; the finished message is a fresh copy.
 * Owns the ranges of what we send: a value outside is the caller's error. spec/blobs.md draws a field.
 */

import { checkInteger, checkText } from '../base/check.js';
import { invalidArgument, SealaneError } from '../base/errors.js';
import { MAX_MESSAGE_BYTES } from '../base/limits.js';
import { writeHeader } from './header.js';
import { FIELD_HEADER_BYTES, HEADER_BYTES, TAG_NAMES } from './numbers.js';

/** Most messages are far smaller; a writer that had to grow beyond this is not kept. */
const KEPT_BYTES = 65_536;

/** Texts up to this length are copied here if they are ASCII: shorter than a call into the runtime takes. */
const SHORT_TEXT = 64;

const DIGEST = /^[0-9a-f]{64}$/;
const DIGEST_BYTES = 32;

/** The largest value of a u32 field. */
export const MAX_U32 = 0xffff_ffff;

const TWO_TO_32 = 0x1_0000_0000;

/** Appends fields; {@link encodeMessage} provides one. Every method throws ERR_SEALANE_INVALID_ARGUMENT for a value outside its range. */
export class FieldWriter {
  #bytes: Buffer = Buffer.alloc(1_024);
  #view: DataView = viewOf(this.#bytes);
  #end = HEADER_BYTES;

  /** Bytes that this writer holds on to. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Forgets what was written before. */
  begin(): void {
    this.#end = HEADER_BYTES;
  }

  /** The message as fresh, exact bytes that the caller owns. */
  finish(type: number, requestId: number, status: number): Uint8Array {
    this.#checkLength();
    writeHeader(this.#view, this.#end - HEADER_BYTES, type, requestId, status);
    const message = new Uint8Array(this.#end);
    message.set(this.#bytes.subarray(0, this.#end));
    return message;
  }

  /** An integer from `min` to `max`, in four bytes. */
  u32(tag: number, value: number, min = 0, max = MAX_U32): void {
    checkInteger(nameOf(tag), value, min, max);
    const at = this.#field(tag, 4);
    this.#view.setUint32(at, value, true);
  }

  /** An integer from `min` to 2^53-1, in eight bytes. */
  u64(tag: number, value: number, min = 0): void {
    checkInteger(nameOf(tag), value, min, Number.MAX_SAFE_INTEGER);
    const at = this.#field(tag, 8);
    this.#view.setUint32(at, value % TWO_TO_32, true);
    this.#view.setUint32(at + 4, Math.floor(value / TWO_TO_32), true);
  }

  /** A field without value: true. False is written as nothing. */
  flag(tag: number, value: boolean): void {
    if (value) this.#field(tag, 0);
  }

  /** Well-formed Unicode of `min` to `max` bytes in UTF-8. */
  text(tag: number, value: string, min: number, max: number): void {
    const at = this.#field(tag, 0);
    this.#setLength(at, this.#text(nameOf(tag), value, min, max));
  }

  /** Any string, as it comes: lone surrogates are replaced, and what is over `max` bytes is cut before a character. */
  textCut(tag: number, value: string, max: number): void {
    const at = this.#field(tag, 0);
    this.#reserve(max);
    const written = this.#bytes.write(value, this.#end, max, 'utf8');
    this.#end += written;
    this.#setLength(at, written);
  }

  /** 64 lower-case hexadecimal digits, as 32 bytes. */
  digest(tag: number, value: string): void {
    if (typeof value !== 'string' || !DIGEST.test(value)) {
      throw invalidArgument(nameOf(tag), 'be 64 lower-case hexadecimal digits', value);
    }
    const at = this.#field(tag, DIGEST_BYTES);
    this.#bytes.write(value, at, DIGEST_BYTES, 'hex');
  }

  /** A key and its value. Returns the bytes of both in UTF-8. */
  entry(tag: number, key: string, value: unknown, maxKeyBytes: number, maxBytes: number): number {
    const at = this.#field(tag, 4);
    const keyBytes = this.#text(`a key of ${nameOf(tag)}`, key, 1, maxKeyBytes);
    this.#view.setUint32(at, keyBytes, true);
    const valueBytes = this.#text(`a value of ${nameOf(tag)}`, value, 0, maxBytes);
    this.#setLength(at, 4 + keyBytes + valueBytes);
    return keyBytes + valueBytes;
  }

  /** Begins a field whose value is fields; hand the result to {@link endGroup}. */
  beginGroup(tag: number): number {
    return this.#field(tag, 0);
  }

  /** Ends the group that {@link beginGroup} returned `at` for. */
  endGroup(at: number): void {
    this.#setLength(at, this.#end - at);
  }

  /** Appends a field header and room for a value of `length` bytes; returns where the value begins. */
  #field(tag: number, length: number): number {
    this.#reserve(FIELD_HEADER_BYTES + length);
    const at = this.#end + FIELD_HEADER_BYTES;
    this.#view.setUint32(this.#end, tag, true); // the tag and the two reserved bytes, which are 0
    this.#view.setUint32(this.#end + 4, length, true);
    this.#end = at + length;
    return at;
  }

  #setLength(valueAt: number, length: number): void {
    this.#view.setUint32(valueAt - 4, length, true);
  }

  /** Appends the UTF-8 of `value` and returns its length. */
  #text(name: string, value: unknown, min: number, max: number): number {
    if (typeof value === 'string' && value.length >= min && value.length <= Math.min(max, SHORT_TEXT)) {
      this.#reserve(SHORT_TEXT);
      if (this.#shortAscii(value)) return value.length;
    }
    checkText(name, value, min, max);
    this.#reserve(3 * value.length); // a code unit of UTF-16 takes at most three bytes
    const written = this.#bytes.write(value, this.#end, 'utf8');
    this.#end += written;
    return written;
  }

  #shortAscii(value: string): boolean {
    const bytes = this.#bytes;
    const at = this.#end;
    for (let index = 0; index < value.length; index++) {
      const unit = value.charCodeAt(index);
      if (unit > 0x7f) return false;
      bytes[at + index] = unit;
    }
    this.#end = at + value.length;
    return true;
  }

  #reserve(length: number): void {
    const needed = this.#end + length;
    if (needed <= this.#bytes.length) return;
    this.#checkLength(); // before it grows further
    const grown = Buffer.alloc(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#end);
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }

  #checkLength(): void {
    if (this.#end <= MAX_MESSAGE_BYTES) return;
    throw new SealaneError(
      'ERR_SEALANE_LIMIT_EXCEEDED',
      `a message has at most ${MAX_MESSAGE_BYTES} bytes; this one is longer`,
    );
  }
}

/** The writer that no call uses at the moment; a call that finds none (it runs inside another, from a getter) makes its own. */
let idle: FieldWriter | undefined;

/**
 * A message of this type with the fields that `writeBody` writes, as fresh bytes. Throws ERR_SEALANE_INVALID_ARGUMENT
 * for a value outside its range and ERR_SEALANE_LIMIT_EXCEEDED for a message over MAX_MESSAGE_BYTES.
 */
export function encodeMessage<T extends { readonly requestId: number }>(
  type: number,
  status: number,
  message: T,
  writeBody: (writer: FieldWriter, message: T) => void,
): Uint8Array {
  checkInteger('requestId', message.requestId, 1, MAX_U32);
  const writer = idle ?? new FieldWriter();
  idle = undefined;
  writer.begin();
  try {
    writeBody(writer, message);
    return writer.finish(type, message.requestId, status);
  } finally {
    if (writer.capacity <= KEPT_BYTES) idle = writer;
  }
}

function nameOf(tag: number): string {
  return TAG_NAMES[tag] ?? `field ${tag}`;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
