/**
 * The packets by which a publisher that grows tells its subscribers of its memory, on the connection of the pair. Pure: bytes in, values
 * out. spec/services.md draws them. Trusts nothing: what is read comes from a peer.
 */
import {
  CELL_SEGMENTS,
  HANDSHAKE_RETIRE,
  HANDSHAKE_RETIRE_BYTES,
  HANDSHAKE_SEGMENT,
  HANDSHAKE_SEGMENT_BYTES,
} from '../../shm/layout.js';
import { begin, broken, check, MAX_STRIDE_BYTES, u32, u64, writeU64 } from '../pairs/handshake.js';

/** Another segment; a descriptor of its memory comes with it. It has as many slots as the first, with the same payload offset. */
export interface SegmentAdded {
  readonly type: 'added';
  readonly segment: number;
  readonly strideBytes: number;
  readonly maxBytes: number;
}

/** A segment of which the subscriber has nothing, and gets nothing any more. */
export interface SegmentRetired {
  readonly type: 'retired';
  readonly segment: number;
}

const TYPE_AT = 6;

/** The packet that brings a segment. */
export function encodeSegment({ segment, strideBytes, maxBytes }: Omit<SegmentAdded, 'type'>): Uint8Array {
  const bytes = begin(HANDSHAKE_SEGMENT_BYTES, HANDSHAKE_SEGMENT);
  bytes.writeUInt32LE(segment, 8);
  writeU64(bytes, 16, strideBytes);
  writeU64(bytes, 24, maxBytes);
  return bytes;
}

/** The packet that ends a segment. */
export function encodeRetire(segment: number): Uint8Array {
  const bytes = begin(HANDSHAKE_RETIRE_BYTES, HANDSHAKE_RETIRE);
  bytes.writeUInt32LE(segment, 8);
  return bytes;
}

/** Reads either. Throws ERR_SEALANE_PROTOCOL, ERR_SEALANE_VERSION_MISMATCH. */
export function decodeSegmentPacket(packet: Uint8Array): SegmentAdded | SegmentRetired {
  const type = packet.length > TYPE_AT ? packet[TYPE_AT] : 0;
  return type === HANDSHAKE_RETIRE ? decodeRetire(packet) : decodeSegment(packet);
}

function decodeRetire(packet: Uint8Array): SegmentRetired {
  const bytes = check(packet, HANDSHAKE_RETIRE_BYTES, HANDSHAKE_RETIRE);
  return { type: 'retired', segment: u32(bytes, 8, 'segment', 0, CELL_SEGMENTS - 1) };
}

function decodeSegment(packet: Uint8Array): SegmentAdded {
  const bytes = check(packet, HANDSHAKE_SEGMENT_BYTES, HANDSHAKE_SEGMENT);
  const segment = u32(bytes, 8, 'segment', 0, CELL_SEGMENTS - 1);
  const strideBytes = u64(bytes, 16, 'strideBytes', 8, MAX_STRIDE_BYTES);
  const maxBytes = u64(bytes, 24, 'maxBytes', 0, strideBytes);
  if (strideBytes % 8 !== 0) throw broken(`strideBytes is ${strideBytes}, not a multiple of 8`);
  return { type: 'added', segment, strideBytes, maxBytes };
}
