/**
 * Requests: what a client sends. One pair of functions per request; spec/blobs.md lists their fields.
 * Owns the checks that need nothing but the message. Trusts nothing that is decoded.
 */
import { invalidArgument } from '../base/errors.js';
import { MAX_JOB_BYTES, MAX_NAME_BYTES, MAX_PATTERN_BYTES, MAX_TTL_MS } from '../base/limits.js';
import { FieldReader } from './field-reader.js';
import { encodeMessage, type FieldWriter } from './field-writer.js';
import { decodeHeader } from './header.js';
import type {
  CancelRequest,
  DropRequest,
  GetRequest,
  HelloRequest,
  ListRequest,
  NextRequest,
  PutRequest,
  Request,
  Selector,
  StatRequest,
  StatusRequest,
  WatchRequest,
} from './messages.js';
import { MetadataReader, NO_METADATA, writeMetadata } from './metadata.js';
import type { Mutable } from './mutable.js';
import { HEADER_BYTES, MIN_PACKET_BYTES, REQUEST_NAMES, REQUEST_TYPES, TAGS } from './numbers.js';
import { writeAllowed } from './object-info.js';
import { protocolError } from './protocol-error.js';
import { readSelector, requireSelector, writeSelector } from './selector.js';

/**
 * The message for a request: fresh bytes that the caller owns. Throws ERR_SEALANE_INVALID_ARGUMENT for a value outside its
 * range and ERR_SEALANE_LIMIT_EXCEEDED for a message over MAX_MESSAGE_BYTES.
 */
export function encodeRequest(request: Request): Uint8Array {
  const type: number | undefined = REQUEST_TYPES[request.type];
  if (type === undefined) throw invalidArgument('type', 'be the name of a request', request.type);
  return encodeMessage(type, 0, request, writeRequest);
}

/**
 * The request in a whole message (a detached body must stand behind its header again). Copies all that it needs.
 * Throws ERR_SEALANE_PROTOCOL, naming field and byte, for everything that the protocol does not allow.
 */
export function decodeRequest(message: Uint8Array): Request {
  const header = decodeHeader(message);
  if (header.detached) throw protocolError('the body of a detached message is not attached');
  if (header.status !== 0) throw protocolError(`the status of a request is ${header.status}; it must be 0`);
  return readRequest(header.type, FieldReader.over(message, HEADER_BYTES), header.requestId);
}

function writeRequest(writer: FieldWriter, request: Request): void {
  switch (request.type) {
    case 'hello':
      writeHello(writer, request);
      return;
    case 'put':
      writePut(writer, request);
      return;
    case 'get':
      writeGet(writer, request);
      return;
    case 'stat':
      writeStat(writer, request);
      return;
    case 'drop':
      writeSelector(writer, request.selector);
      return;
    case 'list':
      writeList(writer, request);
      return;
    case 'watch':
      writeWatch(writer, request);
      return;
    case 'next':
      writer.u32(TAGS.watch, request.watch, 1);
      return;
    case 'cancel':
      writer.u32(TAGS.target, request.target, 1);
      return;
    case 'status':
      return;
  }
}

function readRequest(type: number, reader: FieldReader, requestId: number): Request {
  switch (REQUEST_NAMES[type]) {
    case 'hello':
      return readHello(reader, requestId);
    case 'put':
      return readPut(reader, requestId);
    case 'get':
      return readGet(reader, requestId);
    case 'stat':
      return readStat(reader, requestId);
    case 'drop':
      return readDrop(reader, requestId);
    case 'list':
      return readList(reader, requestId);
    case 'watch':
      return readWatch(reader, requestId);
    case 'next':
      return readNext(reader, requestId);
    case 'cancel':
      return readCancel(reader, requestId);
    case 'status':
      return readStatus(reader, requestId);
    case undefined:
      throw protocolError(`type ${type} at byte 4 is not the type of a request`);
  }
}

function writeHello(writer: FieldWriter, request: HelloRequest): void {
  writer.u32(TAGS.minVersion, request.minVersion, 1);
  writer.u32(TAGS.maxVersion, request.maxVersion, request.minVersion);
  if (request.jobId !== undefined) writer.text(TAGS.jobId, request.jobId, 1, MAX_JOB_BYTES);
  writer.u32(TAGS.maxPacketBytes, request.maxPacketBytes, MIN_PACKET_BYTES);
  writer.u32(TAGS.maxMessageBytes, request.maxMessageBytes, MIN_PACKET_BYTES);
}

