/**
 * The packets by which a receiver and a sender of a service become a pair. Pure: bytes in, values out. spec/services.md draws them.
 * Trusts nothing: whatever is read comes from a peer, and is refused with ERR_SEALANE_PROTOCOL when it is out of range.
 */
import { SealaneError } from '../../base/errors.js';
import {
  CELL_SEGMENTS,
  EVENTS_MAX_IDS,
  HANDSHAKE_ACCEPT,
  HANDSHAKE_ACCEPT_BYTES,
  HANDSHAKE_CONNECT,
  HANDSHAKE_CONNECT_BYTES,
  HANDSHAKE_EVENT,
  HANDSHAKE_MAGIC,
  HANDSHAKE_MAX_REFUSE_BYTES,
  HANDSHAKE_PUBLISH_SUBSCRIBE,
  HANDSHAKE_REFUSE,
  HANDSHAKE_REFUSE_HEADER_BYTES,
  HANDSHAKE_SAMPLES_ONLY,
  HANDSHAKE_VERSION,
  HANDSHAKE_WITH_DESCRIPTORS,
  HANDSHAKE_WITH_POOL,
  SLOT_HEADER_BYTES,
} from '../../shm/layout.js';
import { MAX_SLOTS } from '../../shm/outcome.js';
import type { MessagingName } from '../domain/messaging.js';
import type { SlotShape } from './slots.js';

/** Who wants to connect to whom. */
interface Parties {
  /** The service, 20 hexadecimal digits. */
  readonly service: string;
  /** The sender's port. */
  readonly sender: number;
  /** The node of the receiver, 16 hexadecimal digits. */
  readonly node: string;
  /** The receiver's port. */
  readonly receiver: number;
}

/** What a subscriber asks a publisher for. */
export interface SubscribeRequest extends Parties {
  readonly messaging: 'publish-subscribe';
  /** Samples that wait for the subscriber at most. */
  readonly bufferSize: number;
  /** Samples that it may hold at once. */
  readonly maxBorrowed: number;
  /** Samples of the past that it wants at most. */
  readonly history: number;
  /** It takes descriptors beside samples. */
  readonly buffers?: true;
}

/** What a publisher hands over beside its samples: descriptors with each, or those of the buffers of a pool, once. */
export type Delivery = 'descriptors' | 'pool';

/** What a listener asks a notifier for. */
export interface ListenRequest extends Parties {
  readonly messaging: 'event';
}

/** What a receiver asks a sender for. */
export type ConnectRequest = SubscribeRequest | ListenRequest;

/** What the publisher answers; two descriptors come with it: the memory of the slots, and the control memory. */
export interface ConnectAccepted {
  readonly type: 'accepted';
  readonly shape: SlotShape;
  /** Number of the segment that these slots are: 0 unless the service's memory grows. */
  readonly segment: number;
  readonly submissionCells: number;
  readonly completionCells: number;
  /** The sequence number before that of the first sample which this subscriber gets, unless that gives way: from here on it counts gaps. */
  readonly sequenceBefore: number;
  /** Without: samples only. */
  readonly delivery?: Delivery;
}

/** What the notifier answers; one descriptor comes with it: the event set. */
export interface ListenAccepted {
  readonly type: 'accepted';
  /** How many ids it has. */
  readonly eventIds: number;
}

/** Why a sender refuses. `exhausted` may pass; the others stay. */
export type RefusalReason =
  | 'no-port'
  | 'untrusted'
  | 'too-many'
  | 'own-process'
  | 'exhausted'
  | 'bad-request';

/** The sender's other answer. */
export interface ConnectRefused {
  readonly type: 'refused';
  readonly reason: RefusalReason;
  readonly text: string;
}

const REASONS: readonly RefusalReason[] = [
  'no-port',
  'untrusted',
  'too-many',
  'own-process',
  'exhausted',
  'bad-request',
];

