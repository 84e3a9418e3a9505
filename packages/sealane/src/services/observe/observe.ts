/**
 * Looking at a whole domain while it runs: what its nodes tell of their ports, look after look. Costs those that are observed next to nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { checkInteger, checkOptions, checkSignal } from '../../base/check.js';
import { abortedError } from '../../base/errors.js';
import type { DomainOptions } from '../domain/domain.js';
import type { ObservedDomain } from './observed.js';
import { Observer } from './observer.js';

/** What is observed, and how often. */
export interface ObserveOptions {
  /** As of {@link NodeOptions}. Default: `default`. It may come into being later. */
  readonly domain?: string | undefined;
  /** Where domains lie. Default: as of {@link NodeOptions}. */
  readonly directory?: string | undefined;
  /** As of {@link NodeOptions}. */
  readonly sharedDirectory?: string | undefined;
  /** Milliseconds between two looks: 10 to 3,600,000. Default: 1,000. */
  readonly intervalMs?: number | undefined;
  /** Ends the iteration, which throws ERR_SEALANE_ABORTED. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks at a domain again and again, for the first time after `intervalMs`: what is told as "a second" is the mean since the look before. Ports count
 * only while somebody looks at their node, and cost nothing otherwise. Throws ERR_SEALANE_INVALID_ARGUMENT; the iteration throws
 * ERR_SEALANE_ABORTED when the signal fires, ERR_SEALANE_UNSAFE_DIRECTORY, ERR_SEALANE_SYSTEM, ERR_SEALANE_EXHAUSTED.
 */
export function observe(options: ObserveOptions = {}): AsyncGenerator<ObservedDomain, void, void> {
  checkOptions('options', options, ['domain', 'directory', 'sharedDirectory', 'intervalMs', 'signal']);
  const { domain, directory, sharedDirectory, intervalMs = 1_000, signal } = options;
  checkInteger('options.intervalMs', intervalMs, MIN_INTERVAL_MS, MAX_INTERVAL_MS);
  checkSignal('options.signal', signal);
  return looks({ name: domain, directory, sharedDirectory }, intervalMs, signal);
}

const MIN_INTERVAL_MS = 10;
const MAX_INTERVAL_MS = 3_600_000;

async function* looks(
  place: DomainOptions,
  intervalMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObservedDomain, void, void> {
  using observer = new Observer(place);
  observer.look();
  for (;;) {
    await pause(intervalMs, signal);
    yield observer.look();
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw signal?.aborted === true ? abortedError('observing', signal) : error;
  }
}
