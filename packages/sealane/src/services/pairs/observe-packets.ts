/**
 * The packets between an observer and the node that it looks at. Pure: bytes in, values out. spec/services.md draws them. Trusts nothing, as the
 * handshake, whose packets begin alike.
 */
import {
  FIGURES_HEADER_BYTES,
  OBSERVE_FIGURES,
  OBSERVE_FIGURES_BYTES,
  OBSERVE_REQUEST,
  OBSERVE_REQUEST_BYTES,
} from '../../shm/layout.js';
import { begin, check, u64, writeU64 } from './handshake.js';

/** Largest memory of figures: a node counts in less, and an observer takes no more from one. */
export const MAX_FIGURES_BYTES = 16 * 2 ** 20;

const TYPE_AT = 6;
const BYTES_AT = 8;

/** The packet of a request. */
export function encodeObserve(): Uint8Array {
  return begin(OBSERVE_REQUEST_BYTES, OBSERVE_REQUEST);
}

/** Whether a packet is such a request. Throws ERR_SEALANE_PROTOCOL or ERR_SEALANE_VERSION_MISMATCH where it is a broken one. */
export function isObserve(packet: Uint8Array): boolean {
  if (packet.length <= TYPE_AT || packet[TYPE_AT] !== OBSERVE_REQUEST) return false;
  check(packet, OBSERVE_REQUEST_BYTES, OBSERVE_REQUEST);
  return true;
}

/** The packet with which the memory comes, of that many bytes. */
export function encodeFigures(bytes: number): Uint8Array {
  const packet = begin(OBSERVE_FIGURES_BYTES, OBSERVE_FIGURES);
  writeU64(packet, BYTES_AT, bytes);
  return packet;
}

/** The bytes of the memory that comes with a packet. */
export function decodeFigures(packet: Uint8Array): number {
  const bytes = check(packet, OBSERVE_FIGURES_BYTES, OBSERVE_FIGURES);
  return u64(bytes, BYTES_AT, 'bytes', FIGURES_HEADER_BYTES, MAX_FIGURES_BYTES);
}
