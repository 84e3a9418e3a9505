/** User metadata: one field per entry. Owns its limits, in both directions. Trusts nothing that is decoded. */
import { invalidArgument } from '../base/errors.js';
import { MAX_METADATA_BYTES, MAX_METADATA_ENTRIES } from '../base/limits.js';
import type { FieldReader } from './field-reader.js';
import type { FieldWriter } from './field-writer.js';
import { MAX_METADATA_KEY_BYTES, TAGS } from './numbers.js';

/** The metadata of most objects: none. Shared, hence frozen. */
export const NO_METADATA: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/** Collects the entries of one message into an object without prototype: `__proto__` is a key like any other. */
export class MetadataReader {
  #metadata: Record<string, string> | undefined;
  #entries = 0;
  #bytes = 0;

  get metadata(): Readonly<Record<string, string>> {
    return this.#metadata ?? NO_METADATA;
  }

  /** Takes the current field, an entry. Throws ERR_SEALANE_PROTOCOL for a key that was there before and for too much. */
  add(reader: FieldReader): void {
    const { key, value, bytes } = reader.entryItem(MAX_METADATA_KEY_BYTES, MAX_METADATA_BYTES);
    this.#metadata ??= Object.create(null) as Record<string, string>;
    if (key in this.#metadata)
      throw reader.error(`has the key ${JSON.stringify(key)}, which was there before`);
    this.#entries += 1;
    this.#bytes += bytes;
    if (this.#entries > MAX_METADATA_ENTRIES)
      throw reader.error(`is one more than ${MAX_METADATA_ENTRIES} entries`);
    if (this.#bytes > MAX_METADATA_BYTES)
      throw reader.error(`makes more than ${MAX_METADATA_BYTES} bytes of metadata`);
    this.#metadata[key] = value;
  }
}

/** Writes a field for each entry. Throws ERR_SEALANE_INVALID_ARGUMENT for what is no text, and for too much. */
export function writeMetadata(writer: FieldWriter, metadata: Readonly<Record<string, unknown>>): void {
  if (typeof metadata !== 'object' || metadata === null)
    throw invalidArgument('metadata', 'be an object', metadata);
  const keys = Object.keys(metadata);
  if (keys.length > MAX_METADATA_ENTRIES) {
    throw invalidArgument('metadata', `have at most ${MAX_METADATA_ENTRIES} entries`, keys.length);
  }
  let bytes = 0;
  for (const key of keys) {
    bytes += writer.entry(TAGS.metadata, key, metadata[key], MAX_METADATA_KEY_BYTES, MAX_METADATA_BYTES);
  }
  if (bytes > MAX_METADATA_BYTES) {
    throw invalidArgument(
      'metadata',
      `have at most ${MAX_METADATA_BYTES} bytes, keys and values together`,
      bytes,
    );
  }
}
