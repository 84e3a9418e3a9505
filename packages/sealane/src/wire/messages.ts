/**
 * The messages of the native protocol as types: what spec/blobs.md draws, as TypeScript sees it.
 * Trusts nothing: it is types.
 */
import type { ErrorStatus, RequestType } from './numbers.js';

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