/** The kind of the service, as a byte. */
const MESSAGING_BYTES: Readonly<Record<MessagingName, number>> = {
  'publish-subscribe': HANDSHAKE_PUBLISH_SUBSCRIBE,
  event: HANDSHAKE_EVENT,
};

const TYPE_AT = 6;
const MESSAGING_AT = 18;
const BUFFERS_AT = 19;
const DELIVERY_AT = 56;
const SERVICE_HEX = 20;
const NODE_HEX = 16;
const TWO_TO_32 = 0x1_0000_0000;

/** Most samples that a buffer, a history or a borrower may have. */
const MAX_SAMPLES = 65_536;
/** Longest distance of two slots: what one ArrayBuffer could ever hold. */
export const MAX_STRIDE_BYTES = 2 ** 40;

/** The packet of a request. */
export function encodeConnect(request: ConnectRequest): Uint8Array {
  const bytes = begin(HANDSHAKE_CONNECT_BYTES, HANDSHAKE_CONNECT);
  bytes.write(request.service, 8, 'hex');
  bytes.writeUInt8(MESSAGING_BYTES[request.messaging], MESSAGING_AT);
  bytes.writeUInt32LE(request.sender, 24);
  bytes.writeUInt32LE(request.receiver, 28);
  bytes.write(request.node, 32, 'hex');
  if (request.messaging === 'event') return bytes;
  bytes.writeUInt32LE(request.bufferSize, 40);
  bytes.writeUInt32LE(request.maxBorrowed, 44);
  bytes.writeUInt32LE(request.history, 48);
  if (request.buffers === true) bytes.writeUInt8(HANDSHAKE_WITH_DESCRIPTORS, BUFFERS_AT);
  return bytes;
}

/** Reads a request. */
export function decodeConnect(packet: Uint8Array): ConnectRequest {
  const bytes = check(packet, HANDSHAKE_CONNECT_BYTES, HANDSHAKE_CONNECT);
  const parties = {
    service: bytes.toString('hex', 8, 8 + SERVICE_HEX / 2),
    sender: bytes.readUInt32LE(24),
    receiver: bytes.readUInt32LE(28),
    node: bytes.toString('hex', 32, 32 + NODE_HEX / 2),
  };
  const messaging = bytes.readUInt8(MESSAGING_AT);
  if (messaging === MESSAGING_BYTES.event) return { messaging: 'event', ...parties };
  if (messaging !== MESSAGING_BYTES['publish-subscribe'])
    throw broken(`a request is for services of an unknown kind, ${messaging}`);
  return {
    messaging: 'publish-subscribe',
    ...parties,
    bufferSize: u32(bytes, 40, 'bufferSize', 1, MAX_SAMPLES),
    maxBorrowed: u32(bytes, 44, 'maxBorrowed', 1, MAX_SAMPLES),
    history: u32(bytes, 48, 'history', 0, MAX_SAMPLES),
    ...wishOf(bytes.readUInt8(BUFFERS_AT)),
  };
}

function wishOf(buffers: number): Pick<SubscribeRequest, 'buffers'> {
  if (buffers === HANDSHAKE_SAMPLES_ONLY) return {};
  if (buffers === HANDSHAKE_WITH_DESCRIPTORS) return { buffers: true };
  throw broken(`a request asks for ${buffers} beside samples, which is unknown`);
}

/** The packet of a publisher's acceptance. */
export function encodeAccepted(answer: Omit<ConnectAccepted, 'type'>): Uint8Array {
  const { shape, submissionCells, completionCells } = answer;
  const bytes = begin(HANDSHAKE_ACCEPT_BYTES, HANDSHAKE_ACCEPT);
  bytes.writeUInt32LE(shape.slots, 8);
  bytes.writeUInt32LE(submissionCells, 12);
  bytes.writeUInt32LE(completionCells, 16);
  bytes.writeUInt32LE(shape.userHeaderBytes, 20);
  bytes.writeUInt32LE(shape.payloadOffset, 24);
  bytes.writeUInt32LE(answer.segment, 28);
  writeU64(bytes, 32, shape.strideBytes);
  writeU64(bytes, 40, shape.maxBytes);
  writeU64(bytes, 48, answer.sequenceBefore);
  if (answer.delivery !== undefined) bytes.writeUInt32LE(DELIVERY_NUMBERS[answer.delivery], DELIVERY_AT);
  return bytes;
}

