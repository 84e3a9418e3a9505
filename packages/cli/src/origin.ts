/**
 * How this process was before Node.js changed it: what `bin/sealane` noted before it ran Node.js, or, when Node.js was run directly, what can
 * still be found out or guessed. Owns nothing. The note comes from the user's own environment; what does not fit in it is not believed.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import type { InheritedDescriptor, ProcessStart } from 'sealane/internal';

/** The variable with the note, which belongs to nobody else. */
export const ORIGIN_VARIABLE = 'SEALANE_ORIGIN';

/** What a program that takes this process over finds. */
export interface Origin {
  readonly start: ProcessStart;
  /** NAME=VALUE, as bytes: they need not be text. */
  readonly environment: readonly Buffer[];
}

/** O_NONBLOCK on x86-64 and arm64. */
const NON_BLOCKING = 0o4000;
/** Where Node.js points a standard descriptor that was closed. */
const NOWHERE = '/dev/null';
const STANDARD = [0, 1, 2];

/** Everything about this process before Node.js, as far as it is known. To be called before anything is printed. */
export function readOrigin(): Origin {
  const note = readNote();
  return note === undefined ? guessOrigin() : fromNote(note);
}

/** The strings of a file of /proc in which each ends with a zero byte. */
export function zeroEnded(bytes: Buffer): Buffer[] {
  const strings: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const zero = bytes.indexOf(0, at);
    const end = zero === -1 ? bytes.length : zero;
    strings.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return strings;
}

/** The note, if it was written for this process: others inherit the variable when this one runs a program by other means. */
function readNote(): string | undefined {
  const text = process.env[ORIGIN_VARIABLE];
  return text?.startsWith(`pid ${process.pid}\n`) ? text : undefined;
}

function fromNote(note: string): Origin {
  const [facts = '', encoded = ''] = note.split('\nenviron\n', 2);
  const environment = zeroEnded(Buffer.from(encoded, 'base64'));
  const start = {
    openFiles: openFilesOf(facts),
    ignoredSignals: signalsOf(facts, 'SigIgn'),
    blockedSignals: signalsOf(facts, 'SigBlk'),
    descriptors: descriptorsOf(facts),
  };
  // A large environment is not noted: it is then as the shell passed it on, which may have dropped odd names and added its own.
  return { start, environment: environment.length === 0 ? ownEnvironment() : withoutNote(environment) };
}

/**
 * Node.js run directly: the parent's limit is the likeliest, and no more than what there is; signals are as almost every program finds them;
 * of the descriptors beyond standard error nobody can tell which were inherited.
 */
function guessOrigin(): Origin {
  const limits = readText(`/proc/${process.ppid}/limits`);
  const start = {
    openFiles: limits === undefined ? undefined : openFilesOf(limits),
    ignoredSignals: 0n,
    blockedSignals: 0n,
    descriptors: STANDARD.map((fd) => ({
      fd,
      nonBlocking: isNonBlocking(readText(`/proc/self/fdinfo/${fd}`)),
    })),
  };
  return { start, environment: ownEnvironment() };
}

function openFilesOf(limits: string): number | undefined {
  const soft = /^Max open files +(\d+|unlimited) /m.exec(limits)?.[1];
  return soft === undefined ? undefined : soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

function signalsOf(status: string, set: 'SigIgn' | 'SigBlk'): bigint {
  const digits = new RegExp(`^${set}:\\s*([0-9a-f]{1,16})$`, 'm').exec(status)?.[1];
  return digits === undefined ? 0n : BigInt(`0x${digits}`);
}

/** Those that are still what they were: the shell's own are closed by now, and their numbers may be Node.js's. */
function descriptorsOf(facts: string): InheritedDescriptor[] {
  const links = new Map<number, string>();
  for (const [, fd, link = ''] of facts.matchAll(/ (\d+) -> (.*)$/gm)) links.set(Number(fd), link);
  for (const fd of STANDARD) if (!links.has(fd)) links.set(fd, '');
  const kept = [...links].filter(([fd, link]) => isSame(fd, link));
  return kept.map(([fd]) => ({ fd, nonBlocking: isNonBlocking(facts, `fdinfo/${fd}:`) }));
}

/** A standard descriptor that was closed is open on /dev/null by now. Its link alone says little: a file may have been renamed meanwhile. */
function isSame(fd: number, noted: string): boolean {
  const link = readLink(`/proc/self/fd/${fd}`);
  if (link === undefined) return false;
  return link === noted || (STANDARD.includes(fd) && link !== NOWHERE);
}

function isNonBlocking(fdinfo: string | undefined, prefix = ''): boolean | undefined {
  const flags = new RegExp(`^${prefix}flags:\\s*([0-7]+)$`, 'm').exec(fdinfo ?? '')?.[1];
  return flags === undefined ? undefined : (Number.parseInt(flags, 8) & NON_BLOCKING) !== 0;
}

/** As it was passed to this process, byte by byte; without /proc as Node.js reads it. */
function ownEnvironment(): Buffer[] {
  try {
    return withoutNote(zeroEnded(readFileSync('/proc/self/environ')));
  } catch {
    return withoutNote(Object.entries(process.env).map(([name, value]) => Buffer.from(`${name}=${value}`)));
  }
}

function withoutNote(environment: readonly Buffer[]): Buffer[] {
  return environment.filter((entry) => !entry.toString('latin1').startsWith(`${ORIGIN_VARIABLE}=`));
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
