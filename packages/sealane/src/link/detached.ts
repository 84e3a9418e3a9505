/**
 * Large messages: a body that would not fit one packet travels as a sealed memfd beside its header.
 * Owns nothing; trusts nothing that a peer sends: seals, kind and size are checked before a byte is read.
 */
import { SealaneError } from '../base/errors.js';
import { disposeDescriptor, requireBlobDescriptor } from '../os/descriptor.js';
import { Memfd } from '../os/memfd.js';
import { FLAG_DETACHED, HEADER_BYTES } from '../wire/index.js';

/** Where the flags stand in a message's header. */
const FLAGS_OFFSET = 6;

/** A message split for the wire: the header, marked as detached, and the memfd that holds the body. The caller owns the memfd. */
export function detach(message: Uint8Array): { header: Uint8Array; body: Memfd } {
  const header = message.slice(0, HEADER_BYTES);
  setFlags(header, getFlags(header) | FLAG_DETACHED);
  return { header, body: Memfd.sealed('sealane-message', message.subarray(HEADER_BYTES)) };
}

/** Whether a packet is the header of a detached message. */
export function isDetached(packet: Uint8Array): boolean {
  return packet.length >= HEADER_BYTES && (getFlags(packet) & FLAG_DETACHED) !== 0;
}

/**
 * Puts a detached message together again: takes the first of `descriptors` out of the array and closes it, unless it throws.
 * Throws ERR_SEALANE_PROTOCOL when it is missing or the header states nothing or more than `maxMessageBytes`, and what
 * {@link requireBlobDescriptor} throws when it is not an immutable memfd of exactly the stated size.
 */
export function attach(packet: Uint8Array, descriptors: number[], maxMessageBytes: number): Uint8Array {
  const [body] = descriptors;
  if (body === undefined) throw protocolError('a detached message came without the descriptor of its body');
  const bodyBytes = checkBody(packet, body, maxMessageBytes);
  descriptors.shift();
  const memfd = Memfd.take(body);
  try {
    return readBody(packet, memfd, bodyBytes);
  } finally {
    // It may hold more than its size tells: memory beyond its end, which takes long to free.
    disposeDescriptor(memfd.release());
  }
}

/** How many bytes the body has, once it is sure that they are there and stay. */
function checkBody(packet: Uint8Array, body: number, maxMessageBytes: number): number {
  if (packet.length !== HEADER_BYTES)
    throw protocolError(`a detached message has a packet of ${packet.length} bytes`);
  const bodyBytes = new DataView(packet.buffer, packet.byteOffset).getUint32(0, true);
  if (HEADER_BYTES + bodyBytes > maxMessageBytes) {
    throw protocolError(
      `a message of ${HEADER_BYTES + bodyBytes} bytes is over the limit of ${maxMessageBytes}`,
    );
  }
  if (bodyBytes === 0) throw protocolError('a detached message has an empty body; it has at least one byte');
  requireBlobDescriptor(body, bodyBytes);
  return bodyBytes;
}

function readBody(packet: Uint8Array, body: Memfd, bodyBytes: number): Uint8Array {
  const message = new Uint8Array(HEADER_BYTES + bodyBytes);
  message.set(packet);
  setFlags(message, getFlags(message) & ~FLAG_DETACHED);
  readExactly(body, message.subarray(HEADER_BYTES));
  return message;
}

function readExactly(body: Memfd, into: Uint8Array): void {
  for (let filled = 0; filled < into.length; ) {
    const count = body.read(into.subarray(filled), filled);
    if (count === 0) throw protocolError('the body of a detached message ended early');
    filled += count;
  }
}

function getFlags(header: Uint8Array): number {
  return new DataView(header.buffer, header.byteOffset).getUint16(FLAGS_OFFSET, true);
}

function setFlags(header: Uint8Array, flags: number): void {
  new DataView(header.buffer, header.byteOffset).setUint16(FLAGS_OFFSET, flags, true);
}

function protocolError(message: string): SealaneError {
  return new SealaneError('ERR_SEALANE_PROTOCOL', message);
}
