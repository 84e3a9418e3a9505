/**
 * The messages of the native protocol as types, and its numbers: versions, types, flags, tags.
 * Owns the vocabulary; spec/blobs.md draws it, and a test compares the two. Trusts nothing: it is types and constants.
 */

/** The protocol versions that this codec speaks: the hello agrees on one of them. */
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

/** Longest text of an error response, in bytes of UTF-8; what is longer is cut when it is encoded. */
export const MAX_ERROR_TEXT_BYTES = 1_024;

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

/** Names one object: by its id, as the newest of a name that the caller may see, or by its SHA-256 (64 lower-case hex digits). */
export type Selector =
  | { readonly by: 'id'; readonly id: number }
  | { readonly by: 'name'; readonly name: string }
  | { readonly by: 'digest'; readonly digest: string };

/** What the broker knows of an object. Decoded ones have a `metadata` without prototype, so that any key is harmless. */
export interface ObjectInfo {
  /** 1 to 2^53-1; never given twice by one broker, and newer objects have greater ids. */
  readonly id: number;
  /** Bytes. */
  readonly size: number;
  readonly name?: string;
  /** SHA-256 as 64 lower-case hex digits; absent while nobody has asked for it. */
  readonly digest?: string;
  /** The job that owns the object; absent: it belongs to all jobs of its user. */
  readonly owner?: string;
  /** Jobs that may look at the object and not drop it. */
  readonly allowed: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds since 1970 (UTC). */
  readonly createdAtMs: number;
  /** Milliseconds since 1970 (UTC); absent: it does not expire. */
  readonly expiresAtMs?: number;
  /** The user that put the object. */
  readonly uid: number;
}

/** What a broker allows one connection. Sizes are bytes. */
export interface BrokerLimits {
  /** Largest packet that the broker receives; a longer message must be detached. */
  readonly maxPacketBytes: number;
  /** Largest message (header and body) that the broker receives, detached ones included. */
  readonly maxMessageBytes: number;
  /** Longest name, in UTF-8. */
  readonly maxNameBytes: number;
  readonly maxObjects: number;
  /** Of all objects together. */
  readonly maxBytes: number;
  /** Of one object. */
  readonly maxObjectBytes: number;
  /** Requests that may be unanswered; the broker reads no further one while there are so many. */
  readonly maxOutstanding: number;
  readonly maxWatches: number;
  /** Most objects in one list response. */
  readonly maxListEntries: number;
}

/** The first message of a connection, and the only one before its answer. */
export interface HelloRequest {
  readonly type: 'hello';
  readonly requestId: number;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** The job that this connection acts for; absent: it is unscoped. */
  readonly jobId?: string;
  /** Largest packet that the client receives, in bytes. */
  readonly maxPacketBytes: number;
  /** Largest message that the client receives, detached ones included, in bytes. */
  readonly maxMessageBytes: number;
}

