/**
 * The numbers of the native protocol: version, sizes, types, tags, flags and status.
 * Owns them; spec/blobs.md draws them, and a test compares the two.
 */

/** The one protocol version that this codec speaks; the hello agrees on it. */
export const PROTOCOL_VERSION = 1;

/** Bytes of the header in front of every message. */
export const HEADER_BYTES = 16;

/** Bytes of the header in front of every field. */
export const FIELD_HEADER_BYTES = 8;

/** Header flag: the body does not follow; it lies in the first descriptor, a sealed memfd of exactly `bodyBytes`. */
export const FLAG_DETACHED = 1;

/** Set in the type of every response; the other bits are the type of the request. */
export const RESPONSE_BIT = 0x8000;

/** Least `maxPacketBytes` and `maxMessageBytes` of a peer: the hello and every short answer fit. */
export const MIN_PACKET_BYTES = 1_024;

/** Longest text of an error response, in bytes of UTF-8: it fits every packet. What is longer is cut when it is encoded. */
export const MAX_ERROR_TEXT_BYTES = MIN_PACKET_BYTES - HEADER_BYTES - FIELD_HEADER_BYTES;

/** Longest key of a metadata entry, in bytes of UTF-8. */
export const MAX_METADATA_KEY_BYTES = 256;

/** Longest version text in a status response, in bytes of UTF-8. */
export const MAX_VERSION_TEXT_BYTES = 256;

/** The type number of every request. A response has the same number with {@link RESPONSE_BIT} set. */
export const REQUEST_TYPES = {
  hello: 1,
  put: 2,
  get: 3,
  stat: 4,
  drop: 5,
  list: 6,
  watch: 7,
  next: 8,
  cancel: 9,
  status: 10,
} as const;

/** The name of a request. */
export type RequestType = keyof typeof REQUEST_TYPES;

/** The tag of every field. A tag means the same in every message; below 64, so that two integers hold a set of them. */
export const TAGS = {
  id: 1,
  size: 2,
  name: 3,
  digest: 4,
  owner: 5,
  allowed: 6,
  metadata: 7,
  createdAtMs: 8,
  expiresAtMs: 9,
  uid: 10,
  ttlMs: 11,
  contentAddressed: 12,
  object: 13,
  limits: 14,
  text: 15,
  minVersion: 16,
  maxVersion: 17,
  version: 18,
  jobId: 19,
  pid: 20,
  maxPacketBytes: 21,
  maxMessageBytes: 22,
  maxNameBytes: 23,
  maxObjects: 24,
  maxBytes: 25,
  maxObjectBytes: 26,
  maxOutstanding: 27,
  maxWatches: 28,
  maxListEntries: 29,
  wait: 30,
  digests: 31,
  pattern: 32,
  literal: 33,
  every: 34,
  existing: 35,
  after: 36,
  limit: 37,
  next: 38,
  watch: 39,
  target: 40,
  objects: 41,
  bytes: 42,
  connections: 43,
  watches: 44,
  uptimeMs: 45,
  software: 46,
} as const;

/** The name of a field. */
export type TagName = keyof typeof TAGS;

/** The name of every tag, for error messages; by tag. */
export const TAG_NAMES: readonly (string | undefined)[] = namesByNumber(TAGS);

/** The name of every request type, by its number. */
export const REQUEST_NAMES: readonly (RequestType | undefined)[] = namesByNumber(REQUEST_TYPES);

/** What the status numbers mean; spec/blobs.md says what a client does about each. */
export const STATUS = {
  ok: 0,
  badRequest: 1,
  notFound: 2,
  accessDenied: 3,
  limitExceeded: 4,
  notSealed: 5,
  wrongDescriptor: 6,
  sizeMismatch: 7,
  digestMismatch: 8,
  canceled: 9,
  exhausted: 10,
  overrun: 11,
  version: 12,
  internal: 13,
  closing: 14,
  untrusted: 15,
} as const;

/** The name of a status. */
export type StatusName = keyof typeof STATUS;

/** A status number. */
export type Status = (typeof STATUS)[StatusName];

/** A status number of a request that failed. */
export type ErrorStatus = Exclude<Status, typeof STATUS.ok>;

function namesByNumber<Name extends string>(numbers: Readonly<Record<Name, number>>): (Name | undefined)[] {
  const names: (Name | undefined)[] = [];
  for (const name of Object.keys(numbers) as Name[]) names[numbers[name]] = name;
  return names;
}
