/** How a failure is told to a client. */
import { SealaneError } from '../base/errors.js';
import { codeToStatus, type ErrorStatus } from '../wire/index.js';

/** The status and the text of an error answer, for whatever was thrown. What is not ours is a bug: `internal`. */
export function toAnswer(error: unknown): { status: ErrorStatus; text: string } {
  if (error instanceof SealaneError) return { status: codeToStatus(error.code), text: error.message };
  return {
    status: codeToStatus('ERR_SEALANE_INTERNAL'),
    text: `the broker failed unexpectedly: ${String(error)} (please report this)`,
  };
}

/** The error of a request that its client gave up. */
export function canceledError(): SealaneError {
  return new SealaneError('ERR_SEALANE_ABORTED', 'the request was canceled');
}
