/**
 * Small files of a domain: made aside and linked, so that nobody sees half of one, and read with every doubt: another program of
 * the user wrote them. Owns no descriptor beyond a call. Follows no symbolic link in the last part of a path.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  linkSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { isRecord } from '../../base/check.js';
import { describe, isSealaneError, reworded, SealaneError } from '../../base/errors.js';
import { nodeError } from '../../os/system-error.js';
import { protocolError } from '../../wire/index.js';

/** Largest file of a domain: attributes at their limit, twice escaped, and all else. More is not read. */
export const MAX_FILE_BYTES = 65_536;

/** The format of all files of a domain. */
export const FORMAT_VERSION = 1;

/** What is added to the name of something that is not complete. */
export const ASIDE = '.new';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL } = constants;

/** The content of a file, as JSON says it. */
export type FileRecord = Readonly<Record<string, unknown>>;

/** How files of a domain are made and removed. */
export interface FileRules {
  /** The mode of a new file. */
  readonly mode: number;
  /** Whether other users make files beside ours: then the umask does not count, and no folder is removed with what is in it. */
  readonly shared: boolean;
}

/** The rules of a domain that is one user's alone. */
export const PRIVATE_FILES: FileRules = { mode: 0o600, shared: false };

/** Makes the file at `path`: all of it or nothing. Nothing may be there. Throws ERR_SEALANE_SYSTEM. */
export function writeLinked(path: string, record: FileRecord, rules = PRIVATE_FILES): void {
  const aside = path + ASIDE;
  removeEntry(aside, rules);
  try {
    writeNew(aside, record, rules);
    attempt(`making ${path}`, () => linkSync(aside, path));
  } finally {
    removeEntry(aside, rules);
  }
}

/** Makes the file at `path`, not at once: for a folder that nobody looks into yet. Throws ERR_SEALANE_SYSTEM. */
export function writeNew(path: string, record?: FileRecord, { mode, shared } = PRIVATE_FILES): void {
  const content = record === undefined ? '' : `${JSON.stringify({ version: FORMAT_VERSION, ...record })}\n`;
  const fd = attempt(`making ${path}`, () => openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
  try {
    if (shared) attempt(`setting the mode of ${path}`, () => fchmodSync(fd, mode));
    attempt(`writing ${path}`, () => writeFileSync(fd, content));
  } finally {
    closeSync(fd);
  }
}

/**
 * What the file says, as `parse` makes of it; undefined when there is none. Throws ERR_SEALANE_PROTOCOL, with the path, for
 * anything but a file of at most 64 KiB with a JSON object of our version that `parse` takes, and for one of another user than
 * `owner`, if that is given; ERR_SEALANE_VERSION_MISMATCH for another version, ERR_SEALANE_SYSTEM when it can't be read.
 */
export function readRecord<T>(path: string, parse: (record: FileRecord) => T, owner?: number): T | undefined {
  const text = readBounded(path, owner);
  if (text === undefined) return undefined;
  try {
    return parse(requireVersion(parseObject(text)));
  } catch (error) {
    throw isSealaneError(error)
      ? reworded(error, `the file ${path} is not as it must be: ${error.message}`)
      : error;
  }
}

/** The names in a folder, in no order; none when there is no such folder. Throws ERR_SEALANE_SYSTEM. */
export function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (isNotThere(error)) return [];
    throw nodeError(error, `listing ${path}`);
  }
}

/**
 * Removes what is at `path`, whatever it is; a symbolic link, not what it leads to. Whether that works is not told: what stays
 * is met again, and must not keep anybody from their work. A folder that another user fills could lead elsewhere while it is removed:
 * in a shared domain it stays.
 */
export function removeEntry(path: string, { shared } = PRIVATE_FILES): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!shared && !isNotThere(error)) removeTree(path);
  }
}

/** Runs a function of node:fs; what it throws becomes ERR_SEALANE_SYSTEM. */
export function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw nodeError(error, `${what} failed`);
  }
}

function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Somebody's mount point, or a directory that is not ours to change.
  }
}

/** The file may be a pipe or a device: it is opened without waiting, and only a regular file is read. */
function readBounded(path: string, owner: number | undefined): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (isNotThere(error)) return undefined;
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw wrongFile(path, 'is a symbolic link');
    throw nodeError(error, `reading ${path} failed`);
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw wrongFile(path, 'is not a regular file');
    if (owner !== undefined && stats.uid !== owner)
      throw wrongFile(path, `belongs to user ${stats.uid}, not to user ${owner}`);
    return readText(fd, path);
  } finally {
    closeSync(fd);
  }
}

function readText(fd: number, path: string): string {
  const buffer = Buffer.allocUnsafe(MAX_FILE_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const bytes = attempt(`reading ${path}`, () =>
      readSync(fd, buffer, length, buffer.length - length, null),
    );
    if (bytes === 0) return buffer.toString('utf8', 0, length);
    length += bytes;
  }
  throw wrongFile(path, `has more than ${MAX_FILE_BYTES} bytes`);
}

function parseObject(text: string): FileRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw protocolError(`it is no JSON: ${describe(text)}`);
  }
  if (!isRecord(value)) throw protocolError(`it holds ${describe(value)} and no object`);
  return value;
}

function requireVersion(record: FileRecord): FileRecord {
  const { version } = record;
  if (version === FORMAT_VERSION) return record;
  if (!Number.isSafeInteger(version)) throw protocolError(`its version is ${describe(version)}`);
  const message = `its version is ${version}, and this Sealane knows ${FORMAT_VERSION}: run the same version everywhere`;
  throw new SealaneError('ERR_SEALANE_VERSION_MISMATCH', message);
}

function wrongFile(path: string, problem: string): SealaneError {
  return protocolError(`the file ${path} is not as it must be: it ${problem}`);
}

function isNotThere(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
