/**
 * The exit codes of the command. Scripts branch on them: a code never changes its meaning.
 * Owns the mapping from the library's error codes; the type makes it complete.
 */
import type { SealaneErrorCode } from 'sealane';

/** Every exit code, by meaning. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  accessDenied: 4,
  noBroker: 5,
  limit: 6,
  badData: 7,
  timeout: 8,
  /** As shells have it: a command that is there and can't be run. */
  cantExecute: 126,
  /** As shells have it: no such command. */
  commandNotFound: 127,
  /** 128 + SIGINT, as shells report it. */
  interrupted: 130,
  /** 128 + SIGTERM. */
  terminated: 143,
} as const;

/** The table that `sealane --help` prints: code and meaning. */
export const EXIT_CODE_TABLE: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, 'success'],
  [EXIT.failure, 'failure that no other code names; doctor: something essential is missing'],
  [EXIT.usage, 'wrong usage: an unknown option, a missing argument, a value out of range'],
  [EXIT.notFound, 'no such object, or none that this job may see; no such service or node'],
  [EXIT.accessDenied, 'access denied, or a socket, directory or policy file that is not to be trusted'],
  [EXIT.noBroker, 'no broker, or the connection to it was lost'],
  [EXIT.limit, 'a limit would be exceeded, or descriptors or memory are used up'],
  [EXIT.badData, 'bad data: not sealed, size or digest differ, or a policy that is wrong'],
  [EXIT.timeout, 'timed out'],
  [EXIT.cantExecute, "exec: the command can't be executed"],
  [EXIT.commandNotFound, 'exec: there is no such command'],
  [EXIT.interrupted, 'interrupted by SIGINT (143: by SIGTERM)'],
];

const EXIT_OF_CODE: Readonly<Record<SealaneErrorCode, number>> = {
  ERR_SEALANE_INVALID_ARGUMENT: EXIT.usage,
  ERR_SEALANE_CLOSED: EXIT.failure,
  ERR_SEALANE_SYSTEM: EXIT.failure,
  ERR_SEALANE_UNSUPPORTED_PLATFORM: EXIT.failure,
  ERR_SEALANE_INTERNAL: EXIT.failure,
  ERR_SEALANE_NOT_SEALED: EXIT.badData,
  ERR_SEALANE_WRONG_DESCRIPTOR: EXIT.badData,
  ERR_SEALANE_TOKEN_MISMATCH: EXIT.badData,
  ERR_SEALANE_MISSING_DESCRIPTOR: EXIT.badData,
  ERR_SEALANE_TOO_MANY_DESCRIPTORS: EXIT.limit,
  ERR_SEALANE_SIZE_MISMATCH: EXIT.badData,
  ERR_SEALANE_DIGEST_MISMATCH: EXIT.badData,
  ERR_SEALANE_PROTOCOL: EXIT.failure,
  ERR_SEALANE_VERSION_MISMATCH: EXIT.failure,
  ERR_SEALANE_NOT_FOUND: EXIT.notFound,
  ERR_SEALANE_ACCESS_DENIED: EXIT.accessDenied,
  ERR_SEALANE_LIMIT_EXCEEDED: EXIT.limit,
  ERR_SEALANE_EXHAUSTED: EXIT.limit,
  ERR_SEALANE_WATCH_OVERRUN: EXIT.limit,
  ERR_SEALANE_NO_BROKER: EXIT.noBroker,
  ERR_SEALANE_BROKER_RUNNING: EXIT.failure,
  ERR_SEALANE_UNTRUSTED_PEER: EXIT.accessDenied,
  ERR_SEALANE_CONNECTION_LOST: EXIT.noBroker,
  ERR_SEALANE_UNSAFE_DIRECTORY: EXIT.accessDenied,
  ERR_SEALANE_MISALIGNED: EXIT.failure,
  ERR_SEALANE_BAD_TOKEN: EXIT.failure,
  ERR_SEALANE_ABORTED: EXIT.interrupted,
  ERR_SEALANE_TIMEOUT: EXIT.timeout,
  ERR_SEALANE_SETTINGS_MISMATCH: EXIT.failure,
  ERR_SEALANE_SERVICE_EXISTS: EXIT.failure,
  ERR_SEALANE_NO_SERVICE: EXIT.notFound,
  ERR_SEALANE_SUBSCRIBER_FULL: EXIT.failure,
  ERR_SEALANE_OVERLAP: EXIT.failure,
  ERR_SEALANE_SAMPLE_MODIFIED: EXIT.failure,
  ERR_SEALANE_BUSY: EXIT.failure,
};

/** The exit code for an error of the library. A code that this version does not know is a failure. */
export function exitCodeOf(code: string): number {
  return (EXIT_OF_CODE as Readonly<Record<string, number | undefined>>)[code] ?? EXIT.failure;
}
