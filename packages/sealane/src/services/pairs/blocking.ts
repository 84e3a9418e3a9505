/** How a thread waits for something to come: the options that all ports share which receive. Pure. */
import { checkOptions } from '../../base/check.js';
import { invalidArgument } from '../../base/errors.js';

/** How a thread waits. */
export interface BlockingOptions {
  /** Undefined is returned after that many milliseconds, 0 to Infinity. Default: Infinity. */
  readonly timeoutMs?: number | undefined;
  /**
   * Milliseconds for which it looks again and again before it sleeps, 0 to Infinity. Default: 0.02. Between two looks others may have the
   * processor (sched_yield); what they leave is used up. To wake a sleeper costs the sender a system call and the receiver some
   * microseconds, each time where things come no faster than it can fall asleep. 0: sleep at once, to spare the processor.
   */
  readonly spinMs?: number | undefined;
}

/** As long as a wake-up takes: who sleeps earlier may pay more for it than the time that it spared. */
export const DEFAULT_SPIN_MS = 0.02;

/** Throws ERR_SEALANE_INVALID_ARGUMENT. For every call: the full check allocates, and only what is odd needs it. */
export function checkBlocking(options: BlockingOptions): void {
  let odd =
    typeof options !== 'object' || options === null || Object.getPrototypeOf(options) !== Object.prototype;
  for (const key in options) if (key !== 'timeoutMs' && key !== 'spinMs') odd = true;
  if (odd) checkOptions('options', options, ['timeoutMs', 'spinMs']);
  const { timeoutMs, spinMs } = options;
  if (timeoutMs !== undefined && !isDuration(timeoutMs)) throw invalidDuration('timeoutMs', timeoutMs);
  if (spinMs !== undefined && !isDuration(spinMs)) throw invalidDuration('spinMs', spinMs);
}

function isDuration(ms: unknown): boolean {
  return typeof ms === 'number' && ms >= 0;
}

function invalidDuration(what: string, ms: unknown): Error {
  return invalidArgument(what, 'be a number of milliseconds from 0 to Infinity', ms);
}
