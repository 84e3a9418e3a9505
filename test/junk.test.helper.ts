// Junk arguments, and how they are tried: every kind of value that a program may pass by mistake. An entry point either works as documented
// or fails with an error of the library that says which argument it was.
import assert from 'node:assert/strict';
import { isSealaneError } from 'sealane';

/** What passes the compiler as any argument, and is none. */
export type Junk = never;

const detached = new Uint8Array(8);
structuredClone(detached.buffer, { transfer: [detached.buffer] });

export const JUNK: readonly unknown[] = [
  undefined,
  null,
  true,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  10n,
  Symbol('junk'),
  '',
  '\0',
  '\ud800',
  {},
  [],
  () => undefined,
  new Date(0),
  Promise.resolve(),
  AbortSignal.abort(),
  new Map([['name', 'lost']]),
  detached,
  detached.buffer,
];

export interface Entry {
  /** The entry point, and the argument that is junk. */
  readonly name: string;
  readonly call: (junk: Junk) => unknown;
  /** What of the junk is no junk here. Undefined always stands for the default unless it is `required`. */
  readonly works?: (junk: unknown) => boolean;
  readonly required?: boolean;
  /** Codes beside ERR_SEALANE_INVALID_ARGUMENT: the value can be one, and there is nothing under it. */
  readonly codes?: readonly string[];
}

export const isText = (junk: unknown): boolean => junk === '\0';
export const isPlainObject = (junk: unknown): boolean => junk?.constructor === Object;
export const isEmptyArray = (junk: unknown): boolean => Array.isArray(junk);
export const isBoolean = (junk: unknown): boolean => junk === true;
export const isSignal = (junk: unknown): boolean => junk instanceof AbortSignal;
export const isCallback = (junk: unknown): boolean => typeof junk === 'function';
export const isAborted = { works: isSignal, codes: ['ERR_SEALANE_ABORTED'] };
export const notFound = { required: true, codes: ['ERR_SEALANE_NOT_FOUND'] };

/** Frees what a call that worked has made. */
async function dispose(result: unknown): Promise<void> {
  if (typeof result !== 'object' || result === null) return;
  if (Symbol.asyncDispose in result) await (result as AsyncDisposable)[Symbol.asyncDispose]();
  else if (Symbol.dispose in result) (result as Disposable)[Symbol.dispose]();
}

async function outcomeOf(entry: Entry, junk: unknown): Promise<unknown> {
  try {
    await dispose(await entry.call(junk as Junk));
    return undefined;
  } catch (error) {
    return error;
  }
}

export async function tryOne(entry: Entry, junk: unknown): Promise<void> {
  const what = `${entry.name} of ${typeof junk === 'object' ? JSON.stringify(junk) : String(junk)}`;
  const error = await outcomeOf(entry, junk);
  const mayWork = (junk === undefined && entry.required !== true) || entry.works?.(junk) === true;
  if (error === undefined) {
    assert.ok(mayWork, `${what} worked`);
    return;
  }
  assert.ok(isSealaneError(error), `${what} failed with ${String((error as Error).stack ?? error)}`);
  if (entry.codes?.includes(error.code)) return;
  assert.equal(error.code, 'ERR_SEALANE_INVALID_ARGUMENT', `${what}: ${error.message}`);
  assert.ok(!mayWork, `${what} failed with ${error.message}`);
  assert.match(error.message, /must .*got |need \d+ descriptors|allows \d+ to \d+/, what);
}
