/**
 * The packets that bring descriptors ahead of samples, on the connection of a pair. Pure: bytes in, values out. spec/buffers.md draws them.
 * Trusts nothing: what is read comes from a peer.
 */
import { begin, check, u32, u64, writeU64 } from '../services/handshake.js';
import {
  HANDSHAKE_BUFFER,
  HANDSHAKE_BUFFER_BYTES,
  HANDSHAKE_DESCRIPTORS,
  HANDSHAKE_DESCRIPTORS_BYTES,
  HANDSHAKE_MAX_DESCRIPTORS,
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

/** What a packet says it is; 0: nothing. */
export function typeOf(packet: Uint8Array): number {
  return packet.length > TYPE_AT + 1
    ? (packet[TYPE_AT] as number) + (packet[TYPE_AT + 1] as number) * 256
    : 0;
}

/** The packet that brings the descriptors of a frame. */
export function encodeDescriptors({ token, count }: DescriptorsPacket): Uint8Array {
  const bytes = begin(HANDSHAKE_DESCRIPTORS_BYTES, HANDSHAKE_DESCRIPTORS);
  writeU64(bytes, 8, token);
  bytes.writeUInt32LE(count, 16);
  return bytes;
}

/** The packet that brings the descriptors of a pool's buffer. */
export function encodeBuffer({ index, count }: BufferPacket): Uint8Array {
  const bytes = begin(HANDSHAKE_BUFFER_BYTES, HANDSHAKE_BUFFER);
  bytes.writeUInt32LE(index, 8);
  bytes.writeUInt32LE(count, 16);
  return bytes;
}

/** Reads a packet of a frame. Throws ERR_SEALANE_PROTOCOL, ERR_SEALANE_VERSION_MISMATCH. */
export function decodeDescriptors(packet: Uint8Array): DescriptorsPacket {
  const bytes = check(packet, HANDSHAKE_DESCRIPTORS_BYTES, HANDSHAKE_DESCRIPTORS);
  return { token: u64(bytes, 8, 'token', 1, Number.MAX_SAFE_INTEGER), count: countIn(bytes) };
}

/** Reads a packet of a buffer in a pool of `buffers`. Throws ERR_SEALANE_PROTOCOL, ERR_SEALANE_VERSION_MISMATCH. */
export function decodeBuffer(packet: Uint8Array, buffers: number): BufferPacket {
  const bytes = check(packet, HANDSHAKE_BUFFER_BYTES, HANDSHAKE_BUFFER);
  return { index: u32(bytes, 8, 'index', 0, buffers - 1), count: countIn(bytes) };
}

function countIn(bytes: Buffer): number {
  return u32(bytes, 16, 'count', 1, HANDSHAKE_MAX_DESCRIPTORS);
}
