/** What a publisher does when a subscriber's buffer is full and the oldest sample may not give way. Pure. */
import { invalidArgument, SealaneError } from '../../base/errors.js';
import type { PortAddress } from '../pairs/address.js';

/**
 * `wait`: until there is room, or the subscriber is gone. `drop`: this subscriber does not get the sample, and can tell by the gap.
 * `fail`: send throws ERR_SEALANE_SUBSCRIBER_FULL.
 */
export type FullAction = 'wait' | 'drop' | 'fail';

/** What a handler is told of the subscriber that is full. The object is used again: copy what is to be kept. */
export interface FullSituation {
  /** The subscriber. */
  readonly subscriber: PortAddress;
  /** How often the handler was asked before, for this sample and subscriber. */
  readonly retries: number;
  /** Milliseconds since it was first asked for them. */
  readonly elapsedMs: number;
}

/** Decides anew each time. `retry` looks again at once: it must not answer that for ever. It can't send: ERR_SEALANE_BUSY. */
export type FullHandler = (situation: FullSituation) => FullAction | 'retry';

const ACTIONS: ReadonlySet<unknown> = new Set(['wait', 'drop', 'fail']);

/** Throws unless it is an action or a handler. */
export function checkWhenFull(whenFull: unknown): asserts whenFull is FullAction | FullHandler {
  if (typeof whenFull !== 'function' && !ACTIONS.has(whenFull))
    throw invalidArgument('whenFull', "be 'wait', 'drop', 'fail' or a function", whenFull);
}

/** Asks what to do with one sample for one subscriber. */
export class FullDecision {
  readonly #whenFull: FullAction | FullHandler;
  readonly #subscriber: PortAddress;
  readonly #beganMs = performance.now();
  #retries = 0;

  constructor(whenFull: FullAction | FullHandler, subscriber: PortAddress) {
    this.#whenFull = whenFull;
    this.#subscriber = subscriber;
  }

  /** Throws what the handler throws, and ERR_SEALANE_INVALID_ARGUMENT when its answer is none. */
  next(): FullAction | 'retry' {
    if (typeof this.#whenFull !== 'function') return this.#whenFull;
    const answer: unknown = this.#whenFull({
      subscriber: this.#subscriber,
      retries: this.#retries++,
      elapsedMs: performance.now() - this.#beganMs,
    });
    if (answer === 'retry') return answer;
    if (!ACTIONS.has(answer))
      throw invalidArgument('the answer of whenFull', "be 'retry', 'wait', 'drop' or 'fail'", answer);
    return answer as FullAction;
  }
}

/** The error for a subscriber that has no room. */
export function fullError(peer: PortAddress): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_SUBSCRIBER_FULL',
    `the buffer of subscriber ${peer.port} of node ${peer.node} (process ${peer.pid}) is full: it receives too slowly, or bufferSize is too low`,
  );
}

/** The error for a wait that would never end. */
export function waitsForItself(): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_SUBSCRIBER_FULL',
    'a subscriber of this thread is full, and waiting for it here would wait for ever: use sendAsync',
  );
}

/** The error for a sample that would overtake another. */
export function stillWaits(): SealaneError {
  const message =
    'an earlier sample still waits for room: await its sendAsync first, and send nothing in whenFull, nor where you are told of what a send did';
  return new SealaneError('ERR_SEALANE_BUSY', message);
}
