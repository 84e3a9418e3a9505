/**
 * The header: the 16 bytes in front of every message. Little-endian.
 *
 *     0        4      6       8           12       14         16
 *     | bodyBytes | type | flags | requestId | status | reserved |  body ...
 *
 * Owns its layout and checks. Trusts nothing: every value comes from a peer.
 */
import { MAX_MESSAGE_BYTES } from '../base/limits.js';
import type { Header } from './messages.js';
import { FLAG_DETACHED, HEADER_BYTES } from './numbers.js';
import { protocolError } from './protocol-error.js';

const BODY_BYTES_AT = 0;
const TYPE_AT = 4;
const FLAGS_AT = 6;
const REQUEST_ID_AT = 8;
const STATUS_AT = 12;
const RESERVED_AT = 14;

/**
 * Reads the header of a packet or of a message. Throws ERR_SEALANE_PROTOCOL when it is cut short, when an unknown
 * flag or a reserved bit is set, when the requestId is 0, when the message is over MAX_MESSAGE_BYTES, or when the body
 * is not `bodyBytes` long (of a detached message: when something follows the header, or the body is empty).
 * A packet whose header can't be read can't be answered.
 */
export function decodeHeader(packet: Uint8Array): Header {
  if (packet.length < HEADER_BYTES) {
    throw protocolError(`a message has ${packet.length} bytes; its header alone has ${HEADER_BYTES}`);
  }
  const view = new DataView(packet.buffer, packet.byteOffset, HEADER_BYTES);
  const flags = view.getUint16(FLAGS_AT, true);
  const header = {
    bodyBytes: view.getUint32(BODY_BYTES_AT, true),
    type: view.getUint16(TYPE_AT, true),
    detached: flags === FLAG_DETACHED,
    requestId: view.getUint32(REQUEST_ID_AT, true),
    status: view.getUint16(STATUS_AT, true),
  };
  if ((flags & ~FLAG_DETACHED) !== 0)
    throw protocolError(`flags at byte ${FLAGS_AT} are ${flags}; only bit 0 is known`);
  if (view.getUint16(RESERVED_AT, true) !== 0)
    throw protocolError(`the reserved bytes at byte ${RESERVED_AT} are not 0`);
  if (header.requestId === 0)
    throw protocolError(`requestId at byte ${REQUEST_ID_AT} is 0; it must be at least 1`);
  checkLength(header, packet.length - HEADER_BYTES);
  return header;
}

function checkLength(header: Header, following: number): void {
  const { bodyBytes, detached } = header;
  if (bodyBytes > MAX_MESSAGE_BYTES - HEADER_BYTES) {
    throw protocolError(`bodyBytes is ${bodyBytes}; a message has at most ${MAX_MESSAGE_BYTES} bytes`);
  }
  if (detached && bodyBytes === 0) throw protocolError('bodyBytes of a detached message is 0');
  const expected = detached ? 0 : bodyBytes;
  if (following !== expected) {
    throw protocolError(`${following} bytes follow the header of a message that announces ${expected}`);
  }
}

/** Writes a header without flags at the start of `view`. The values must be in their ranges. */
export function writeHeader(
  view: DataView,
  bodyBytes: number,
  type: number,
  requestId: number,
  status: number,
): void {
  view.setUint32(BODY_BYTES_AT, bodyBytes, true);
  view.setUint16(TYPE_AT, type, true);
  view.setUint16(FLAGS_AT, 0, true);
  view.setUint32(REQUEST_ID_AT, requestId, true);
  view.setUint16(STATUS_AT, status, true);
  view.setUint16(RESERVED_AT, 0, true);
}
