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

const MEMLOCK_HINT =
  'this process may not lock so much memory: raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK= of systemd), or do not lock it';

/** Where the system call tells more than the error alone. */
const HINT_BY_CALL: ReadonlyMap<string, string> = new Map([
  [
    'ENOMEM mmap',
    'the process has no memory or no mapping left: close some, or raise vm.max_map_count (sysctl)',
  ],
  ['EPERM mmap', 'its seals forbid such a mapping'],
  ['EACCES mmap', 'its descriptor was opened for less than that'],
  ['ENODEV mmap', 'the processor can not map it'],
  ['ENOMEM mlock', MEMLOCK_HINT],
  ['EPERM mlock', MEMLOCK_HINT],
  ['EAGAIN mlock', MEMLOCK_HINT],
  [
    'EMFILE inotify_init1',
    'this user has no inotify instance left: raise fs.inotify.max_user_instances (sysctl), or RLIMIT_NOFILE (ulimit -n)',
  ],
  [
    'ENOSPC inotify_add_watch',
    'this user has no inotify watch left: raise fs.inotify.max_user_watches (sysctl)',
  ],
  [
    'EPERM epoll_ctl',
    'regular files, directories and /dev/null are always ready, and can not be watched: read them right away',
  ],
  ['ENOSPC epoll_ctl', 'this user watches too many descriptors: raise fs.epoll.max_user_watches (sysctl)'],
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
  return HINT_BY_CALL.get(`${errnoName} ${syscall}`) ?? HINT_BY_EXHAUSTION.get(errnoName);
}
