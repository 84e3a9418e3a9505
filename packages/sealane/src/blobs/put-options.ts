/** The options of a put, checked and brought into the form of the wire. Pure. */
import {
  checkBoolean,
  checkCallback,
  checkInteger,
  checkOptions,
  checkRecord,
  checkSignal,
  checkText,
} from '../base/check.js';
import { invalidArgument } from '../base/errors.js';
import {
  MAX_JOB_BYTES,
  MAX_METADATA_BYTES,
  MAX_METADATA_ENTRIES,
  MAX_NAME_BYTES,
  MAX_TTL_MS,
} from '../base/limits.js';
import type { Request } from '../wire/index.js';
import { toHexDigest } from './target.js';

/** How an object is put. All of it is optional. */
export interface PutOptions {
  /** 1 to 65,536 bytes of UTF-8. Several objects may have one name: the newest is found. Default: none. */
  name?: string | undefined;
  /**
   * The broker computes the digest before it accepts the object, keeps equal contents of one user in memory only once, and names
   * the object `sha256:HEX` unless it has a name. Default: false.
   */
  contentAddressed?: boolean | undefined;
  /** What the digest must be (`sha256:` and 64 hexadecimal digits). The broker verifies it before it accepts the object. */
  digest?: string | undefined;
  /** The job that owns the object. Default: the job of the bus. A bus with a job may name only its own. */
  owner?: string | undefined;
  /** Jobs that may get the object beside its owner. Needs an owner. Default: none. */
  allow?: readonly string[] | undefined;
  /** Milliseconds until the broker drops the object by itself, 1 to 2,147,483,647. Default: never. */
  ttlMs?: number | undefined;
  /** Small facts for consumers: at most 64 entries, keys of 1 to 256 bytes, 4,096 bytes in all. Default: none. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /** Gives the put up. What was copied is freed; an object that the broker has accepted already stays. */
  signal?: AbortSignal | undefined;
  /** Told as a large source is copied: bytes so far, and bytes in all where that is known. */
  onProgress?: ((bytes: number, total: number | undefined) => void) | undefined;
}

/** The keys of {@link PutOptions}. */
const PUT_OPTIONS = [
  'name',
  'contentAddressed',
  'digest',
  'owner',
  'allow',
  'ttlMs',
  'metadata',
  'signal',
  'onProgress',
] as const satisfies readonly (keyof PutOptions)[];

/** What the broker is told of a put, all but the size. */
export type PutSettings = Omit<Extract<Request, { type: 'put' }>, 'requestId' | 'size'>;

/** Longest key of metadata, in bytes of UTF-8. */
const MAX_METADATA_KEY_BYTES = 256;

/** Throws ERR_SEALANE_INVALID_ARGUMENT for what does not fit; nothing has been copied by then. */
export function toPutSettings(options: PutOptions): PutSettings {
  checkOptions('options', options, PUT_OPTIONS);
  const { name, digest, owner, ttlMs } = options;
  if (name !== undefined) checkText('name', name, 1, MAX_NAME_BYTES);
  if (owner !== undefined) checkText('owner', owner, 1, MAX_JOB_BYTES);
  if (ttlMs !== undefined) checkInteger('ttlMs', ttlMs, 1, MAX_TTL_MS);
  checkBoolean('contentAddressed', options.contentAddressed);
  checkSignal('signal', options.signal);
  checkCallback('onProgress', options.onProgress);
  return {
    type: 'put',
    contentAddressed: options.contentAddressed === true,
    allowed: checkAllowed(options.allow),
    metadata: checkMetadata(options.metadata),
    ...(name === undefined ? {} : { name }),
    ...(digest === undefined ? {} : { digest: toHexDigest('digest', digest) }),
    ...(owner === undefined ? {} : { owner }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
  };
}

function checkAllowed(allow: readonly string[] = []): string[] {
  if (!Array.isArray(allow)) throw invalidArgument('allow', 'be an array of job ids', allow);
  for (const job of allow) checkText('a job in allow', job, 1, MAX_JOB_BYTES);
  return [...new Set(allow)];
}

function checkMetadata(metadata: Readonly<Record<string, string>> = {}): Record<string, string> {
  checkRecord('metadata', metadata);
  const entries = Object.entries(metadata);
  let bytes = 0;
  for (const [key, value] of entries) {
    checkText('a key of metadata', key, 1, MAX_METADATA_KEY_BYTES);
    checkText(`metadata.${key}`, value, 0, MAX_METADATA_BYTES);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  checkInteger('the number of metadata entries', entries.length, 0, MAX_METADATA_ENTRIES);
  checkInteger('the bytes of metadata', bytes, 0, MAX_METADATA_BYTES);
  return metadata;
}