/** The packet of a notifier's acceptance. */
export function encodeListenAccepted({ eventIds }: Omit<ListenAccepted, 'type'>): Uint8Array {
  const bytes = begin(HANDSHAKE_ACCEPT_BYTES, HANDSHAKE_ACCEPT);
  bytes.writeUInt32LE(eventIds, 8);
  return bytes;
}

/** The packet of a refusal. The text is cut to fit. */
export function encodeRefused(reason: RefusalReason, text: string): Uint8Array {
  const room = HANDSHAKE_MAX_REFUSE_BYTES - HANDSHAKE_REFUSE_HEADER_BYTES;
  const content = Buffer.alloc(room);
  const length = content.write(text, 'utf8');
  const bytes = begin(HANDSHAKE_REFUSE_HEADER_BYTES + length, HANDSHAKE_REFUSE);
  bytes.writeUInt32LE(REASONS.indexOf(reason) + 1, 8);
  bytes.writeUInt32LE(length, 12);
  content.copy(bytes, HANDSHAKE_REFUSE_HEADER_BYTES, 0, length);
  return bytes;
}

/** Reads an answer. `decode` reads an acceptance: each kind of service has its own. */
export function decodeAnswer<A>(packet: Uint8Array, decode: (packet: Uint8Array) => A): A | ConnectRefused {
  const type = packet.length > TYPE_AT ? packet[TYPE_AT] : 0;
  return type === HANDSHAKE_REFUSE ? decodeRefused(packet) : decode(packet);
}

function decodeRefused(packet: Uint8Array): ConnectRefused {
  const bytes = check(packet, packet.length, HANDSHAKE_REFUSE);
  if (bytes.length < HANDSHAKE_REFUSE_HEADER_BYTES || bytes.length > HANDSHAKE_MAX_REFUSE_BYTES)
    throw broken(`a refusal has ${bytes.length} bytes`);
  const reason = REASONS[u32(bytes, 8, 'reason', 1, REASONS.length) - 1] as RefusalReason;
  const length = bytes.length - HANDSHAKE_REFUSE_HEADER_BYTES;
  u32(bytes, 12, 'text length', length, length);
  return { type: 'refused', reason, text: bytes.toString('utf8', HANDSHAKE_REFUSE_HEADER_BYTES) };
}

/** Reads a publisher's acceptance. */
export function decodeAccepted(packet: Uint8Array): ConnectAccepted {
  const bytes = check(packet, HANDSHAKE_ACCEPT_BYTES, HANDSHAKE_ACCEPT);
  const slots = u32(bytes, 8, 'slots', 1, MAX_SLOTS);
  const userHeaderBytes = u32(bytes, 20, 'userHeaderBytes', 0, 65_536);
  const payloadOffset = u32(bytes, 24, 'payloadOffset', SLOT_HEADER_BYTES + userHeaderBytes, 1_048_576);
  const strideBytes = u64(bytes, 32, 'strideBytes', payloadOffset, MAX_STRIDE_BYTES);
  const maxBytes = u64(bytes, 40, 'maxBytes', 0, strideBytes - payloadOffset);
  if (strideBytes % 8 !== 0) throw broken(`strideBytes is ${strideBytes}, not a multiple of 8`);
  return {
    type: 'accepted',
    shape: { slots, strideBytes, payloadOffset, maxBytes, userHeaderBytes },
    segment: u32(bytes, 28, 'segment', 0, CELL_SEGMENTS - 1),
    submissionCells: cells(bytes, 12, 'submissionCells', MAX_SAMPLES),
    completionCells: cells(bytes, 16, 'completionCells', 2 * MAX_SLOTS),
    sequenceBefore: u64(bytes, 48, 'sequenceBefore', 0, Number.MAX_SAFE_INTEGER),
    ...deliveryOf(u32(bytes, DELIVERY_AT, 'delivery', HANDSHAKE_SAMPLES_ONLY, HANDSHAKE_WITH_POOL)),
  };
}

