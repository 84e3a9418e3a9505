/**
 * Responses: what a broker sends, each for one request. spec/blobs.md lists their fields.
 * Owns the checks that need nothing but the message. Trusts nothing that is decoded.
 */
import { checkInteger } from '../base/check.js';
import { invalidArgument } from '../base/errors.js';
import { readLimits, writeLimits } from './broker-limits.js';
import { FieldReader } from './field-reader.js';
import { encodeMessage, type FieldWriter } from './field-writer.js';
import { decodeHeader } from './header.js';
import type {
  BrokerLimits,
  DoneResponse,
  ErrorResponse,
  Header,
  HelloResponse,
  ListResponse,
  ObjectInfo,
  ObjectResponse,
  Response,
  StatusResponse,
} from './messages.js';
import type { Mutable } from './mutable.js';
import {
  type ErrorStatus,
  HEADER_BYTES,
  MAX_ERROR_TEXT_BYTES,
  MAX_VERSION_TEXT_BYTES,
  REQUEST_NAMES,
  REQUEST_TYPES,
  RESPONSE_BIT,
  type RequestType,
  STATUS,
  TAGS,
} from './numbers.js';
import { readObject, writeObject } from './object-info.js';
import { protocolError } from './protocol-error.js';
import { isErrorStatus } from './status.js';

/**
 * The message for a response: fresh bytes that the caller owns. The text of an error is cut at MAX_ERROR_TEXT_BYTES.
 * Throws ERR_SEALANE_INVALID_ARGUMENT for a value outside its range and ERR_SEALANE_LIMIT_EXCEEDED for a message over
 * MAX_MESSAGE_BYTES.
 */
export function encodeResponse(response: Response): Uint8Array {
  const request = response.type === 'error' ? response.request : response.type;
  const type: number | undefined = REQUEST_TYPES[request];
  if (type === undefined) throw invalidArgument('type', 'be the name of a response', request);
  if (response.type === 'error')
    return encodeRefusal({ type, requestId: response.requestId }, response.status, response.text);
  return encodeMessage(type | RESPONSE_BIT, STATUS.ok, response, writeResponse);
}

/**
 * The error response to the request with this header, which may be of a type that is not known here: fresh bytes that
 * the caller owns. `text` is cut at MAX_ERROR_TEXT_BYTES.
 */
export function encodeRefusal(
  header: Pick<Header, 'type' | 'requestId'>,
  status: ErrorStatus,
  text: string,
): Uint8Array {
  checkInteger('type', header.type, 0, 0xffff);
  if (!isErrorStatus(status)) throw invalidArgument('status', 'be the status of an error', status);
  return encodeMessage(header.type | RESPONSE_BIT, status, { requestId: header.requestId, text }, writeError);
}

/**
 * The response in a whole message (a detached body must stand behind its header again). Copies all that it needs.
 * Throws ERR_SEALANE_PROTOCOL, naming field and byte, for everything that the protocol does not allow.
 */
export function decodeResponse(message: Uint8Array): Response {
  const header = decodeHeader(message);
  if (header.detached) throw protocolError('the body of a detached message is not attached');
  const request = REQUEST_NAMES[header.type & ~RESPONSE_BIT];
  if (request === undefined || (header.type & RESPONSE_BIT) === 0) {
    throw protocolError(`type ${header.type} at byte 4 is not the type of a response`);
  }
  const reader = FieldReader.over(message, HEADER_BYTES);
  if (header.status !== STATUS.ok) return readError(reader, request, header);
  return readResponse(request, reader, header.requestId);
}

function writeResponse(writer: FieldWriter, response: Exclude<Response, ErrorResponse>): void {
  switch (response.type) {
    case 'hello':
      writeHello(writer, response);
      return;
    case 'put':
    case 'get':
    case 'stat':
    case 'next':
    case 'drop':
      writeObject(writer, response.object);
      return;
    case 'list':
      writeList(writer, response);
      return;
    case 'status':
      writeStatus(writer, response);
      return;
    case 'watch':
    case 'cancel':
      return;
  }
}

function readResponse(type: RequestType, reader: FieldReader, requestId: number): Response {
  switch (type) {
    case 'hello':
      return readHello(reader, requestId);
    case 'put':
    case 'get':
    case 'stat':
    case 'next':
    case 'drop':
      return readObjectResponse(type, reader, requestId);
    case 'list':
      return readList(reader, requestId);
    case 'status':
      return readStatus(reader, requestId);
    case 'watch':
    case 'cancel':
      return readDone(type, reader, requestId);
  }
}

function writeError(writer: FieldWriter, error: { readonly text: string }): void {
  writer.textCut(TAGS.text, error.text, MAX_ERROR_TEXT_BYTES);
}

