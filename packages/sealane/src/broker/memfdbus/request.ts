/**
 * From header and payload to a request, in the order in which the protocol's own broker looks at them: of several faults the same one
 * is told. Pure; trusts nothing. A payload may be cut short: what its sender did not send before it ended.
 */
import { MAX_JOB_BYTES, MAX_NAME_BYTES } from '../../base/limits.js';
import {
  decodeMemfdbusDigest,
  decodeMemfdbusText,
  MEMFDBUS_COMMAND,
  MEMFDBUS_DIGEST_BYTES,
  type MemfdbusHeader,
  memfdbusPayloadBytes,
  type Selector,
} from '../../wire/index.js';
import type { BrokerSettings } from '../options.js';
import { Refusal, type RefusalText } from './failures.js';

export interface MemfdbusPut {
  readonly type: 'put';
  readonly size: bigint;
  readonly name: string;
  /** 64 hexadecimal digits. */
  readonly digest: string;
  readonly job: string | undefined;
  readonly allowed: readonly string[];
}

export interface MemfdbusLookup {
  readonly type: 'get' | 'drop';
  readonly selector: Selector;
  readonly job: string | undefined;
}

export interface MemfdbusList {
  readonly type: 'list';
  readonly job: string | undefined;
}

export type MemfdbusRequest = MemfdbusPut | MemfdbusLookup | MemfdbusList;

/** What the lengths are compared with. */
export type RequestLimits = Pick<BrokerSettings, 'maxMemfdbusRequestBytes' | 'maxNameBytes'>;

/** Checks what can be checked before the payload is there. Throws a Refusal. */
export function checkHeader(header: MemfdbusHeader, limits: RequestLimits): void {
  const { put, get, list, drop } = MEMFDBUS_COMMAND;
  const { command } = header;
  if (command !== put && command !== get && command !== list && command !== drop)
    throw Refusal.of('unknown command');
  if (command === get || command === drop) checkSelector(header);
  if (command !== list && header.nameBytes > MAX_NAME_BYTES) throw Refusal.of('name too long');
  if (header.jobBytes > MAX_JOB_BYTES) throw Refusal.of('job id too long');
  if (command === put && header.allowedBytes > MAX_JOB_BYTES) throw Refusal.of('allowed job id too long');
  if (memfdbusPayloadBytes(header) > limits.maxMemfdbusRequestBytes)
    throw Refusal.of('request payload exceeds broker limit');
  if (command !== list && header.nameBytes > limits.maxNameBytes)
    throw Refusal.of('object name exceeds broker name limit');
}

/**
 * How many bytes of the payload are looked at, of a header that was checked: some 66 KiB at most. What a header states beyond them is
 * no part of its command, or comes behind a fault.
 */
export function payloadWanted(header: MemfdbusHeader): number {
  const { command, nameBytes, textBytes, jobBytes, allowedBytes } = header;
  if (command === MEMFDBUS_COMMAND.list) return jobBytes;
  if (command !== MEMFDBUS_COMMAND.put) return nameBytes + jobBytes;
  if (textBytes !== MEMFDBUS_DIGEST_BYTES) return nameBytes;
  if (allowedBytes > 0 && jobBytes === 0) return nameBytes + textBytes;
  return nameBytes + textBytes + jobBytes + allowedBytes;
}

/** The request of a checked header and of as much of the wanted payload as came. Throws a Refusal. */
export function parseRequest(header: MemfdbusHeader, payload: Uint8Array): MemfdbusRequest {
  const fields = new Fields(payload);
  switch (header.command) {
    case MEMFDBUS_COMMAND.put:
      return parsePut(header, fields);
    case MEMFDBUS_COMMAND.list:
      return { type: 'list', job: takeJob(header, fields) };
    default:
      return parseLookup(header, fields);
  }
}

function checkSelector({ objectId, nameBytes }: MemfdbusHeader): void {
  if (objectId !== 0n && nameBytes > 0) throw Refusal.of('specify object id or name, not both');
  if (objectId === 0n && nameBytes === 0) throw Refusal.of('missing object selector');
}

function parsePut(header: MemfdbusHeader, fields: Fields): MemfdbusPut {
  const nameBytes = fields.take(header.nameBytes, 'failed to read object name');
  if (isEmpty(nameBytes)) throw Refusal.of('name must not be empty');
  if (header.textBytes !== MEMFDBUS_DIGEST_BYTES) throw Refusal.of('invalid object digest');
  const digest = decodeMemfdbusDigest(fields.take(header.textBytes, 'failed to read object digest'));
  if (digest === undefined) throw Refusal.of('invalid object digest');
  if (header.allowedBytes > 0 && header.jobBytes === 0) throw Refusal.of('allowed job requires owner job');
  const job = takeJob(header, fields);
  const allowed = takeAllowed(header, fields);
  const name = asText(nameBytes, 'name is not valid UTF-8');
  return { type: 'put', size: header.size, name, digest, job, allowed };
}

function parseLookup(header: MemfdbusHeader, fields: Fields): MemfdbusLookup {
  const nameBytes = fields.take(header.nameBytes, 'failed to read object name');
  const job = takeJob(header, fields);
  const selector: Selector =
    header.nameBytes > 0
      ? { by: 'name', name: asText(nameBytes, 'name is not valid UTF-8') }
      : { by: 'id', id: Number(header.objectId) };
  return { type: header.command === MEMFDBUS_COMMAND.get ? 'get' : 'drop', selector, job };
}

function takeJob({ jobBytes }: MemfdbusHeader, fields: Fields): string | undefined {
  if (jobBytes === 0) return undefined;
  const job = fields.take(jobBytes, 'failed to read job id');
  if (isEmpty(job)) throw Refusal.of('job id must not be empty');
  return asText(job, 'job id is not valid UTF-8');
}

function takeAllowed({ allowedBytes }: MemfdbusHeader, fields: Fields): string[] {
  if (allowedBytes === 0) return [];
  const allowed = fields.take(allowedBytes, 'failed to read allowed job id');
  if (isEmpty(allowed)) throw Refusal.of('allowed job id must not be empty');
  return [asText(allowed, 'allowed job id is not valid UTF-8')];
}

/** As a C string: nothing, or a zero byte at its begin. */
function isEmpty(bytes: Uint8Array): boolean {
  return bytes.length === 0 || bytes[0] === 0;
}

function asText(bytes: Uint8Array, otherwise: RefusalText): string {
  const text = decodeMemfdbusText(bytes);
  if (text === undefined) throw Refusal.of(otherwise);
  return text;
}

/** The fields of a payload, one after the other. */
class Fields {
  #at = 0;

  constructor(private readonly payload: Uint8Array) {}

  take(length: number, otherwise: RefusalText): Uint8Array {
    if (this.#at + length > this.payload.length) throw Refusal.of(otherwise);
    this.#at += length;
    return this.payload.subarray(this.#at - length, this.#at);
  }
}
