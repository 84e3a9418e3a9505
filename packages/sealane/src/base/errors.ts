/**
 * The one error class of the library and its codes.
 * Owns the list of codes: they are the contract with callers, and messages are not.
 */

/**
 * Every code that a {@link SealaneError} can carry. Codes are stable; a new failure gets a new code.
 */
export type SealaneErrorCode =
  /** An argument or option has the wrong type or lies outside its range. */
  | 'ERR_SEALANE_INVALID_ARGUMENT'
  /** The resource was closed before this call. */
  | 'ERR_SEALANE_CLOSED'
  /** A system call failed; `errno` and `syscall` say which and why. */
  | 'ERR_SEALANE_SYSTEM'
  /** This operating system, architecture or Node.js build can't run Sealane. */
  | 'ERR_SEALANE_UNSUPPORTED_PLATFORM'
  /** A check of our own failed: a bug in Sealane. */
  | 'ERR_SEALANE_INTERNAL'
  /** A descriptor lacks seals that make it immutable. */
  | 'ERR_SEALANE_NOT_SEALED'
  /** A descriptor is missing, surplus, or not of the kind that is demanded. */
  | 'ERR_SEALANE_WRONG_DESCRIPTOR'
  /** The size that was stated is not the size of the descriptor. */
  | 'ERR_SEALANE_SIZE_MISMATCH'
  /** The digest that was stated is not the digest of the content. */
  | 'ERR_SEALANE_DIGEST_MISMATCH'
  /** A peer sent something that the protocol does not allow. */
  | 'ERR_SEALANE_PROTOCOL'
  /** A frame and descriptors that came are not of each other; `sequence` is the frame's token. */
  | 'ERR_SEALANE_TOKEN_MISMATCH'
  /** A frame came without its descriptors; `sequence` is its token. */
  | 'ERR_SEALANE_MISSING_DESCRIPTOR'
  /** More descriptors than one frame, or one buffer of a pool, may have. */
  | 'ERR_SEALANE_TOO_MANY_DESCRIPTORS'
  /** The two sides share no protocol version. */
  | 'ERR_SEALANE_VERSION_MISMATCH'
  /** There is no such object, or none that the caller may see. */
  | 'ERR_SEALANE_NOT_FOUND'
  /** The object exists and the caller's job may not do this with it. */
  | 'ERR_SEALANE_ACCESS_DENIED'
  /** A limit of the broker or of the library would be exceeded. */
  | 'ERR_SEALANE_LIMIT_EXCEEDED'
  /** Descriptors, memory or mappings are used up. */
  | 'ERR_SEALANE_EXHAUSTED'
  /** A consumer that asked for every version fell too far behind. */
  | 'ERR_SEALANE_WATCH_OVERRUN'
  /** Nobody listens on the broker's socket. */
  | 'ERR_SEALANE_NO_BROKER'
  /** Another broker serves this socket already. */
  | 'ERR_SEALANE_BROKER_RUNNING'
  /** The process behind the socket is not one that this user trusts. */
  | 'ERR_SEALANE_UNTRUSTED_PEER'
  /** The connection to the broker was lost. */
  | 'ERR_SEALANE_CONNECTION_LOST'
  /** The runtime directory is not ours alone: wrong owner, wrong mode, or a symbolic link. */
  | 'ERR_SEALANE_UNSAFE_DIRECTORY'
  /** An offset or a length is not a multiple of the element size of the view, or of the page size. */
  | 'ERR_SEALANE_MISALIGNED'
  /** A hand-over token is unknown, was used already, or belongs to another process. */
  | 'ERR_SEALANE_BAD_TOKEN'
  /** The wait was given up: its AbortSignal fired. `cause` is the signal's reason. */
  | 'ERR_SEALANE_ABORTED'
  /** A connection could not be made, or a lock not be had, within its time limit. */
  | 'ERR_SEALANE_TIMEOUT'
  /** A service exists and does not fit what was required of it; the message names the setting or attribute, and both values. Or a peer sends another kind of samples. */
  | 'ERR_SEALANE_SETTINGS_MISMATCH'
  /** A service of this name exists already. */
  | 'ERR_SEALANE_SERVICE_EXISTS'
  /** There is no service of this name in the domain. */
  | 'ERR_SEALANE_NO_SERVICE'
  /** A subscriber's buffer is full, and the publisher was told to fail then. */
  | 'ERR_SEALANE_SUBSCRIBER_FULL'
  /** Something is mapped there already, or the range belongs to another window. */
  | 'ERR_SEALANE_OVERLAP'
  /** A received sample was written into; `sequence` says which. Everything is in order again. */
  | 'ERR_SEALANE_SAMPLE_MODIFIED'
  /** Another call on the same object is still under way. */
  | 'ERR_SEALANE_BUSY';

