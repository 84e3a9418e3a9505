/**
 * One operation as the audit states it, and its line: a JSON object with its fields in a fixed order.
 * Pure. Trusts no text in a record: names and job ids are what clients chose.
 */
import { SealaneError, type SealaneErrorCode } from '../../base/errors.js';
import type { PeerCredentials } from '../../os/unix-socket.js';

/**
 * What was done. `next` is an object that a watch delivered; `connect` a connection that was refused; `unknown` something that
 * could not be read; `dropped` stands for lines that were dropped.
 */
export type AuditOperation =
  | 'put'
  | 'get'
  | 'list'
  | 'drop'
  | 'stat'
  | 'watch'
  | 'next'
  | 'connect'
  | 'unknown'
  | 'dropped';

/** What came of it: what the client was told. */
export type AuditResult = 'ok' | 'error' | 'not_found' | 'bad_request' | 'forbidden';

/** By what an object was asked for; null: by nothing, as in a put, or by a pattern. */
export type AuditSelector = 'id' | 'name' | 'digest' | null;

/** An integer that is not negative; a bigint where a client stated one that a number does not hold. */
export type AuditNumber = number | bigint;

/** One operation. Null: does not apply, or is not known. */
export interface AuditRecord {
  readonly operation: AuditOperation;
  readonly result: AuditResult;
  readonly selector: AuditSelector;
  readonly objectId: AuditNumber | null;
  /** The object's name; of what failed, the name or pattern that was asked for. */
  readonly name: string | null;
  /** Bytes of the object; of a list, how many objects it has. */
  readonly size: AuditNumber | null;
  /** How many objects a list has; how many lines were dropped. */
  readonly count: number | null;
  /** SHA-256 as 64 hex digits. */
  readonly digest: string | null;
  /** The job on whose behalf it was done. */
  readonly jobId: string | null;
  /** What was wrong, for people. */
  readonly error: string | null;
  /** Who did it, as the kernel says. */
  readonly peer: PeerCredentials;
}

/** What stands in a record for what is absent. */
export const NOTHING = {
  selector: null,
  objectId: null,
  name: null,
  size: null,
  count: null,
  digest: null,
  jobId: null,
  error: null,
} as const;

const RESULTS: Readonly<Partial<Record<SealaneErrorCode, AuditResult>>> = {
  ERR_SEALANE_NOT_FOUND: 'not_found',
  ERR_SEALANE_ACCESS_DENIED: 'forbidden',
  ERR_SEALANE_UNTRUSTED_PEER: 'forbidden',
  ERR_SEALANE_INVALID_ARGUMENT: 'bad_request',
  ERR_SEALANE_PROTOCOL: 'bad_request',
  ERR_SEALANE_WRONG_DESCRIPTOR: 'bad_request',
  ERR_SEALANE_NOT_SEALED: 'bad_request',
  ERR_SEALANE_SIZE_MISMATCH: 'bad_request',
  ERR_SEALANE_DIGEST_MISMATCH: 'bad_request',
};

/** The result of what failed with this. */
export function resultOf(error: unknown): AuditResult {
  return (error instanceof SealaneError ? RESULTS[error.code] : undefined) ?? 'error';
}

/**
 * The line of a record, with its newline. `timestampNs`: nanoseconds since 1970 (UTC) as decimal digits. Made of few pieces: joining
 * them is what it costs.
 */
export function formatRecord(record: AuditRecord, timestampNs: string): string {
  const { error } = record;
  return (
    `{"ts_ns":${timestampNs}${headOf(record)}${record.objectId},"name":${quoteOrNull(record.name)}` +
    `,"size":${record.size}${middleOf(record)}${quoteOrNull(record.jobId)}` +
    `${error === null ? ',"error":null' : `,"error":${quote(error)}`}${tailOf(record.peer)}`
  );
}

function middleOf({ count, digest }: AuditRecord): string {
  if (count === null && digest === null) return ',"count":null,"digest":null,"job_id":';
  return `,"count":${count},"digest":${digest === null ? 'null' : quote(`sha256:${digest}`)},"job_id":`;
}

/** Made once for each operation, result and selector: a few dozen texts. */
const heads = new Map<AuditOperation, Map<AuditResult, Map<AuditSelector, string>>>();

/** Made once for each connection. */
const tails = new WeakMap<PeerCredentials, string>();

function headOf({ operation, result, selector }: AuditRecord): string {
  const known = heads.get(operation)?.get(result)?.get(selector);
  if (known !== undefined) return known;
  const head = flat(
    `,"op":"${operation}","operation":"${operation}","result":"${result}","selector":${quoteOrNull(selector)},"object_id":`,
  );
  const ofOperation = heads.get(operation) ?? new Map<AuditResult, Map<AuditSelector, string>>();
  const ofResult = ofOperation.get(result) ?? new Map<AuditSelector, string>();
  heads.set(operation, ofOperation.set(result, ofResult.set(selector, head)));
  return head;
}

function tailOf(peer: PeerCredentials): string {
  const known = tails.get(peer);
  if (known !== undefined) return known;
  const tail = flat(`,"pid":${peer.pid},"uid":${peer.uid},"gid":${peer.gid}}\n`);
  tails.set(peer, tail);
  return tail;
}

/** The same text in one piece, however it was put together. */
function flat(ascii: string): string {
  return Buffer.from(ascii).toString('latin1');
}

/** Printable ASCII without quote and backslash: it stands in JSON as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** What JSON leaves as it is and a reader may take for the end of a line, or a terminal for a command. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

function quoteOrNull(text: string | null): string {
  return text === null ? 'null' : quote(text);
}

function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text).replace(UNSAFE, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
