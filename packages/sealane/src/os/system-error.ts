/** Turns what the addon throws into the library's own errors. Owns the choice of code; decides nothing else. */
import { SealaneError, type SealaneErrorCode } from '../base/errors.js';

/** What the addon throws when a system call fails. */
interface NativeError extends Error {
  code: string;
  errno: number;
  syscall: string;
}

/** Errors that mean "used up": retrying later, or with a higher limit, may work. */
const HINT_BY_EXHAUSTION: ReadonlyMap<string, string> = new Map([
  ['EMFILE', 'this process has no descriptor left: close some, or raise RLIMIT_NOFILE (ulimit -n)'],
  ['ENFILE', 'the system has no file left: raise fs.file-max'],
  ['ENOMEM', 'there is not enough memory'],
  ['EFBIG', 'files, memory files too, may not become so large: raise RLIMIT_FSIZE (ulimit -f)'],
  ['ENOSPC', 'there is no space left, or a kernel limit for this user is reached'],
]);

/**
 * The error to throw for what the addon threw: a SealaneError for a failed system call (ERR_SEALANE_EXHAUSTED
 * when something is used up, else `code`), everything else unchanged. `what` says what was attempted.
 */
export function systemError(
  error: unknown,
  what: string,
  code: SealaneErrorCode = 'ERR_SEALANE_SYSTEM',
): unknown {
  if (!isNativeError(error)) return error;
  const { errno, syscall, code: errnoName } = error;
  const hint = hintFor(errnoName, syscall);
  const chosen = HINT_BY_EXHAUSTION.has(errnoName) ? 'ERR_SEALANE_EXHAUSTED' : code;
  const message = `${what} failed: ${error.message}${hint === undefined ? '' : `; ${hint}`}`;
  return new SealaneError(chosen, message, { cause: error, errno, errnoName, syscall });
}

/** Whether the addon threw this for a failed system call, and for this error if one is named. */
export function isNativeError(error: unknown, errnoName?: string): error is NativeError {
  // A SealaneError has the same properties, and is done already.
  if (!(error instanceof Error) || error instanceof SealaneError) return false;
  const { errno, syscall, code } = error as Partial<NativeError>;
  if (typeof errno !== 'number' || typeof syscall !== 'string' || typeof code !== 'string') return false;
  return errnoName === undefined || code === errnoName;
}

/** The error to throw for a failure that a function of Node.js reports. */
export function nodeError(cause: unknown, what: string): SealaneError {
  const { message, code, errno, syscall } = cause as NodeJS.ErrnoException;
  return new SealaneError('ERR_SEALANE_SYSTEM', `${what}: ${message}`, {
    cause,
    // Node.js counts error numbers down from zero.
    ...(errno === undefined ? {} : { errno: Math.abs(errno) }),
    ...(code === undefined ? {} : { errnoName: code }),
    ...(syscall === undefined ? {} : { syscall }),
  });
}

function hintFor(errnoName: string, syscall: string): string | undefined {
  if (errnoName === 'ENOMEM' && syscall === 'mmap') {
    return 'the process has no memory or no mapping left: close some, or raise vm.max_map_count (sysctl)';
  }
  return HINT_BY_EXHAUSTION.get(errnoName);
}
