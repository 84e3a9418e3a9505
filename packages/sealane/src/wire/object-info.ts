/** The description of an object as a group of fields. Owns its limits, in both directions. Trusts nothing that is decoded. */
import { invalidArgument } from '../base/errors.js';
import { MAX_JOB_BYTES, MAX_NAME_BYTES } from '../base/limits.js';
import type { FieldReader } from './field-reader.js';
import type { FieldWriter } from './field-writer.js';
import type { ObjectInfo } from './messages.js';
import { MetadataReader, NO_METADATA, writeMetadata } from './metadata.js';
import type { Mutable } from './mutable.js';
import { TAGS } from './numbers.js';

/** Writes a field for each allowed job. Throws ERR_SEALANE_INVALID_ARGUMENT for what is no job id. */
export function writeAllowed(writer: FieldWriter, allowed: readonly string[]): void {
  if (!Array.isArray(allowed)) throw invalidArgument('allowed', 'be an array', allowed);
  for (const job of allowed) writer.text(TAGS.allowed, job, 1, MAX_JOB_BYTES);
}

/** Writes an object field. Throws ERR_SEALANE_INVALID_ARGUMENT for a value outside its range. */
export function writeObject(writer: FieldWriter, object: ObjectInfo): void {
  const group = writer.beginGroup(TAGS.object);
  writer.u64(TAGS.id, object.id, 1);
  writer.u64(TAGS.size, object.size);
  if (object.name !== undefined) writer.text(TAGS.name, object.name, 1, MAX_NAME_BYTES);
  if (object.digest !== undefined) writer.digest(TAGS.digest, object.digest);
  if (object.owner !== undefined) writer.text(TAGS.owner, object.owner, 1, MAX_JOB_BYTES);
  writeAllowed(writer, object.allowed);
  writeMetadata(writer, object.metadata);
  writer.u64(TAGS.createdAtMs, object.createdAtMs);
  if (object.expiresAtMs !== undefined) writer.u64(TAGS.expiresAtMs, object.expiresAtMs);
  writer.u32(TAGS.uid, object.uid);
  writer.endGroup(group);
}

/** Reads the fields of an object field. Throws ERR_SEALANE_PROTOCOL for a field that is missing, there twice, or out of range. */
export function readObject(reader: FieldReader): ObjectInfo {
  const allowed: string[] = [];
  const metadata = new MetadataReader();
  const object: Mutable<ObjectInfo> = {
    id: 0,
    size: 0,
    allowed,
    metadata: NO_METADATA,
    createdAtMs: 0,
    uid: 0,
  };
  while (reader.next()) {
    if (reader.tag === TAGS.allowed) allowed.push(reader.textItem(1, MAX_JOB_BYTES));
    else if (reader.tag === TAGS.metadata) metadata.add(reader);
    else readSingleField(reader, object);
  }
  reader.require(TAGS.id);
  reader.require(TAGS.size);
  reader.require(TAGS.createdAtMs);
  reader.require(TAGS.uid);
  object.metadata = metadata.metadata;
  return object;
}

function readSingleField(reader: FieldReader, object: Mutable<ObjectInfo>): void {
  switch (reader.tag) {
    case TAGS.id:
      object.id = reader.u64(1);
      return;
    case TAGS.size:
      object.size = reader.u64();
      return;
    case TAGS.name:
      object.name = reader.text(1, MAX_NAME_BYTES);
      return;
    case TAGS.digest:
      object.digest = reader.digest();
      return;
    case TAGS.owner:
      object.owner = reader.text(1, MAX_JOB_BYTES);
      return;
    case TAGS.createdAtMs:
      object.createdAtMs = reader.u64();
      return;
    case TAGS.expiresAtMs:
      object.expiresAtMs = reader.u64();
      return;
    case TAGS.uid:
      object.uid = reader.u32();
  }
}
