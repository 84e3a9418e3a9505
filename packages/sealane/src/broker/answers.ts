/** How a failure is told to a client. */
import { SealaneError } from '../base/errors.js';
import { codeToStatus, type ErrorStatus } from '../wire/index.js';

/** The status and the text of an error answer, for whatever was thrown. What is not ours is a bug: `internal`. */
export function toAnswer(error: unknown): { status: ErrorStatus; text: string } {
  if (error instanceof SealaneError) return { status: codeToStatus(error.code), text: textOf(error) };
  return {
    status: codeToStatus('ERR_SEALANE_INTERNAL'),
    text: `the broker failed unexpectedly: ${String(error)} (please report this)`,
  };
}

/** What the kernel refused to the broker is told as such: "this process", and the numbers of its descriptors, are the broker's. */
function textOf({ code, errnoName, message }: SealaneError): string {
  if (code !== 'ERR_SEALANE_EXHAUSTED' || errnoName === undefined) return message;
  const [what, remedy] = DESCRIPTORS.has(errnoName)
    ? ['descriptors', 'raise its `ulimit -n`']
    : ['memory', 'give it more'];
  return `the broker is out of ${what} (${errnoName}); try again later, drop objects, or ${remedy}`;
}

const DESCRIPTORS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ETOOMANYREFS']);

/** The error of a request that its client gave up. */
export function canceledError(): SealaneError {
  return new SealaneError('ERR_SEALANE_ABORTED', 'the request was canceled');
}
