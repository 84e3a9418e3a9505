/** Status numbers of the protocol and error codes of the library: what each becomes on the other side. */
import type { SealaneErrorCode } from '../base/errors.js';
import { type ErrorStatus, STATUS } from './numbers.js';

/** By status. A request that the broker could not read is our own or the broker's mistake: a matter of the protocol. */
const CODES: Readonly<Record<ErrorStatus, SealaneErrorCode>> = {
  [STATUS.badRequest]: 'ERR_SEALANE_PROTOCOL',
  [STATUS.notFound]: 'ERR_SEALANE_NOT_FOUND',
  [STATUS.accessDenied]: 'ERR_SEALANE_ACCESS_DENIED',
  [STATUS.limitExceeded]: 'ERR_SEALANE_LIMIT_EXCEEDED',
  [STATUS.notSealed]: 'ERR_SEALANE_NOT_SEALED',
  [STATUS.wrongDescriptor]: 'ERR_SEALANE_WRONG_DESCRIPTOR',
  [STATUS.sizeMismatch]: 'ERR_SEALANE_SIZE_MISMATCH',
  [STATUS.digestMismatch]: 'ERR_SEALANE_DIGEST_MISMATCH',
  [STATUS.canceled]: 'ERR_SEALANE_ABORTED',
  [STATUS.exhausted]: 'ERR_SEALANE_EXHAUSTED',
  [STATUS.overrun]: 'ERR_SEALANE_WATCH_OVERRUN',
  [STATUS.version]: 'ERR_SEALANE_VERSION_MISMATCH',
  [STATUS.internal]: 'ERR_SEALANE_INTERNAL',
  [STATUS.closing]: 'ERR_SEALANE_CONNECTION_LOST',
  [STATUS.untrusted]: 'ERR_SEALANE_UNTRUSTED_PEER',
};

/** The codes that no status becomes; the others are the inverse of CODES. What a client can't act on is `internal`. */
const OTHER_STATUSES: Readonly<Partial<Record<SealaneErrorCode, ErrorStatus>>> = {
  ERR_SEALANE_INVALID_ARGUMENT: STATUS.badRequest,
  ERR_SEALANE_CLOSED: STATUS.closing,
  ERR_SEALANE_TIMEOUT: STATUS.closing,
};

const STATUSES: ReadonlyMap<string, ErrorStatus> = new Map([
  ...Object.entries(CODES).map(([status, code]): [string, ErrorStatus] => [
    code,
    Number(status) as ErrorStatus,
  ]),
  ...Object.entries(OTHER_STATUSES),
]);

/** Whether this is the number of an error that this version knows. */
export function isErrorStatus(status: number): status is ErrorStatus {
  return Object.hasOwn(CODES, status);
}

/** The code of the error that a client throws for this status. */
export function statusToCode(status: ErrorStatus): SealaneErrorCode {
  return CODES[status];
}

/** The status with which a broker answers a request that failed with this code. */
export function codeToStatus(code: SealaneErrorCode): ErrorStatus {
  return STATUSES.get(code) ?? STATUS.internal;
}
