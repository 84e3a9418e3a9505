/**
 * What a put states about an object, and what its record costs: an upper bound in a message, and an estimate in memory. Owns the
 * measures; trusts that the statements were checked.
 */
import type { ObjectDraft } from './object.js';

/** A description without texts, in a message: numbers, digest, and the headers of its fields, rounded up. */
const INFO_BASE_BYTES = 384;

/** The header of a text field, and of its parts, rounded up. */
const INFO_FIELD_BYTES = 24;

/** Memory of a record without texts: the object, its content, and its entries in the indexes. Measured: about 1 KiB. */
const RECORD_BASE_BYTES = 1_024;

/** Memory of an allowed job: a list and an entry in two indexes. */
const RECORD_JOB_BYTES = 512;

/** Memory of a metadata entry beside its texts. */
const RECORD_ENTRY_BYTES = 96;

/** What a put states, with everything optional but who may see it. */
export interface DraftFields {
  readonly name?: string | undefined;
  readonly owner?: string | undefined;
  readonly allowed: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly ttlMs?: number | undefined;
}

/** A draft with its costs. */
export function measureDraft({ name, owner, allowed, metadata, ttlMs }: DraftFields): ObjectDraft {
  let infoBytes = INFO_BASE_BYTES + Buffer.byteLength(name ?? '') + Buffer.byteLength(owner ?? '');
  let recordBytes = RECORD_BASE_BYTES + 2 * ((name ?? '').length + (owner ?? '').length);
  for (const job of allowed) {
    infoBytes += INFO_FIELD_BYTES + Buffer.byteLength(job);
    recordBytes += RECORD_JOB_BYTES + 2 * job.length;
  }
  for (const [key, value] of Object.entries(metadata)) {
    infoBytes += INFO_FIELD_BYTES + Buffer.byteLength(key) + Buffer.byteLength(value);
    recordBytes += RECORD_ENTRY_BYTES + 2 * (key.length + value.length);
  }
  return { name, owner, allowed, metadata, ttlMs, infoBytes, recordBytes };
}