/** Hands over an object; travels with exactly one descriptor. */
export interface PutRequest {
  readonly type: 'put';
  readonly requestId: number;
  /** Bytes; must be the size of the descriptor. */
  readonly size: number;
  readonly name?: string;
  /** The broker hashes the content before it answers, and without a name the name is `sha256:HEX`. */
  readonly contentAddressed: boolean;
  /** The SHA-256 that the content must have; the broker verifies it before it answers. */
  readonly digest?: string;
  readonly owner?: string;
  readonly allowed: readonly string[];
  /** Milliseconds until the broker drops the object by itself; 1 to MAX_TTL_MS. */
  readonly ttlMs?: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Asks for an object's descriptor. With `wait` (by name only) it is answered when there is such an object. */
export interface GetRequest {
  readonly type: 'get';
  readonly requestId: number;
  readonly selector: Selector;
  readonly wait: boolean;
}

/** Asks what the broker knows of an object; with `digest` it computes the digest first if nobody has. */
export interface StatRequest {
  readonly type: 'stat';
  readonly requestId: number;
  readonly selector: Selector;
  readonly digest: boolean;
}

/** Makes the broker forget an object; whoever holds it keeps it. */
export interface DropRequest {
  readonly type: 'drop';
  readonly requestId: number;
  readonly selector: Selector;
}

/** Asks for a page of the objects that the caller may see, in order of their ids. */
export interface ListRequest {
  readonly type: 'list';
  readonly requestId: number;
  /** A name pattern; absent: all objects, also those without a name. */
  readonly pattern?: string;
  /** Only objects with greater ids; 0: from the beginning. */
  readonly after: number;
  /** Most objects in the answer; the broker's maxListEntries bounds it further. */
  readonly limit: number;
  /** Compute the digests that are missing before answering. */
  readonly digests: boolean;
}

/** Begins a watch, whose number is this requestId. */
export interface WatchRequest {
  readonly type: 'watch';
  readonly requestId: number;
  readonly pattern: string;
  /** The pattern is a name as it stands: nothing in it is special. */
  readonly literal: boolean;
  /** Yield every version in order; else skip to the newest of each name. */
  readonly every: boolean;
  /** Begin with the newest object of each matching name that is there now. */
  readonly existing: boolean;
}

/** Asks a watch for its next object; answered when there is one. At most one is unanswered per watch. */
export interface NextRequest {
  readonly type: 'next';
  readonly requestId: number;
  /** The requestId of the watch. */
  readonly watch: number;
}

/** Ends a waiting get or a watch. */
export interface CancelRequest {
  readonly type: 'cancel';
  readonly requestId: number;
  /** The requestId of the get or the watch. */
  readonly target: number;
}

/** Asks how the broker is. */
export interface StatusRequest {
  readonly type: 'status';
  readonly requestId: number;
}

/** Everything that a client sends. `requestId` is 1 to 2^32-1, and none of an unanswered request or a living watch. */
export type Request =
  | HelloRequest
  | PutRequest
  | GetRequest
  | StatRequest
  | DropRequest
  | ListRequest
  | WatchRequest
  | NextRequest
  | CancelRequest
  | StatusRequest;

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

/** The answer to a request that failed. */
export interface ErrorResponse {
  readonly type: 'error';
  readonly requestId: number;
  /** The type of the request that failed. */
  readonly request: RequestType;
  readonly status: ErrorStatus;
  /** For people: what was wrong, and what to do. */
  readonly text: string;
}

/** The connection is open. */
export interface HelloResponse {
  readonly type: 'hello';
  readonly requestId: number;
  /** The version that both speak from now on. */
  readonly version: number;
  readonly brokerPid: number;
  readonly limits: BrokerLimits;
}

/** The answer about one object; get and next travel with exactly one descriptor. */
export interface ObjectResponse {
  readonly type: 'put' | 'get' | 'stat' | 'next' | 'drop';
  readonly requestId: number;
  readonly object: ObjectInfo;
}

/** A page of objects; it may be short, or empty, while `next` is not 0. */
export interface ListResponse {
  readonly type: 'list';
  readonly requestId: number;
  readonly objects: readonly ObjectInfo[];
  /** The `after` of the next page; 0: this was the last one. */
  readonly next: number;
}

/** The watch or the cancellation took effect. */
export interface DoneResponse {
  readonly type: 'watch' | 'cancel';
  readonly requestId: number;
}

/** How the broker is: what the caller's user may see of it. */
export interface StatusResponse {
  readonly type: 'status';
  readonly requestId: number;
  readonly objects: number;
  readonly bytes: number;
  readonly connections: number;
  readonly watches: number;
  readonly uptimeMs: number;
  readonly pid: number;
  /** The version of the broker's software, for people. */
  readonly version: string;
  readonly limits: BrokerLimits;
}

/** Everything that a broker sends: each answers the request with the same requestId. */
export type Response =
  | ErrorResponse
  | HelloResponse
  | ObjectResponse
  | ListResponse
  | DoneResponse
  | StatusResponse;

/** The header of a message, as it stands on the wire. */
export interface Header {
  /** Bytes of the body, wherever it is. */
  readonly bodyBytes: number;
  /** The type number, with {@link RESPONSE_BIT} in responses. It may be one that this codec does not know. */
  readonly type: number;
  /** The body lies in the first descriptor. */
  readonly detached: boolean;
  /** 1 to 2^32-1. */
  readonly requestId: number;
  /** The status number of a response; 0 in requests. It may be one that this codec does not know. */
  readonly status: number;
}

/** How many descriptors of its own a request travels with; the memfd of a detached body comes before them. */
export function requestDescriptors(type: RequestType): 0 | 1 {
  return type === 'put' ? 1 : 0;
}

/** How many descriptors of its own a response travels with; the memfd of a detached body comes before them. */
export function responseDescriptors(type: Response['type']): 0 | 1 {
  return type === 'get' || type === 'next' ? 1 : 0;
}

function namesByNumber<Name extends string>(numbers: Readonly<Record<Name, number>>): (Name | undefined)[] {
  const names: (Name | undefined)[] = [];
  for (const name of Object.keys(numbers) as Name[]) names[numbers[name]] = name;
  return names;
}
