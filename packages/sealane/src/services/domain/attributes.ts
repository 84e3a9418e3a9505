/**
 * Attributes of services and nodes: short texts by key. Whoever creates defines them, whoever opens requires some. Owns their
 * limits. Trusts none that come from a file.
 */
import { checkRecord, checkText } from '../../base/check.js';
import { describe, invalidArgument, SealaneError } from '../../base/errors.js';
import { protocolError } from '../../wire/index.js';

/** Attributes of a service or node: at most 64, of at most 4096 bytes in UTF-8, keys and values together. */
export type Attributes = Readonly<Record<string, string>>;

/** What an opener requires of a service's attributes: that the key has this value, or (`true`) that it is there. */
export type RequiredAttributes = Readonly<Record<string, string | true>>;

/** Most attributes of one service or node: they describe it, they are not data. */
export const MAX_ATTRIBUTES = 64;
/** Most bytes of the attributes of one service or node: keys and values together, in UTF-8. */
export const MAX_ATTRIBUTE_BYTES = 4_096;

/** No attributes. Shared, hence frozen. */
export const NO_ATTRIBUTES: Attributes = Object.freeze(Object.create(null));

/** A copy of the attributes that a caller defines. Throws ERR_SEALANE_INVALID_ARGUMENT. */
export function checkAttributes(given: Attributes | undefined): Attributes {
  if (given === undefined) return NO_ATTRIBUTES;
  return copyChecked(given, (key, value) =>
    checkText(`attributes[${describe(key)}]`, value, 0, MAX_ATTRIBUTE_BYTES),
  );
}

/** A copy of what a caller requires. Throws ERR_SEALANE_INVALID_ARGUMENT. */
export function checkRequiredAttributes(given: RequiredAttributes | undefined): RequiredAttributes {
  if (given === undefined) return NO_ATTRIBUTES;
  return copyChecked(given, (key, value) => {
    if (value !== true) checkText(`attributes[${describe(key)}]`, value, 0, MAX_ATTRIBUTE_BYTES);
  });
}

/** Throws ERR_SEALANE_SETTINGS_MISMATCH unless the attributes of the existing `service` are as required; names the key and both values. */
export function requireAttributes(service: string, existing: Attributes, required: RequiredAttributes): void {
  for (const [key, wanted] of Object.entries(required)) {
    const has = Object.hasOwn(existing, key) ? existing[key] : undefined;
    if (has !== undefined && (wanted === true || has === wanted)) continue;
    const state =
      has === undefined
        ? `has no attribute ${describe(key)}`
        : `has the attribute ${describe(key)} ${describe(has)}`;
    const demand = wanted === true ? 'it is required' : `${describe(wanted)} is required`;
    throw new SealaneError(
      'ERR_SEALANE_SETTINGS_MISMATCH',
      `the service ${describe(service)} ${state}, and ${demand}`,
    );
  }
}

/** The attributes in a file that another program wrote. Throws ERR_SEALANE_PROTOCOL. */
export function parseAttributes(value: unknown): Attributes {
  try {
    checkRecord('attributes', value);
    return checkAttributes(value as Attributes);
  } catch (error) {
    if (error instanceof SealaneError) throw protocolError(error.message);
    throw error;
  }
}

/** Without prototype: `__proto__` is a key like any other. */
function copyChecked<T>(
  given: Readonly<Record<string, T>>,
  check: (key: string, value: unknown) => void,
): Readonly<Record<string, T>> {
  checkRecord('attributes', given);
  const entries = Object.entries(given);
  if (entries.length > MAX_ATTRIBUTES)
    throw invalidArgument('attributes', `have at most ${MAX_ATTRIBUTES} entries`, entries.length);
  const copy: Record<string, T> = Object.create(null);
  let bytes = 0;
  for (const [key, value] of entries) {
    checkText('a key of attributes', key, 1, MAX_ATTRIBUTE_BYTES);
    check(key, value);
    bytes += Buffer.byteLength(key) + (typeof value === 'string' ? Buffer.byteLength(value) : 0);
    copy[key] = value;
  }
  if (bytes > MAX_ATTRIBUTE_BYTES)
    throw invalidArgument(
      'attributes',
      `have at most ${MAX_ATTRIBUTE_BYTES} bytes, keys and values together`,
      bytes,
    );
  return Object.freeze(copy);
}