const DELIVERY_NUMBERS: Readonly<Record<Delivery, number>> = {
  descriptors: HANDSHAKE_WITH_DESCRIPTORS,
  pool: HANDSHAKE_WITH_POOL,
};

function deliveryOf(number: number): Pick<ConnectAccepted, 'delivery'> {
  if (number === HANDSHAKE_SAMPLES_ONLY) return {};
  return { delivery: number === HANDSHAKE_WITH_POOL ? 'pool' : 'descriptors' };
}

/** Reads a notifier's acceptance. */
export function decodeListenAccepted(packet: Uint8Array): ListenAccepted {
  const bytes = check(packet, HANDSHAKE_ACCEPT_BYTES, HANDSHAKE_ACCEPT);
  return { type: 'accepted', eventIds: u32(bytes, 8, 'eventIds', 1, EVENTS_MAX_IDS) };
}

/** A packet of that length and type, else zero. */
export function begin(length: number, type: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(HANDSHAKE_MAGIC, 0);
  bytes.writeUInt16LE(HANDSHAKE_VERSION, 4);
  bytes.writeUInt16LE(type, TYPE_AT);
  return bytes;
}

/** The packet as a buffer, if it has that length and type. */
export function check(packet: Uint8Array, length: number, type: number): Buffer {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  if (bytes.length < 8 || bytes.readUInt32LE(0) !== HANDSHAKE_MAGIC)
    throw broken('a packet is none of this protocol');
  const version = bytes.readUInt16LE(4);
  if (version !== HANDSHAKE_VERSION) {
    const message = `the peer speaks version ${version} of the services' handshake, this library version ${HANDSHAKE_VERSION}`;
    throw new SealaneError('ERR_SEALANE_VERSION_MISMATCH', message);
  }
  const found = bytes.readUInt16LE(TYPE_AT);
  if (found !== type) throw broken(`a packet has type ${found} where ${type} is due`);
  if (bytes.length !== length)
    throw broken(`a packet of type ${type} has ${bytes.length} bytes, not ${length}`);
  return bytes;
}

/** The u32 there, if it is in that range. */
export function u32(bytes: Buffer, at: number, name: string, min: number, max: number): number {
  return inRange(bytes.readUInt32LE(at), name, min, max);
}

/** The u64 there, if it is in that range. */
export function u64(bytes: Buffer, at: number, name: string, min: number, max: number): number {
  return inRange(bytes.readUInt32LE(at + 4) * TWO_TO_32 + bytes.readUInt32LE(at), name, min, max);
}

function inRange(value: number, name: string, min: number, max: number): number {
  if (value < min || value > max) throw broken(`${name} is ${value}; it must be from ${min} to ${max}`);
  return value;
}

function cells(bytes: Buffer, at: number, name: string, max: number): number {
  const value = u32(bytes, at, name, 1, max);
  if ((value & (value - 1)) !== 0) throw broken(`${name} is ${value}, no power of two`);
  return value;
}

/** Writes a number. */
export function writeU64(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value % TWO_TO_32, at);
  bytes.writeUInt32LE(Math.floor(value / TWO_TO_32), at + 4);
}

/** The error for a packet that makes no sense. */
export function broken(problem: string): SealaneError {
  return new SealaneError('ERR_SEALANE_PROTOCOL', `the handshake with a peer is broken: ${problem}`);
}
