/**
 * What comes to one port of a service for as long as a command wants it: the next one as soon as it is there, at most a while later, and none
 * once all who sent are gone. Owns nothing: the port is the command's.
 */
import type { ServiceEvent } from 'sealane';
import type { CommandError } from '../failure.js';
import { withTimeout } from './participate.js';

/** The port of a subscriber or listener. */
export interface Receiver<T> {
  readonly port: number;
  readonly closed: boolean;
  /** How many peers are connected. */
  senders(): number;
  receive(): T | undefined;
  next(options: { readonly signal: AbortSignal }): Promise<T>;
}

/** When to stop. */
export interface ArrivalLimits {
  /** Milliseconds in which nothing comes. */
  timeout?: number;
  untilGone?: boolean;
}

export class Arrivals<T> {
  readonly #receiver: Receiver<T>;
  readonly #timeoutMs: number | undefined;
  readonly #silent: (timeoutMs: number) => CommandError;
  /** Fires when all who sent are gone, and all is received. */
  readonly #gone = new AbortController();
  readonly #ends: AbortSignal;

  /** `signal` ends every wait; `silent` makes the error for a while in which nothing came. */
  constructor(
    service: { events(): AsyncIterable<ServiceEvent> },
    receiver: Receiver<T>,
    { timeout, untilGone }: ArrivalLimits,
    signal: AbortSignal,
    silent: (timeoutMs: number) => CommandError,
  ) {
    this.#receiver = receiver;
    this.#timeoutMs = timeout;
    this.#silent = silent;
    this.#ends = untilGone ? AbortSignal.any([signal, this.#gone.signal]) : signal;
    if (untilGone) void this.#abortWhenGone(service);
  }

  /** What is there now. */
  receive(): T | undefined {
    return this.#receiver.receive();
  }

  /** Waits for the next one; undefined when all who sent are gone and all is received. Rejects when the signal fires. */
  async next(): Promise<T | undefined> {
    if (this.#gone.signal.aborted) return undefined;
    try {
      return await withTimeout(
        this.#ends,
        this.#timeoutMs,
        () => this.#silent(this.#timeoutMs ?? 0),
        (signal) => this.#receiver.next({ signal }),
      );
    } catch (error) {
      if (this.#gone.signal.aborted) return this.#receiver.receive();
      throw error;
    }
  }

  /** A sender is lost only when all that it sent was received. */
  async #abortWhenGone(service: { events(): AsyncIterable<ServiceEvent> }): Promise<void> {
    for await (const event of service.events()) {
      if (event.type !== 'lost' || event.port !== this.#receiver.port) continue;
      if (!this.#receiver.closed && this.#receiver.senders() === 0) this.#gone.abort();
    }
  }
}
