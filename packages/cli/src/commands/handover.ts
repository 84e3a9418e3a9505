/**
 * What `sealane exec` does once it knows how the process was: gets the object, and becomes the program. Owns the object until then.
 */
import { readFileSync } from 'node:fs';
import { type Blob, type Bus, connect, isSealaneError, type Target } from 'sealane';
import { closeDescriptor, freeDescriptor, reopenToRead, replaceProcess } from 'sealane/internal';
import type { TargetOptions } from '../arguments.js';
import { EXIT } from '../exit-codes.js';
import { CommandError } from '../failure.js';
import { type Origin, zeroEnded } from '../origin.js';
import { type BusOptions, toConnectOptions } from './bus.js';

export interface ExecOptions extends BusOptions, TargetOptions {}

/** Variables are set under both: the second is what programs made for memfdbus look for. */
const PREFIXES = ['SEALANE_', 'MEMFDBUS_'];

/** Never returns: throws, or is another program. */
export async function handOver(
  target: Target,
  command: readonly string[],
  options: ExecOptions,
  origin: Origin,
): Promise<never> {
  await using bus = await connect(toConnectOptions(options));
  using blob = await bus.get(target);
  const digest = await digestOf(bus, blob);
  await bus.close();
  return become(command, blob, digest, origin);
}

/** The broker's, which remembers it for the next one; computed here when the object has been dropped meanwhile. */
async function digestOf(bus: Bus, blob: Blob): Promise<string> {
  if (blob.info.digest !== undefined) return blob.info.digest;
  try {
    const { digest } = await bus.stat(blob, { digest: true });
    if (digest !== undefined) return digest;
  } catch (error) {
    if (!isSealaneError(error)) throw error;
  }
  return await blob.digest();
}

function become(
  command: readonly string[],
  blob: Blob,
  digest: string,
  { start, environment }: Origin,
): never {
  const object = reopenToRead(blob.descriptor);
  const target = freeDescriptor(start);
  try {
    const added = variables(blob, digest, target);
    const words = asPassed(command);
    return replaceProcess({ words, environment: withVariables(environment, added), object, target }, start);
  } catch (error) {
    closeDescriptor(object);
    throw explain(command[0] ?? '', error);
  }
}

/** Undefined: unset, also when the caller's environment has it. No environment can hold a name with a zero byte. */
function variables(blob: Blob, digest: string, target: number): Map<string, string | undefined> {
  const facts: [string, string | undefined][] = [
    ['FD', String(target)],
    ['OBJECT_ID', String(blob.id)],
    ['SIZE', String(blob.size)],
    ['DIGEST', digest],
    ['NAME', blob.name?.includes('\0') ? undefined : blob.name],
  ];
  return new Map(PREFIXES.flatMap((prefix) => facts.map(([name, value]) => [`${prefix}${name}`, value])));
}

function withVariables(
  environment: readonly Buffer[],
  added: ReadonlyMap<string, string | undefined>,
): (Buffer | string)[] {
  const others = environment.filter((entry) => !added.has(entry.toString('latin1').split('=', 1)[0] ?? ''));
  const set = [...added].filter(([, value]) => value !== undefined);
  return [...others, ...set.map(([name, value]) => `${name}=${value}`)];
}

/** The words as the bytes that were passed, where /proc shows them: file names need not be text. */
function asPassed(words: readonly string[]): readonly (Buffer | string)[] {
  try {
    const passed = zeroEnded(readFileSync('/proc/self/cmdline')).slice(-words.length);
    return words.every((word, index) => passed[index]?.toString() === word) ? passed : words;
  } catch {
    return words;
  }
}

/** As shells and env(1) have it: 127 for a command that is not there, 126 for one that can't be run. */
function explain(command: string, error: unknown): unknown {
  if (!isSealaneError(error) || error.syscall !== 'execve') return error;
  const { errnoName = 'ERR_SEALANE_SYSTEM' } = error;
  if (errnoName === 'ENOENT' || errnoName === 'ENOTDIR') {
    const [what, hint] = command.includes('/')
      ? ['no such program', 'check the path, and the interpreter that its first line may name']
      : ['command not found', 'check its name and $PATH, or give its path'];
    return new CommandError(errnoName, EXIT.commandNotFound, `can't run ${command}: ${what}`, hint);
  }
  const [what, hint] = CANT_RUN[errnoName] ?? [errnoName, 'see execve(2)'];
  return new CommandError(errnoName, EXIT.cantExecute, `can't run ${command}: ${what}`, hint);
}

const CANT_RUN: Readonly<Record<string, readonly [what: string, hint: string] | undefined>> = {
  EACCES: [
    'permission denied',
    'it must be a file that this user may execute (chmod +x), outside a noexec mount',
  ],
  E2BIG: [
    'the arguments and the environment are too long',
    'shorten them, or raise the stack limit (ulimit -s)',
  ],
};
