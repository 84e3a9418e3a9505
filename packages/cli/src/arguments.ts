/**
 * Values of options and arguments: text from the command line in, checked values out.
 * Every refusal says `invalid --option: VALUE`, and what would fit.
 */
import type { Target } from 'sealane';
import { usageError } from './failure.js';
import { parseDuration, parseSize } from './terminal/units.js';

/** The library's limits, once more: this file is loaded before the library. */
export const MAX_NAME_BYTES = 65_536;
export const MAX_JOB_BYTES = 256;
const MAX_SERVICE_NAME_BYTES = 256;
const MAX_DURATION_MS = 2_147_483_647;

/** A parser for the value of one option, as commander calls it. */
export type OptionParser<T> = (text: string, previous: T | undefined) => T;

/** A whole number from `min`. */
export function count(option: string, min: number): OptionParser<number> {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    return checked(
      option,
      text,
      Number.isSafeInteger(value) && value >= min ? value : undefined,
      `a whole number from ${min}`,
    );
  };
}

/** A size in bytes from 1. */
export function size(option: string): OptionParser<number> {
  return (text) => {
    const bytes = parseSize(text);
    return checked(
      option,
      text,
      bytes !== undefined && bytes >= 1 ? bytes : undefined,
      'a size such as 1048576, 512KiB, 64MiB or 2GB',
    );
  };
}

/** A time in milliseconds from 1. Longer than a timer can wait is refused: Node.js would take it for no time at all. */
export function duration(option: string): OptionParser<number> {
  return (text) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms > MAX_DURATION_MS) throw invalid(option, text, 'at most 24 days');
    return checked(
      option,
      text,
      ms !== undefined && ms >= 1 ? ms : undefined,
      'a time with its unit, such as 500ms, 10s, 5m, 2h or 7d',
    );
  };
}

/** An option that may be given several times: all its values. */
export function collect<T>(parse: OptionParser<T>): OptionParser<T[]> {
  return (text, previous = []) => {
    // Added to what there is, which is ours: copying it for each of thousands would take seconds.
    previous.push(parse(text, undefined));
    return previous;
  };
}

/** Text that is not empty. */
export function text(option: string): OptionParser<string> {
  return (value) => checked(option, value, value === '' ? undefined : value, 'some text');
}

/** The name of a service. */
export function serviceName(value: string): string {
  if (value === '') throw usageError('the service is empty', 'give the name of a service');
  return checkLength('service name', value, MAX_SERVICE_NAME_BYTES);
}

/** A number above 0, also with a fraction. */
export function positive(option: string): OptionParser<number> {
  return (text) => {
    const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    return checked(option, text, value > 0 && value < 1e9 ? value : undefined, 'a number above 0');
  };
}

/** The name of an object. */
export function objectName(option: string): OptionParser<string> {
  return (value) => checkLength('object name', text(option)(value, undefined), MAX_NAME_BYTES);
}

/** A job id. */
export function job(option: string): OptionParser<string> {
  return (value) => checkLength('job id', text(option)(value, undefined), MAX_JOB_BYTES);
}

function checkLength(what: string, value: string, maxBytes: number): string {
  const bytes = Buffer.byteLength(value);
  if (bytes <= maxBytes) return value;
  throw usageError(`${what} too long: ${bytes} bytes`, `it has at most ${maxBytes} bytes in UTF-8`);
}

/** A SHA-256 digest, with or without `sha256:`; the value has it. */
export function digest(option: string): OptionParser<string> {
  return (value) => checked(option, value, toDigest(value), 'sha256: and 64 hexadecimal digits');
}

/** `key=value` pairs, collected. The value may contain `=` and may be empty; a key may stand once. */
export function metadata(option: string): OptionParser<Record<string, string>> {
  // No prototype: a key such as __proto__ is data like any other.
  return (pair, previous = Object.create(null)) => {
    const split = pair.indexOf('=');
    const key = pair.slice(0, Math.max(0, split));
    if (split < 1) throw invalid(option, pair, 'KEY=VALUE');
    if (Object.hasOwn(previous, key)) throw invalid(option, pair, `each key once; ${key} was given before`);
    previous[key] = pair.slice(split + 1);
    return previous;
  };
}

/** `key=value` or `key`, collected: the value that an attribute must have, or true if any will do. */
export function attributes(option: string): OptionParser<Record<string, string | true>> {
  return (pair, previous = Object.create(null)) => {
    const [key = '', ...rest] = pair.split('=');
    if (key === '') throw invalid(option, pair, 'KEY or KEY=VALUE');
    previous[key] = pair === key ? true : rest.join('=');
    return previous;
  };
}

function checked<T>(option: string, text: string, value: T | undefined, expected: string): T {
  if (value === undefined) throw invalid(option, text, expected);
  return value;
}

function invalid(option: string, text: string, expected: string) {
  return usageError(`invalid ${option}: ${text}`, `it takes ${expected}`);
}

/** The options that say what kind of target an argument is. */
export interface TargetOptions {
  id?: boolean | undefined;
  name?: boolean | undefined;
  digest?: boolean | undefined;
}

/** An id, unless an option says otherwise. */
export const DIGITS = /^[0-9]+$/;
/** A digest, unless an option says otherwise. */
export const DIGEST = /^sha256:[0-9a-f]{64}$/i;
const BARE_DIGEST = /^(?:sha256:)?[0-9a-f]{64}$/i;

/**
 * Which object an argument means: digits are an id, `sha256:` and 64 hexadecimal digits a digest, all else a
 * name.
 */
export function parseTarget(argument: string, options: TargetOptions = {}): Target {
  if ([options.id, options.name, options.digest].filter(Boolean).length > 1) {
    throw usageError('--id, --name and --digest exclude each other', 'give at most one of them');
  }
  if (options.id || (!options.name && !options.digest && DIGITS.test(argument)))
    return { id: parseId(argument) };
  if (options.digest) return { digest: parseDigest(argument) };
  if (!options.name && DIGEST.test(argument)) return { digest: argument.toLowerCase() };
  if (argument === '') throw usageError('the target is empty', 'give an id, a name or sha256:DIGEST');
  return { name: checkLength('object name', argument, MAX_NAME_BYTES) };
}

function parseId(argument: string): number {
  const id = DIGITS.test(argument) ? Number(argument) : 0;
  if (Number.isSafeInteger(id) && id >= 1) return id;
  throw usageError(
    `invalid id: ${argument}`,
    'ids are whole numbers from 1; for an object named so, add --name',
  );
}

function toDigest(text: string): string | undefined {
  return BARE_DIGEST.test(text) ? `sha256:${text.slice(-64).toLowerCase()}` : undefined;
}

function parseDigest(argument: string): string {
  const found = toDigest(argument);
  if (found !== undefined) return found;
  throw usageError(`invalid digest: ${argument}`, 'a digest is sha256: and 64 hexadecimal digits');
}
