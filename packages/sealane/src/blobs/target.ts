/** How callers say which object they mean, and how that becomes a selector on the wire. Pure. */
import { checkInteger, checkText } from '../base/check.js';
import { invalidArgument } from '../base/errors.js';
import { MAX_NAME_BYTES } from '../base/limits.js';
import type { Selector } from '../wire/index.js';
import { DIGEST_PREFIX } from './info.js';

/**
 * Which object is meant: an id (a number), a name (a string: the newest object of that name that the caller may see), or a
 * digest (a string `sha256:` and 64 hexadecimal digits). The object forms leave no doubt: `{ name: 'sha256:...' }` is a name.
 * A {@link BlobInfo} or a Blob is `{ id }`.
 */
export type Target =
  | number
  | string
  | { readonly id: number }
  | { readonly name: string }
  | { readonly digest: string };

const DIGEST_PATTERN = /^(?:sha256:)?([0-9a-f]{64})$/i;

/** The selector of a target. Throws ERR_SEALANE_INVALID_ARGUMENT for what is none. */
export function toSelector(target: Target): Selector {
  if (typeof target === 'number') return selectId(target);
  if (typeof target === 'string') return isPrefixedDigest(target) ? selectDigest(target) : selectName(target);
  if (typeof target !== 'object' || target === null) throw noTarget(target);
  if ('id' in target) return selectId(target.id);
  if ('digest' in target) return selectDigest(target.digest);
  if ('name' in target) return selectName(target.name);
  throw noTarget(target);
}

/** The 64 lower-case hexadecimal digits of a digest written with or without `sha256:`. */
export function toHexDigest(argument: string, text: unknown): string {
  const hex = typeof text === 'string' ? DIGEST_PATTERN.exec(text)?.[1] : undefined;
  if (hex === undefined) throw invalidArgument(argument, 'be "sha256:" and 64 hexadecimal digits', text);
  return hex.toLowerCase();
}

function isPrefixedDigest(text: string): boolean {
  return text.startsWith(DIGEST_PREFIX) && DIGEST_PATTERN.test(text);
}

function selectId(id: number): Selector {
  checkInteger('id', id, 1, Number.MAX_SAFE_INTEGER);
  return { by: 'id', id };
}

function selectName(name: string): Selector {
  checkText('name', name, 1, MAX_NAME_BYTES);
  return { by: 'name', name };
}

function selectDigest(digest: string): Selector {
  return { by: 'digest', digest: toHexDigest('digest', digest) };
}

function noTarget(target: unknown) {
  return invalidArgument('target', 'be an id, a name, a digest, or an object with one of them', target);
}
