/**
 * Receiving samples for as long as a command wants them. Owns the subscriber. Samples are shown in place, through objects that are used
 * again: nothing is copied.
 */
import type { PubSubService, Sample, Subscriber } from 'sealane';
import type { CommandError } from '../failure.js';
import { formatDuration } from '../terminal/units.js';
import { type AllowOptions, accessOf } from './account.js';
import { type ArrivalLimits, Arrivals, type Receiver } from './arrivals.js';
import {
  type DomainOptions,
  domainWords,
  openService,
  Turns,
  tooLate,
  withNode,
  withTimeout,
} from './participate.js';

/** Options of every command that subscribes. */
export interface SubscriptionOptions extends DomainOptions, AllowOptions {
  wait?: boolean;
  bufferSize?: number;
  history?: number;
  attribute?: Record<string, string | true>;
  /** Milliseconds to wait for the service, and then for each sample. */
  timeout?: number;
}

/** A subscription of this command. */
export interface Subscription {
  readonly service: PubSubService;
  readonly subscriber: Subscriber;
  /** Fires when the command is interrupted. */
  readonly signal: AbortSignal;
}

/** Runs `work` with a subscriber of a service that exists, or that comes to exist with `wait`. */
export async function withSubscription(
  verb: string,
  name: string,
  options: SubscriptionOptions,
  work: (subscription: Subscription) => Promise<void>,
): Promise<void> {
  const { wait, bufferSize, history, attribute } = options;
  await withNode(`sealane service ${verb}`, options, async (node, { signal }) => {
    const needs = {
      ...(bufferSize === undefined ? {} : { bufferSize }),
      ...(history === undefined ? {} : { history }),
      attributes: attribute,
      ...accessOf(options),
    };
    await using service = await withTimeout(
      signal,
      options.timeout,
      () => absent(name, options),
      (either) => {
        const open = () => node.service(name).openPublishSubscribe(needs);
        return openService(node, open, { wait, signal: either });
      },
    );
    await using subscriber = await service.subscriber({ bufferSize, history });
    await work({ service, subscriber, signal });
  });
}

/**
 * Hands each sample to `use`, and takes it back when that is done; ends when `use` answers true, or as the limits say. Rejects when a
 * signal fires.
 */
export async function receiveAll(
  { service, subscriber, signal }: Subscription,
  limits: ArrivalLimits,
  use: (sample: Sample) => Promise<boolean> | boolean,
): Promise<void> {
  const turns = new Turns();
  const arrivals = new Arrivals(service, asReceiver(subscriber), limits, signal, silent);
  for (;;) {
    const sample = arrivals.receive() ?? (await arrivals.next());
    if (sample === undefined) return;
    try {
      const done = use(sample);
      if (done === true || (done !== false && (await done))) return;
    } finally {
      sample.release();
    }
    if (turns.due) await turns.give(signal);
  }
}

function asReceiver(subscriber: Subscriber): Receiver<Sample> {
  return {
    port: subscriber.port,
    get closed() {
      return subscriber.closed;
    },
    senders: () => subscriber.figures.publishers.length,
    receive: () => subscriber.hot.receive(),
    next: (options) => subscriber.next(options),
  };
}

/** The error of a service that did not come in time. */
export function absent(
  name: string,
  { timeout = 0, ...where }: DomainOptions & { timeout?: number },
): CommandError {
  const message = `no service ${name} appeared within ${formatDuration(timeout)}`;
  return tooLate(message, `\`sealane service list${domainWords(where)}\` shows those that are there`);
}

function silent(timeoutMs: number): CommandError {
  const message = `no sample came within ${formatDuration(timeoutMs)}`;
  return tooLate(message, 'wait longer with --timeout, or see with `sealane service inspect` who publishes');
}
