/**
 * The messages of memfdbus v1, the protocol of a foreign broker that C programs speak (spec/memfdbus.md): a header of 48 bytes, and
 * a payload of four fields whose lengths it states. Pure. Trusts no byte: texts that a peer sent are decoded strictly, lengths are
 * only numbers until the caller has compared them with its limits.
 */
import { protocolError } from './protocol-error.js';

/** Bytes of a header. */
export const MEMFDBUS_HEADER_BYTES = 48;

/** The first four bytes, as a little-endian number. */
export const MEMFDBUS_MAGIC = 0x4d464442;

export const MEMFDBUS_VERSION = 1;

/** Bytes of a digest as text: `sha256:` and 64 hexadecimal digits. */
export const MEMFDBUS_DIGEST_BYTES = 71;

/** Where the C library looks for its broker. */
export const MEMFDBUS_DEFAULT_SOCKET = '/tmp/memfdbus.sock';

export const MEMFDBUS_COMMAND = { put: 1, get: 2, list: 3, drop: 4 } as const;

export const MEMFDBUS_STATUS = { ok: 0, error: 1, notFound: 2, badRequest: 3, forbidden: 4 } as const;

/** A status by its name. */
export type MemfdbusStatus = keyof typeof MEMFDBUS_STATUS;

/** The header, of a request and of a response. Lengths are in bytes, from 0 to 2^32-1. */
export interface MemfdbusHeader {
  /** 0 to 65535: also numbers that are no command. */
  readonly command: number;
  /** 0 in requests. */
  readonly status: number;
  /** Length of the caller's job id. */
  readonly jobBytes: number;
  /** 0: none. 64 bits, as `size`. */
  readonly objectId: bigint;
  readonly size: bigint;
  readonly nameBytes: number;
  /** Length of a digest, of an error's text, or of a list. */
  readonly textBytes: number;
  /** Length of the allowed job id. */
  readonly allowedBytes: number;
}

/** The fields of a payload, as bytes. Which of them a message has, and in which order, its command says. */
export interface MemfdbusPayload {
  readonly name?: Uint8Array;
  readonly text?: Uint8Array;
  readonly job?: Uint8Array;
  readonly allowed?: Uint8Array;
}

/** What a header states when nothing else is said. */
export type MemfdbusHeaderFields = Partial<Omit<MemfdbusHeader, 'command'>>;

/**
 * Decodes the first 48 bytes. Throws ERR_SEALANE_PROTOCOL when there are fewer, or when magic or version are not those of the
 * protocol. The reserved word is not looked at: the C library does not look at it either.
 */
export function decodeMemfdbusHeader(bytes: Uint8Array): MemfdbusHeader {
  if (bytes.length < MEMFDBUS_HEADER_BYTES)
    throw protocolError(`a memfdbus header has ${MEMFDBUS_HEADER_BYTES} bytes; there are ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, MEMFDBUS_HEADER_BYTES);
  const magic = view.getUint32(0, true);
  if (magic !== MEMFDBUS_MAGIC)
    throw protocolError(`a memfdbus header begins with 0x4d464442; this one with 0x${magic.toString(16)}`);
  const version = view.getUint16(4, true);
  if (version !== MEMFDBUS_VERSION)
    throw protocolError(`the version of memfdbus is ${MEMFDBUS_VERSION}; the header states ${version}`);
  return {
    command: view.getUint16(6, true),
    status: view.getUint32(8, true),
    jobBytes: view.getUint32(12, true),
    objectId: view.getBigUint64(16, true),
    size: view.getBigUint64(24, true),
    nameBytes: view.getUint32(32, true),
    textBytes: view.getUint32(36, true),
    allowedBytes: view.getUint32(40, true),
  };
}

/** Encodes a header. What `fields` leaves out is 0. */
export function encodeMemfdbusHeader(command: number, fields: MemfdbusHeaderFields = {}): Uint8Array {
  const bytes = new Uint8Array(MEMFDBUS_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MEMFDBUS_MAGIC, true);
  view.setUint16(4, MEMFDBUS_VERSION, true);
  view.setUint16(6, command, true);
  view.setUint32(8, fields.status ?? 0, true);
  view.setUint32(12, fields.jobBytes ?? 0, true);
  view.setBigUint64(16, fields.objectId ?? 0n, true);
  view.setBigUint64(24, fields.size ?? 0n, true);
  view.setUint32(32, fields.nameBytes ?? 0, true);
  view.setUint32(36, fields.textBytes ?? 0, true);
  view.setUint32(40, fields.allowedBytes ?? 0, true);
  return bytes;
}

/** Bytes that follow the header, as it states them: up to 2^34. */
export function memfdbusPayloadBytes(header: MemfdbusHeader): number {
  return header.nameBytes + header.textBytes + header.jobBytes + header.allowedBytes;
}

/** Header and payload of a message: the fields in the order name, text, job, allowed; their lengths in the header. */
export function encodeMemfdbus(
  command: number,
  fields: Pick<MemfdbusHeaderFields, 'status' | 'objectId' | 'size'>,
  payload: MemfdbusPayload = {},
): Uint8Array {
  const { name = NOTHING, text = NOTHING, job = NOTHING, allowed = NOTHING } = payload;
  const header = encodeMemfdbusHeader(command, {
    ...fields,
    nameBytes: name.length,
    textBytes: text.length,
    jobBytes: job.length,
    allowedBytes: allowed.length,
  });
  return Buffer.concat([header, name, text, job, allowed]);
}

/** The fields of a payload that holds all that the header states. Throws ERR_SEALANE_PROTOCOL when it is shorter or longer. */
export function decodeMemfdbusPayload(header: MemfdbusHeader, bytes: Uint8Array): Required<MemfdbusPayload> {
  const expected = memfdbusPayloadBytes(header);
  if (bytes.length !== expected)
    throw protocolError(`the header states ${expected} bytes of payload; there are ${bytes.length}`);
  let at = 0;
  const take = (length: number): Uint8Array => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  return {
    name: take(header.nameBytes),
    text: take(header.textBytes),
    job: take(header.jobBytes),
    allowed: take(header.allowedBytes),
  };
}

/** Well-formed UTF-8 as a string, a byte order mark included; undefined for anything else. */
export function decodeMemfdbusText(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The 64 digits of a digest text; undefined for anything else. */
export function decodeMemfdbusDigest(bytes: Uint8Array): string | undefined {
  return /^sha256:([0-9a-f]{64})$/.exec(Buffer.from(bytes).toString('latin1'))?.[1];
}

/**
 * A text as it stands in a line of a list: control characters (also those from U+0080 to U+009F, byte by byte) and the backslash are
 * written as C escapes, so that a name can neither end its line nor begin another field.
 */
export function escapeMemfdbusText(text: string): string {
  return text.replace(UNSAFE, (character) => ESCAPES.get(character) ?? octal(character));
}

function octal(character: string): string {
  return [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

const NOTHING = new Uint8Array(0);

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Control characters and the backslash. */
const UNSAFE = /[\p{Cc}\\]/gu;

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\r', '\\r'],
]);