function readHello(reader: FieldReader, requestId: number): HelloRequest {
  const request: Mutable<HelloRequest> = {
    type: 'hello',
    requestId,
    minVersion: 0,
    maxVersion: 0,
    maxPacketBytes: 0,
    maxMessageBytes: 0,
  };
  while (reader.next()) readHelloField(reader, request);
  reader.require(TAGS.minVersion);
  reader.require(TAGS.maxVersion);
  reader.require(TAGS.maxPacketBytes);
  reader.require(TAGS.maxMessageBytes);
  if (request.maxVersion < request.minVersion) {
    throw protocolError(
      `maxVersion is ${request.maxVersion}, below minVersion, which is ${request.minVersion}`,
    );
  }
  return request;
}

function readHelloField(reader: FieldReader, request: Mutable<HelloRequest>): void {
  switch (reader.tag) {
    case TAGS.minVersion:
      request.minVersion = reader.u32(1);
      return;
    case TAGS.maxVersion:
      request.maxVersion = reader.u32(1);
      return;
    case TAGS.jobId:
      request.jobId = reader.text(1, MAX_JOB_BYTES);
      return;
    case TAGS.maxPacketBytes:
      request.maxPacketBytes = reader.u32(MIN_PACKET_BYTES);
      return;
    case TAGS.maxMessageBytes:
      request.maxMessageBytes = reader.u32(MIN_PACKET_BYTES);
  }
}

function writePut(writer: FieldWriter, request: PutRequest): void {
  writer.u64(TAGS.size, request.size);
  if (request.name !== undefined) writer.text(TAGS.name, request.name, 1, MAX_NAME_BYTES);
  writer.flag(TAGS.contentAddressed, request.contentAddressed);
  if (request.digest !== undefined) writer.digest(TAGS.digest, request.digest);
  if (request.owner !== undefined) writer.text(TAGS.owner, request.owner, 1, MAX_JOB_BYTES);
  writeAllowed(writer, request.allowed);
  if (request.ttlMs !== undefined) writer.u32(TAGS.ttlMs, request.ttlMs, 1, MAX_TTL_MS);
  writeMetadata(writer, request.metadata);
}

function readPut(reader: FieldReader, requestId: number): PutRequest {
  const allowed: string[] = [];
  const metadata = new MetadataReader();
  const request: Mutable<PutRequest> = {
    type: 'put',
    requestId,
    size: 0,
    contentAddressed: false,
    allowed,
    metadata: NO_METADATA,
  };
  while (reader.next()) {
    if (reader.tag === TAGS.allowed) allowed.push(reader.textItem(1, MAX_JOB_BYTES));
    else if (reader.tag === TAGS.metadata) metadata.add(reader);
    else readPutField(reader, request);
  }
  reader.require(TAGS.size);
  request.metadata = metadata.metadata;
  return request;
}

function readPutField(reader: FieldReader, request: Mutable<PutRequest>): void {
  switch (reader.tag) {
    case TAGS.size:
      request.size = reader.u64();
      return;
    case TAGS.name:
      request.name = reader.text(1, MAX_NAME_BYTES);
      return;
    case TAGS.contentAddressed:
      request.contentAddressed = reader.flag();
      return;
    case TAGS.digest:
      request.digest = reader.digest();
      return;
    case TAGS.owner:
      request.owner = reader.text(1, MAX_JOB_BYTES);
      return;
    case TAGS.ttlMs:
      request.ttlMs = reader.u32(1, MAX_TTL_MS);
  }
}

function writeGet(writer: FieldWriter, request: GetRequest): void {
  if (request.wait && request.selector.by !== 'name') {
    throw invalidArgument('wait', 'be false unless the object is selected by name', request.wait);
  }
  writeSelector(writer, request.selector);
  writer.flag(TAGS.wait, request.wait);
}

