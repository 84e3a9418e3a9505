/**
 * Takes the bytes and descriptors of one request as they come, in pieces of any size, and tells when it is whole.
 * Owns the first descriptor until it is taken, and memory for what the request's command looks at; the rest is counted and
 * thrown away. Trusts nothing.
 */
import type { Packet } from '../../os/unix-socket.js';
import {
  decodeMemfdbusHeader,
  MEMFDBUS_HEADER_BYTES,
  type MemfdbusHeader,
  memfdbusPayloadBytes,
} from '../../wire/index.js';
import type { Closer } from '../closer.js';
import { Refusal } from './failures.js';
import {
  checkHeader,
  type MemfdbusRequest,
  parseRequest,
  payloadWanted,
  type RequestLimits,
} from './request.js';

export class Receiver {
  readonly #head = new Uint8Array(MEMFDBUS_HEADER_BYTES);
  #headBytes = 0;
  #header: MemfdbusHeader | undefined;
  #payload = new Uint8Array(0);
  #payloadBytes = 0;
  /** Bytes after the header, kept or not. */
  #bodyBytes = 0;
  #descriptor: number | undefined;
  #descriptorsLost = false;

  constructor(
    private readonly limits: RequestLimits,
    private readonly closer: Pick<Closer, 'reject'>,
  ) {}

  /** The command of the header; 0 before it is there. */
  get command(): number {
    return this.#header?.command ?? 0;
  }

  /** Whether the header is there. */
  get greeted(): boolean {
    return this.#header !== undefined;
  }

  /** Bytes that the header states and that have not come yet. */
  get missing(): number {
    return this.#header === undefined ? 0 : Math.max(0, memfdbusPayloadBytes(this.#header) - this.#bodyBytes);
  }

  /** Takes a piece, `bytes` of which are valid during the call. Whether all that is looked at is there. Throws a Refusal. */
  add(piece: Packet, bytes: Uint8Array): boolean {
    this.#keepDescriptor(piece);
    const rest = this.#header === undefined ? this.#addToHead(bytes) : bytes;
    this.#bodyBytes += rest.length;
    const kept = rest.subarray(0, this.#payload.length - this.#payloadBytes);
    this.#payload.set(kept, this.#payloadBytes);
    this.#payloadBytes += kept.length;
    return this.#header !== undefined && this.#payloadBytes === this.#payload.length;
  }

  /** Counts a piece that comes behind the end, or behind a fault, and closes what comes with it. */
  skip(piece: Packet): void {
    for (const descriptor of piece.descriptors) this.closer.reject(descriptor);
    this.#bodyBytes += piece.bytes;
  }

  /** The request, as far as it came. Throws a Refusal: also that a part is missing. */
  parse(): MemfdbusRequest {
    if (this.#header === undefined) throw Refusal.of('invalid protocol header');
    return parseRequest(this.#header, this.#payload.subarray(0, this.#payloadBytes));
  }

  /** Hands out the descriptor, which the caller owns then. Throws a Refusal when there is none. */
  takeDescriptor(): number {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) return descriptor;
    throw Refusal.of(this.#descriptorsLost ? 'broker is out of descriptors' : 'missing memfd descriptor');
  }

  /** Closes the descriptor if nobody took it. Idempotent. */
  close(): void {
    if (this.#descriptor !== undefined) this.closer.reject(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** The first descriptor, of the piece with the first byte; all others are surplus. */
  #keepDescriptor(piece: Packet): void {
    const [first, ...surplus] = piece.descriptors;
    if (this.#headBytes > 0) {
      if (first !== undefined) this.closer.reject(first);
    } else {
      this.#descriptor = first;
      this.#descriptorsLost = piece.descriptorsLost;
    }
    for (const descriptor of surplus) this.closer.reject(descriptor);
  }

  /** The bytes behind the header. */
  #addToHead(bytes: Uint8Array): Uint8Array {
    const part = bytes.subarray(0, MEMFDBUS_HEADER_BYTES - this.#headBytes);
    this.#head.set(part, this.#headBytes);
    this.#headBytes += part.length;
    if (this.#headBytes === MEMFDBUS_HEADER_BYTES) this.#open(bytes.length - part.length);
    return bytes.subarray(part.length);
  }

  /** `surplus`: bytes behind the header that came along, counted here when it is refused. */
  #open(surplus: number): void {
    let header: MemfdbusHeader;
    try {
      header = decodeMemfdbusHeader(this.#head);
    } catch {
      throw Refusal.of('invalid protocol header');
    }
    this.#header = header;
    try {
      checkHeader(header, this.limits);
    } catch (error) {
      this.#bodyBytes += surplus;
      throw error;
    }
    this.#payload = new Uint8Array(payloadWanted(header));
  }
}
