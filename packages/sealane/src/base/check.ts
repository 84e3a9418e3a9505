/** Checks of arguments that callers of the public API pass: every failure is ERR_SEALANE_INVALID_ARGUMENT. */
import { invalidArgument } from './errors.js';

/** Throws unless `value` is an integer from `min` to `max`, both included. */
export function checkInteger(
  name: string,
  value: unknown,
  min: number,
  max: number,
): asserts value is number {
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
    throw invalidArgument(name, `be an integer from ${min} to ${max}`, value);
  }
}

/** Throws unless `value` is a string whose UTF-8 form has `min` to `max` bytes and no lone surrogate. */
export function checkText(name: string, value: unknown, min: number, max: number): asserts value is string {
  if (typeof value !== 'string') throw invalidArgument(name, 'be a string', value);
  if (!isWellFormed(value)) throw invalidArgument(name, 'be well-formed Unicode (no lone surrogates)', value);
  const bytes = Buffer.byteLength(value, 'utf8');
  if (bytes < min || bytes > max)
    throw invalidArgument(name, `have ${min} to ${max} bytes in UTF-8 (it has ${bytes})`, value);
}

/** Throws unless `value` is a path: well-formed text of 1 to `maxBytes` bytes without a zero character. */
export function checkPath(name: string, value: unknown, maxBytes: number): asserts value is string {
  checkText(name, value, 1, maxBytes);
  if (value.includes('\0')) throw invalidArgument(name, 'have no zero character', value);
}

/** The greatest number that a descriptor can have. */
const MAX_DESCRIPTOR = 2_147_483_647;

/** Throws unless `value` can be a descriptor. Whether it is open is for the kernel to say. */
export function checkDescriptor(name: string, value: unknown): asserts value is number {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > MAX_DESCRIPTOR)
    throw invalidArgument(name, `be an open descriptor (an integer from 0 to ${MAX_DESCRIPTOR})`, value);
}

/** Throws unless `value` is a boolean or undefined. */
export function checkBoolean(name: string, value: unknown): asserts value is boolean | undefined {
  if (value !== undefined && typeof value !== 'boolean')
    throw invalidArgument(name, 'be true or false', value);
}

/** Throws unless `value` is a function or undefined. */
export function checkCallback(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw invalidArgument(name, 'be a function', value);
}

/** Throws unless `value` is an AbortSignal or undefined. */
export function checkSignal(name: string, value: unknown): asserts value is AbortSignal | undefined {
  if (value !== undefined && !(value instanceof AbortSignal))
    throw invalidArgument(name, 'be an AbortSignal', value);
}

/** As String.prototype.isWellFormed, which the types of ES2023 lack. */
function isWellFormed(text: string): boolean {
  return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}

/**
 * Throws unless `value` is an object with properties. An array, a Map, or an AbortSignal in the place of one would be taken for
 * an empty object, and what it holds be ignored.
 */
export function checkRecord(name: string, value: unknown): asserts value is Record<string, unknown> {
  if (!isRecord(value)) throw invalidArgument(name, 'be an object with properties', value);
}

/** Whether `value` is an object with properties: of a class or of none, or a module, not another built-in one. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  const kind = Object.prototype.toString.call(value);
  return kind === '[object Object]' || kind === '[object Module]';
}

/** Throws unless `options` is an object all of whose keys are among `known`: a misspelt option must not be silently ignored. */
export function checkOptions(name: string, options: unknown, known: readonly string[]): void {
  checkRecord(name, options);
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw invalidArgument(name, `have only the keys ${known.join(', ')}`, key);
  }
}
