/**
 * The packets that bring descriptors ahead of samples, on the connection of a pair. Pure: bytes in, values out. spec/buffers.md draws them.
 * Trusts nothing: what is read comes from a peer.
 */
import { begin, check, u32, u64, writeU64 } from '../services/pairs/handshake.js';
import {
  HANDSHAKE_BUFFER,
  HANDSHAKE_BUFFER_BYTES,
  HANDSHAKE_DESCRIPTORS,
  HANDSHAKE_DESCRIPTORS_BYTES,
  HANDSHAKE_MAGIC,
  HANDSHAKE_MAX_DESCRIPTORS,
  HANDSHAKE_VERSION,
} from '../shm/layout.js';

/** The descriptors of one frame come with it. */
export interface DescriptorsPacket {
  /** The frame's. */
  readonly token: number;
  readonly count: number;
}

/** The descriptors of one buffer of a pool come with it. */
export interface BufferPacket {
  /** The buffer's, which is that of its slot. */
  readonly index: number;
  readonly count: number;
}

const TYPE_AT = 6;
const TOKEN_AT = 8;
const COUNT_AT = 16;
const TWO_TO_32 = 0x1_0000_0000;

/** What follows the magic number in a packet of a frame. */
const DESCRIPTORS_WORD = HANDSHAKE_VERSION + HANDSHAKE_DESCRIPTORS * 0x1_0000;

/** What a packet says it is; 0: nothing. */
export function typeOf(packet: Uint8Array): number {
  return packet.length > TYPE_AT + 1
    ? (packet[TYPE_AT] as number) + (packet[TYPE_AT + 1] as number) * 256
    : 0;
}

/** Writes such packets into the same memory, each over the one before. */
export class DescriptorsWriter {
  readonly #bytes = begin(HANDSHAKE_DESCRIPTORS_BYTES, HANDSHAKE_DESCRIPTORS);

  /** The packet, as long as no other is written. */
  write(token: number, count: number): Uint8Array {
    writeU64(this.#bytes, TOKEN_AT, token);
    this.#bytes[COUNT_AT] = count;
    return this.#bytes;
  }
}

/** The packet that brings the descriptors of a frame. */
export function encodeDescriptors({ token, count }: DescriptorsPacket): Uint8Array {
  return new DescriptorsWriter().write(token, count);
}

/** The packet that brings the descriptors of a pool's buffer. */
export function encodeBuffer({ index, count }: BufferPacket): Uint8Array {
  const bytes = begin(HANDSHAKE_BUFFER_BYTES, HANDSHAKE_BUFFER);
  bytes.writeUInt32LE(index, 8);
  bytes.writeUInt32LE(count, COUNT_AT);
  return bytes;
}

/** Reads a packet of a frame. Throws ERR_SEALANE_PROTOCOL, ERR_SEALANE_VERSION_MISMATCH. */
export function decodeDescriptors(packet: Uint8Array): DescriptorsPacket {
  const token = word(packet, TOKEN_AT + 4) * TWO_TO_32 + word(packet, TOKEN_AT);
  const count = word(packet, COUNT_AT);
  const fits =
    token >= 1 && token <= Number.MAX_SAFE_INTEGER && count >= 1 && count <= HANDSHAKE_MAX_DESCRIPTORS;
  return fits && isDescriptors(packet) ? { token, count } : decodeChecked(packet);
}

/** Whether its head is in order. */
function isDescriptors(packet: Uint8Array): boolean {
  return (
    packet.length === HANDSHAKE_DESCRIPTORS_BYTES &&
    word(packet, 0) === HANDSHAKE_MAGIC &&
    word(packet, 4) === DESCRIPTORS_WORD
  );
}

/** The u32 there; what is behind the end counts as zero. */
function word(packet: Uint8Array, at: number): number {
  const low = (packet[at] as number) | ((packet[at + 1] as number) << 8) | ((packet[at + 2] as number) << 16);
  return (low | ((packet[at + 3] as number) << 24)) >>> 0;
}

/** The same, and says what is wrong. */
function decodeChecked(packet: Uint8Array): DescriptorsPacket {
  const bytes = check(packet, HANDSHAKE_DESCRIPTORS_BYTES, HANDSHAKE_DESCRIPTORS);
  return { token: u64(bytes, TOKEN_AT, 'token', 1, Number.MAX_SAFE_INTEGER), count: countIn(bytes) };
}

/** Reads a packet of a buffer in a pool of `buffers`. Throws ERR_SEALANE_PROTOCOL, ERR_SEALANE_VERSION_MISMATCH. */
export function decodeBuffer(packet: Uint8Array, buffers: number): BufferPacket {
  const bytes = check(packet, HANDSHAKE_BUFFER_BYTES, HANDSHAKE_BUFFER);
  return { index: u32(bytes, 8, 'index', 0, buffers - 1), count: countIn(bytes) };
}

function countIn(bytes: Buffer): number {
  return u32(bytes, COUNT_AT, 'count', 1, HANDSHAKE_MAX_DESCRIPTORS);
}