/** What an error may carry beside its code and message. */
export interface SealaneErrorDetails {
  /** What led to this error. */
  cause?: unknown;
  /** The kernel's error number (positive), when a system call failed. */
  errno?: number;
  /** The kernel's error name, for example `EMFILE`. */
  errnoName?: string;
  /** The system call that failed. */
  syscall?: string;
  /** The sequence number of the sample that was written into, or the token of the frame. */
  sequence?: number;
}

/** Every error that Sealane throws on purpose. Branch on `code`; the message is for people. */
export class SealaneError extends Error {
  override readonly name = 'SealaneError';
  /** The stable code of this failure. */
  readonly code: SealaneErrorCode;
  /** The kernel's error number (positive), when a system call failed. */
  declare readonly errno?: number;
  /** The kernel's error name, for example `EMFILE`. */
  declare readonly errnoName?: string;
  /** The system call that failed. */
  declare readonly syscall?: string;
  /** The sequence number of the sample that was written into (0: memory that no received sample was in), or the token of the frame. */
  declare readonly sequence?: number;

  constructor(code: SealaneErrorCode, message: string, details: SealaneErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.errnoName !== undefined) this.errnoName = details.errnoName;
    if (details.syscall !== undefined) this.syscall = details.syscall;
    if (details.sequence !== undefined) this.sequence = details.sequence;
  }
}

/** The same error with another message, and the stack of whoever calls this. */
export function reworded(error: SealaneError, message: string): SealaneError {
  const { code, cause, errno, errnoName, syscall, sequence } = error;
  return new SealaneError(code, message, {
    cause,
    ...(errno === undefined ? {} : { errno }),
    ...(errnoName === undefined ? {} : { errnoName }),
    ...(syscall === undefined ? {} : { syscall }),
    ...(sequence === undefined ? {} : { sequence }),
  });
}

/** Whether `value` is a SealaneError, and of this code if one is given. */
export function isSealaneError(value: unknown, code?: SealaneErrorCode): value is SealaneError {
  return value instanceof SealaneError && (code === undefined || value.code === code);
}

/** The error for an argument that does not fit. `must` completes the sentence "NAME must ...". */
export function invalidArgument(name: string, must: string, got: unknown): SealaneError {
  return new SealaneError('ERR_SEALANE_INVALID_ARGUMENT', `${name} must ${must}; got ${describe(got)}`);
}

/** The error for a call on something that is closed. */
export function closedError(what: string): SealaneError {
  return new SealaneError('ERR_SEALANE_CLOSED', `${what} is closed`);
}

/** The error for a wait whose AbortSignal fired. */
export function abortedError(what: string, signal: AbortSignal): SealaneError {
  return new SealaneError('ERR_SEALANE_ABORTED', `${what} was aborted`, { cause: signal.reason });
}

/** A short description of any value, safe to put into a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 80 ? `${JSON.stringify(value.slice(0, 77))}...` : JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (value === null || typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`;
  return `a value of type ${value.constructor?.name ?? 'Object'}`;
}
