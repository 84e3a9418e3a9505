/**
 * Reads the fields of one message. Owns nothing: every value that it returns is a copy, so the message may be used
 * again at once. Trusts nothing: each length is checked against what is there before it is used.
 */
import { isUtf8 } from 'node:buffer';
import { FIELD_HEADER_BYTES, TAG_NAMES } from './numbers.js';
import { protocolError } from './protocol-error.js';

/** Texts up to this length are looked through here for whether they are ASCII. */
const SHORT_TEXT = 64;

const DIGEST_BYTES = 32;
const TWO_TO_32 = 0x1_0000_0000;

/**
 * Goes through fields in their order: `while (reader.next()) switch (reader.tag) ...`; a field whose value is not asked
 * for is skipped. Every method throws ERR_SEALANE_PROTOCOL, naming the field and its byte. The methods whose name ends in
 * `Item` are for fields that may repeat; the others refuse a field that was read before.
 */
export class FieldReader {
  /** The tag of the current field. */
  tag = 0;
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #end: number;
  /** Where the current value begins. */
  #at: number;
  /** Where the current value ends. */
  #valueEnd: number;
  /** The tags below 32 that were read, a bit each, and those from 32 to 63. */
  #seenLow = 0;
  #seenHigh = 0;

  /** Reads the fields from `start` to `end` of `bytes`, which must lie inside of them. */
  constructor(bytes: Buffer, view: DataView, start: number, end: number) {
    this.#bytes = bytes;
    this.#view = view;
    this.#end = end;
    this.#at = start;
    this.#valueEnd = start;
  }

  /** The fields of `message` behind its first `start` bytes. */
  static over(message: Uint8Array, start: number): FieldReader {
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    return new FieldReader(bytes, view, start, message.length);
  }

  /** Goes to the next field; false at the end. */
  next(): boolean {
    const start = this.#valueEnd;
    const left = this.#end - start;
    if (left === 0) return false;
    if (left < FIELD_HEADER_BYTES)
      throw protocolError(`${left} bytes at byte ${start} are too few for a field`);
    const tag = this.#view.getUint16(start, true);
    const length = this.#view.getUint32(start + 4, true);
    if (this.#view.getUint16(start + 2, true) !== 0) {
      throw protocolError(`the reserved bytes of field ${nameOf(tag)} at byte ${start} are not 0`);
    }
    if (length > left - FIELD_HEADER_BYTES) {
      throw protocolError(
        `field ${nameOf(tag)} at byte ${start} has a length of ${length}, and ${left - FIELD_HEADER_BYTES} bytes follow`,
      );
    }
    this.tag = tag;
    this.#at = start + FIELD_HEADER_BYTES;
    this.#valueEnd = this.#at + length;
    return true;
  }

  /** An integer from `min` to `max`, of four bytes. */
  u32(min = 0, max = 0xffff_ffff): number {
    this.#once();
    this.#requireLength(4);
    return this.#inRange(this.#view.getUint32(this.#at, true), min, max);
  }

  /** An integer from `min` to 2^53-1, of eight bytes. */
  u64(min = 0): number {
    this.#once();
    this.#requireLength(8);
    const high = this.#view.getUint32(this.#at + 4, true);
    const value = high * TWO_TO_32 + this.#view.getUint32(this.#at, true); // rounded only above 2^53
    return this.#inRange(value, min, Number.MAX_SAFE_INTEGER);
  }

  /** A field that is true by being there. */
  flag(): true {
    this.#once();
    this.#requireLength(0);
    return true;
  }

  /** Well-formed UTF-8 of `min` to `max` bytes. */
  text(min: number, max: number): string {
    this.#once();
    return this.textItem(min, max);
  }

  /** As {@link text}, of a field that may repeat. */
  textItem(min: number, max: number): string {
    return this.#text(this.#at, this.#valueEnd, min, max);
  }

  /** 32 bytes, as 64 lower-case hexadecimal digits. */
  digest(): string {
    this.#once();
    this.#requireLength(DIGEST_BYTES);
    return this.#bytes.toString('hex', this.#at, this.#valueEnd);
  }

  /** A key and a value; `bytes` is the length of both in UTF-8. Of a field that may repeat. */
  entryItem(maxKeyBytes: number, maxBytes: number): { key: string; value: string; bytes: number } {
    const textAt = this.#at + 4;
    if (textAt > this.#valueEnd) throw this.error('is too short for a key and a value');
    const keyBytes = this.#view.getUint32(this.#at, true);
    if (keyBytes > this.#valueEnd - textAt)
      throw this.error(`has a key of ${keyBytes} bytes, longer than the field`);
    const key = this.#text(textAt, textAt + keyBytes, 1, maxKeyBytes);
    const value = this.#text(textAt + keyBytes, this.#valueEnd, 0, maxBytes);
    return { key, value, bytes: this.#valueEnd - textAt };
  }

  /** A reader of the fields inside this one. */
  group(): FieldReader {
    this.#once();
    return this.groupItem();
  }

  /** As {@link group}, of a field that may repeat. */
  groupItem(): FieldReader {
    return new FieldReader(this.#bytes, this.#view, this.#at, this.#valueEnd);
  }

  /** Throws unless a field of this tag was read. */
  require(tag: number): void {
    const seen = tag < 32 ? this.#seenLow : this.#seenHigh;
    if ((seen & (1 << (tag & 31))) === 0) throw this.missing(tag);
  }

  /** Goes through the fields that are left; none of them is known. */
  skipAll(): void {
    while (this.next());
  }

  /** An error about a field of these that is not there. */
  missing(tag: number): Error {
    return protocolError(`field ${nameOf(tag)} is missing before byte ${this.#end}`);
  }

  /** An error about the current field; `what` completes "field NAME at byte N ...". */
  error(what: string): Error {
    return protocolError(`field ${nameOf(this.tag)} at byte ${this.#at - FIELD_HEADER_BYTES} ${what}`);
  }

  #once(): void {
    const bit = 1 << (this.tag & 31);
    const seen = this.tag < 32 ? this.#seenLow : this.#seenHigh;
    if ((seen & bit) !== 0) throw this.error('is there twice');
    if (this.tag < 32) this.#seenLow = seen | bit;
    else this.#seenHigh = seen | bit;
  }

  #requireLength(length: number): void {
    const actual = this.#valueEnd - this.#at;
    if (actual !== length) throw this.error(`has a length of ${actual}; it must be ${length}`);
  }

  #inRange(value: number, min: number, max: number): number {
    if (value < min || value > max) throw this.error(`is ${value}; it must be from ${min} to ${max}`);
    return value;
  }

  #text(start: number, end: number, min: number, max: number): string {
    const length = end - start;
    if (length < min || length > max)
      throw this.error(`has a text of ${length} bytes; it must have ${min} to ${max}`);
    if (this.#isShortAscii(start, end)) return this.#bytes.toString('latin1', start, end);
    if (!isUtf8(this.#bytes.subarray(start, end))) throw this.error('is not well-formed UTF-8');
    return this.#bytes.toString('utf8', start, end);
  }

  #isShortAscii(start: number, end: number): boolean {
    if (end - start > SHORT_TEXT) return false;
    let all = 0;
    for (let index = start; index < end; index++) all |= this.#view.getUint8(index);
    return all < 0x80;
  }
}

function nameOf(tag: number): string {
  return TAG_NAMES[tag] ?? `with the unknown tag ${tag}`;
}
