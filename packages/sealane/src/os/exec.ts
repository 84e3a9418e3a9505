/**
 * Becoming another program, execve(2): the process stays, with its id and its parent, and another program runs in it. Node.js changes its
 * process when it starts; whoever calls says how it was, and it is put back. Owns nothing; borrows the descriptor that is passed on.
 */
import { SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { systemError } from './system-error.js';

/** What a process was started with, as far as that is known. */
export interface ProcessStart {
  /** Soft RLIMIT_NOFILE; undefined: it stays as it is. */
  readonly openFiles: number | undefined;
  /** The set of ignored signals: bit 0 is signal 1. The real-time signals in it don't count, for Node.js leaves them alone. */
  readonly ignoredSignals: bigint;
  /** The set of blocked signals. */
  readonly blockedSignals: bigint;
  /** The descriptors that the program inherits, under their own numbers; all others of this process are closed. */
  readonly descriptors: readonly InheritedDescriptor[];
}

/** A descriptor that a program inherits under its own number. */
export interface InheritedDescriptor {
  readonly fd: number;
  /** Whether it is to be non-blocking; undefined: it stays as it is. */
  readonly nonBlocking: boolean | undefined;
}

/** The program to become. Strings are text or bytes as they are; none may contain a zero byte. */
export interface Program {
  /** The program, which is looked up in $PATH as execvp(3) does, and its arguments. */
  readonly words: readonly (string | Uint8Array)[];
  /** The whole environment, as NAME=VALUE. */
  readonly environment: readonly (string | Uint8Array)[];
  /** A descriptor that it inherits besides, as `target` and with its offset at 0. */
  readonly object: number;
  /** The number of the object in the program: {@link freeDescriptor}. */
  readonly target: number;
}

/** Numbers below this are standard input, output and error. */
const FIRST_DESCRIPTOR = 3;
const LOW_HALF = 0xffff_ffffn;

/** The lowest number beyond standard error that a program started so has free. */
export function freeDescriptor(start: ProcessStart): number {
  const taken = new Set(start.descriptors.map(({ fd }) => fd));
  let fd = FIRST_DESCRIPTOR;
  while (taken.has(fd)) fd++;
  return fd;
}

/**
 * Becomes the program, and never returns. Throws ERR_SEALANE_SYSTEM (ENOENT: no such program; EACCES: it may not be executed; E2BIG, ...) with
 * the process as it was, except that descriptors beyond standard error are close-on-exec and that the main thread no longer
 * shares its descriptors with the other threads: print the error, and end. Throws ERR_SEALANE_INVALID_ARGUMENT for a string with
 * a zero byte.
 */
export function replaceProcess(program: Program, start: ProcessStart): never {
  const { words, environment, object, target } = program;
  const passed = start.descriptors.flatMap(({ fd, nonBlocking }) => [fd, toBlocking(nonBlocking)]);
  const settings = [start.openFiles ?? -1, ...halves(start.ignoredSignals), ...halves(start.blockedSignals)];
  try {
    addon().exec(
      toBlock('words', words),
      toBlock('environment', environment),
      object,
      target,
      passed,
      settings,
    );
  } catch (error) {
    throw systemError(error, 'starting the program');
  }
  throw new SealaneError('ERR_SEALANE_INTERNAL', 'execve came back without an error');
}

function toBlocking(nonBlocking: boolean | undefined): number {
  if (nonBlocking === undefined) return 2;
  return nonBlocking ? 1 : 0;
}

function halves(signals: bigint): [low: number, high: number] {
  return [Number(signals & LOW_HALF), Number((signals >> 32n) & LOW_HALF)];
}

/** Strings one after the other, each with the zero byte that ends it. */
function toBlock(name: string, strings: readonly (string | Uint8Array)[]): Uint8Array {
  const zero = Buffer.alloc(1);
  const parts = strings.flatMap((text) => [typeof text === 'string' ? Buffer.from(text) : text, zero]);
  if (parts.some((part) => part !== zero && part.includes(0))) {
    throw new SealaneError('ERR_SEALANE_INVALID_ARGUMENT', `${name} must not contain a zero byte`);
  }
  return Buffer.concat(parts);
}
