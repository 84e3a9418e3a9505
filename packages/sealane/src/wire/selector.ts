/** Selectors: a request names one object by exactly one of three fields. Trusts nothing that is decoded. */
import { invalidArgument } from '../base/errors.js';
import { MAX_NAME_BYTES } from '../base/limits.js';
import type { FieldReader } from './field-reader.js';
import type { FieldWriter } from './field-writer.js';
import type { Selector } from './messages.js';
import { TAGS } from './numbers.js';
import { protocolError } from './protocol-error.js';

/** Writes the field of a selector. Throws ERR_SEALANE_INVALID_ARGUMENT for a value outside its range. */
export function writeSelector(writer: FieldWriter, selector: Selector): void {
  switch (selector.by) {
    case 'id':
      writer.u64(TAGS.id, selector.id, 1);
      return;
    case 'name':
      writer.text(TAGS.name, selector.name, 1, MAX_NAME_BYTES);
      return;
    case 'digest':
      writer.digest(TAGS.digest, selector.digest);
      return;
    default:
      throw invalidArgument('selector', 'be by id, name or digest', selector);
  }
}

/** The selector that the current field is, or else `before`. Throws ERR_SEALANE_PROTOCOL when it is a second one. */
export function readSelector(reader: FieldReader, before: Selector | undefined): Selector | undefined {
  const selector = readSelectorField(reader);
  if (selector !== undefined && before !== undefined) throw reader.error('is a second selector');
  return selector ?? before;
}

function readSelectorField(reader: FieldReader): Selector | undefined {
  switch (reader.tag) {
    case TAGS.id:
      return { by: 'id', id: reader.u64(1) };
    case TAGS.name:
      return { by: 'name', name: reader.text(1, MAX_NAME_BYTES) };
    case TAGS.digest:
      return { by: 'digest', digest: reader.digest() };
    default:
      return undefined;
  }
}

/** Throws ERR_SEALANE_PROTOCOL unless there was a selector. */
export function requireSelector(selector: Selector | undefined): Selector {
  if (selector === undefined)
    throw protocolError('field id, name or digest is missing: the request selects no object');
  return selector;
}
