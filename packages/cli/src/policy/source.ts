/**
 * Reads a policy file. What it says decides who may do what, so nobody but its owner may write it, and the owner must be root or the
 * user who reads it. What is checked is what is read: the descriptor, not the path.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { EXIT } from '../exit-codes.js';
import { CommandError } from '../failure.js';
import { shellWord } from '../terminal/escape.js';

/** Largest policy file, in bytes: some ten thousand entries. */
const MAX_FILE_BYTES = 1_048_576;

/** Writable by the group or by all. */
const OTHERS_WRITE = 0o022;

/** A file that was read, and whose it is. */
export interface PolicySource {
  readonly text: string;
  /** The user id of its owner. */
  readonly owner: number;
}

/**
 * Reads the file. Throws CommandError when others may write it, when it is no regular file, too long, or not UTF-8; and the error of
 * the system call when it can't be opened or read.
 */
export async function readPolicySource(file: string): Promise<PolicySource> {
  // Not blocking: a named pipe in the place of the file must not hold up a broker that serves.
  await using handle = disposable(
    await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY).catch(
      (error: unknown) => {
        throw missing(file, error);
      },
    ),
  );
  const stats = await handle.file.stat();
  if (!stats.isFile()) throw unusable(file, 'is no regular file', 'put the policy into a file');
  if ((stats.mode & OTHERS_WRITE) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    const next = `keep others from writing it with \`chmod go-w ${shellWord(file)}\``;
    throw untrusted(`the policy ${file} can be written by others than its owner (mode ${mode})`, next);
  }
  return { text: decode(file, await readBounded(handle.file, file)), owner: stats.uid };
}

/** Throws CommandError unless the owner of a policy is root or the user of this process, whose broker is to obey it. */
export function checkOwner(file: string, owner: number): void {
  const own = process.geteuid?.();
  if (owner === 0 || owner === own) return;
  const next = `give it to the user of the broker with \`chown ${own} ${shellWord(file)}\`, or to root`;
  throw untrusted(
    `the policy ${file} belongs to user ${owner}, neither root nor the user ${own} of this broker`,
    next,
  );
}

/** The size may change while it is read. */
async function readBounded(handle: FileHandle, file: string): Promise<Buffer> {
  const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
  }
  throw unusable(
    file,
    `has more than ${MAX_FILE_BYTES} bytes`,
    'say it with fewer entries: groups and patterns instead of lists',
  );
}

function decode(file: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unusable(file, 'is not UTF-8', 'save it as UTF-8, which TOML demands');
  }
}

function disposable(file: FileHandle): { readonly file: FileHandle } & AsyncDisposable {
  return { file, [Symbol.asyncDispose]: () => file.close() };
}

/** That there is no such file, in the words of the other commands; every other error as it is. */
function missing(file: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error;
  return new CommandError(
    'ENOENT',
    EXIT.failure,
    `can't read the policy ${file}: no such file`,
    'check the path',
  );
}

function unusable(file: string, what: string, next: string): CommandError {
  return new CommandError('ERR_SEALANE_CLI_POLICY', EXIT.badData, `the policy ${file} ${what}`, next);
}

function untrusted(message: string, next: string): CommandError {
  return new CommandError('ERR_SEALANE_CLI_UNSAFE_POLICY', EXIT.accessDenied, message, next);
}