function readError(reader: FieldReader, request: RequestType, header: Header): ErrorResponse {
  const { requestId, status } = header;
  if (!isErrorStatus(status)) throw protocolError(`status ${status} at byte 12 is unknown`);
  let text = '';
  while (reader.next()) if (reader.tag === TAGS.text) text = reader.text(0, MAX_ERROR_TEXT_BYTES);
  return { type: 'error', requestId, request, status, text };
}

function writeHello(writer: FieldWriter, response: HelloResponse): void {
  writer.u32(TAGS.version, response.version, 1);
  writer.u32(TAGS.pid, response.brokerPid, 1);
  writeLimits(writer, response.limits);
}

function readHello(reader: FieldReader, requestId: number): HelloResponse {
  let version = 0;
  let brokerPid = 0;
  let limits: BrokerLimits | undefined;
  while (reader.next()) {
    if (reader.tag === TAGS.version) version = reader.u32(1);
    else if (reader.tag === TAGS.pid) brokerPid = reader.u32(1);
    else if (reader.tag === TAGS.limits) limits = readLimits(reader.group());
  }
  reader.require(TAGS.version);
  reader.require(TAGS.pid);
  return { type: 'hello', requestId, version, brokerPid, limits: present(limits, reader, TAGS.limits) };
}

function readObjectResponse(
  type: ObjectResponse['type'],
  reader: FieldReader,
  requestId: number,
): ObjectResponse {
  let object: ObjectInfo | undefined;
  while (reader.next()) if (reader.tag === TAGS.object) object = readObject(reader.group());
  return { type, requestId, object: present(object, reader, TAGS.object) };
}

function writeList(writer: FieldWriter, response: ListResponse): void {
  for (const object of response.objects) writeObject(writer, object);
  writer.u64(TAGS.next, response.next);
}

function readList(reader: FieldReader, requestId: number): ListResponse {
  const objects: ObjectInfo[] = [];
  let next = 0;
  while (reader.next()) {
    if (reader.tag === TAGS.object) objects.push(readObject(reader.groupItem()));
    else if (reader.tag === TAGS.next) next = reader.u64();
  }
  reader.require(TAGS.next);
  return { type: 'list', requestId, objects, next };
}

function writeStatus(writer: FieldWriter, response: StatusResponse): void {
  writer.u64(TAGS.objects, response.objects);
  writer.u64(TAGS.bytes, response.bytes);
  writer.u32(TAGS.connections, response.connections);
  writer.u32(TAGS.watches, response.watches);
  writer.u64(TAGS.uptimeMs, response.uptimeMs);
  writer.u32(TAGS.pid, response.pid, 1);
  writer.text(TAGS.software, response.version, 0, MAX_VERSION_TEXT_BYTES);
  writeLimits(writer, response.limits);
}

function readStatus(reader: FieldReader, requestId: number): StatusResponse {
  const response: Mutable<Omit<StatusResponse, 'limits'>> = {
    type: 'status',
    requestId,
    objects: 0,
    bytes: 0,
    connections: 0,
    watches: 0,
    uptimeMs: 0,
    pid: 0,
    version: '',
  };
  let limits: BrokerLimits | undefined;
  while (reader.next()) {
    if (reader.tag === TAGS.limits) limits = readLimits(reader.group());
    else readStatusField(reader, response);
  }
  for (const tag of STATUS_TAGS) reader.require(tag);
  return { ...response, limits: present(limits, reader, TAGS.limits) };
}

const STATUS_TAGS = [
  TAGS.objects,
  TAGS.bytes,
  TAGS.connections,
  TAGS.watches,
  TAGS.uptimeMs,
  TAGS.pid,
  TAGS.software,
] as const;

function readStatusField(reader: FieldReader, response: Mutable<Omit<StatusResponse, 'limits'>>): void {
  switch (reader.tag) {
    case TAGS.objects:
      response.objects = reader.u64();
      return;
    case TAGS.bytes:
      response.bytes = reader.u64();
      return;
    case TAGS.connections:
      response.connections = reader.u32();
      return;
    case TAGS.watches:
      response.watches = reader.u32();
      return;
    case TAGS.uptimeMs:
      response.uptimeMs = reader.u64();
      return;
    case TAGS.pid:
      response.pid = reader.u32(1);
      return;
    case TAGS.software:
      response.version = reader.text(0, MAX_VERSION_TEXT_BYTES);
  }
}

function readDone(type: DoneResponse['type'], reader: FieldReader, requestId: number): DoneResponse {
  reader.skipAll();
  return { type, requestId };
}

/** What the field of this tag held; throws when there was none. */
function present<T>(value: T | undefined, reader: FieldReader, tag: number): T {
  if (value === undefined) throw reader.missing(tag);
  return value;
}