function readGet(reader: FieldReader, requestId: number): GetRequest {
  let found: Selector | undefined;
  let wait = false;
  while (reader.next()) {
    if (reader.tag === TAGS.wait) wait = reader.flag();
    else found = readSelector(reader, found);
  }
  const selector = requireSelector(found);
  if (wait && selector.by !== 'name')
    throw protocolError(`field wait is there in a get by ${selector.by}; only a name can be waited for`);
  return { type: 'get', requestId, selector, wait };
}

function writeStat(writer: FieldWriter, request: StatRequest): void {
  writeSelector(writer, request.selector);
  writer.flag(TAGS.digests, request.digest);
}

function readStat(reader: FieldReader, requestId: number): StatRequest {
  let selector: Selector | undefined;
  let digest = false;
  while (reader.next()) {
    if (reader.tag === TAGS.digests) digest = reader.flag();
    else selector = readSelector(reader, selector);
  }
  return { type: 'stat', requestId, selector: requireSelector(selector), digest };
}

function readDrop(reader: FieldReader, requestId: number): DropRequest {
  let selector: Selector | undefined;
  while (reader.next()) selector = readSelector(reader, selector);
  return { type: 'drop', requestId, selector: requireSelector(selector) };
}

function writeList(writer: FieldWriter, request: ListRequest): void {
  if (request.pattern !== undefined) writer.text(TAGS.pattern, request.pattern, 1, MAX_PATTERN_BYTES);
  writer.u64(TAGS.after, request.after);
  writer.u32(TAGS.limit, request.limit, 1);
  writer.flag(TAGS.digests, request.digests);
}

function readList(reader: FieldReader, requestId: number): ListRequest {
  const request: Mutable<ListRequest> = { type: 'list', requestId, after: 0, limit: 0, digests: false };
  while (reader.next()) {
    if (reader.tag === TAGS.pattern) request.pattern = reader.text(1, MAX_PATTERN_BYTES);
    else if (reader.tag === TAGS.after) request.after = reader.u64();
    else if (reader.tag === TAGS.limit) request.limit = reader.u32(1);
    else if (reader.tag === TAGS.digests) request.digests = reader.flag();
  }
  reader.require(TAGS.after);
  reader.require(TAGS.limit);
  return request;
}

/** A literal pattern is a name, and may be as long as one. */
function maxPatternBytes(literal: boolean): number {
  return literal ? MAX_NAME_BYTES : MAX_PATTERN_BYTES;
}

function writeWatch(writer: FieldWriter, request: WatchRequest): void {
  writer.text(TAGS.pattern, request.pattern, 1, maxPatternBytes(request.literal));
  writer.flag(TAGS.literal, request.literal);
  writer.flag(TAGS.every, request.every);
  writer.flag(TAGS.existing, request.existing);
}

function readWatch(reader: FieldReader, requestId: number): WatchRequest {
  const request: Mutable<WatchRequest> = {
    type: 'watch',
    requestId,
    pattern: '',
    literal: false,
    every: false,
    existing: false,
  };
  while (reader.next()) {
    if (reader.tag === TAGS.pattern) request.pattern = reader.text(1, MAX_NAME_BYTES);
    else if (reader.tag === TAGS.literal) request.literal = reader.flag();
    else if (reader.tag === TAGS.every) request.every = reader.flag();
    else if (reader.tag === TAGS.existing) request.existing = reader.flag();
  }
  reader.require(TAGS.pattern);
  const bytes = Buffer.byteLength(request.pattern);
  const max = maxPatternBytes(request.literal);
  if (bytes > max)
    throw protocolError(`field pattern has ${bytes} bytes; one that is not literal has at most ${max}`);
  return request;
}

function readNext(reader: FieldReader, requestId: number): NextRequest {
  let watch = 0;
  while (reader.next()) if (reader.tag === TAGS.watch) watch = reader.u32(1);
  reader.require(TAGS.watch);
  return { type: 'next', requestId, watch };
}

function readCancel(reader: FieldReader, requestId: number): CancelRequest {
  let target = 0;
  while (reader.next()) if (reader.tag === TAGS.target) target = reader.u32(1);
  reader.require(TAGS.target);
  return { type: 'cancel', requestId, target };
}

function readStatus(reader: FieldReader, requestId: number): StatusRequest {
  reader.skipAll();
  return { type: 'status', requestId };
}
