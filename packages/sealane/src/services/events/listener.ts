/** A listener, as its user sees it. Owns its port and its file in the service. */

import { checkOptions, checkSignal } from '../../base/check.js';
import { invalidArgument, isSealaneError } from '../../base/errors.js';
import type { PortAddress } from '../pairs/address.js';
import { type BlockingOptions, checkBlocking, DEFAULT_SPIN_MS } from '../pairs/blocking.js';
import { untilConnected } from '../pairs/connected.js';
import type { Doorbell } from '../pairs/doorbell.js';
import type { Waitable } from '../pairs/waitable.js';
import type { EventNotice, ListenerPort } from './listener-port.js';

/** What a listener has done so far. */
export interface ListenerFigures {
  /** Notifications that were received: the sum of all counts. */
  readonly received: number;
  /** The notifiers that are connected now. */
  readonly notifiers: readonly PortAddress[];
}

/**
 * Receives what the notifiers of an event service notify, with the count of each id: nothing is lost, however late it is received. Made by
 * {@link EventService.listener}.
 */
export class Listener implements AsyncIterable<EventNotice>, AsyncDisposable, Disposable {
  /** Its number within its node. */
  readonly port: number;
  readonly #port: ListenerPort;
  readonly #bell: Doorbell;
  readonly #onClose: () => void;

  /** @internal */
  constructor(number: number, port: ListenerPort, bell: Doorbell, onClose: () => void) {
    this.port = number;
    this.#port = port;
    this.#bell = bell;
    this.#onClose = onClose;
  }

  get closed(): boolean {
    return this.#port.closed;
  }

  /** For a WaitSet. @internal */
  get waitable(): Waitable {
    return this.#port;
  }

  /**
   * A descriptor that is readable when there may be something to receive, for any poll loop. Whoever polls it calls receive() until that
   * returns undefined, or drain() until that returns 0, then polls again, at least once a second: it also serves the node's connections. It
   * is the node's, the same for all its listeners: never close it, and forget it with the listener. It does not become readable for a
   * deadline. Throws ERR_SEALANE_CLOSED.
   */
  get fd(): number {
    return this.#port.fd;
  }

  /**
   * The next id that was notified with its count, or a deadline that was missed; undefined when there is nothing now. Notifiers take turns,
   * and so do the ids of one. Throws ERR_SEALANE_CLOSED.
   */
  receive(): EventNotice | undefined {
    return this.#port.receive();
  }

  /**
   * Hands over every id that was notified, with its count; returns how many there were. Allocates nothing, and tells of no deadlines.
   * Throws ERR_SEALANE_CLOSED, ERR_SEALANE_INVALID_ARGUMENT, and what the handler throws: that id is lost, the others come the next time.
   */
  drain(handler: (id: number, count: number) => void): number {
    checkHandler(handler);
    return this.#port.drain(handler);
  }

  /**
   * As receive(); blocks the thread until there is something. For workers and scripts: on a thread with other work, await next() instead.
   * A worker that waits here can be terminated. Throws as receive(), ERR_SEALANE_INVALID_ARGUMENT.
   */
  receiveBlocking(options: BlockingOptions = {}): EventNotice | undefined {
    checkBlocking(options);
    const { timeoutMs = Number.POSITIVE_INFINITY, spinMs = DEFAULT_SPIN_MS } = options;
    return this.#port.receiveBlocking(timeoutMs, spinMs);
  }

  /** As drain(); blocks the thread until there is something, or returns 0 after `timeoutMs`. Throws as drain(). */
  drainBlocking(handler: (id: number, count: number) => void, options: BlockingOptions = {}): number {
    checkHandler(handler);
    checkBlocking(options);
    const { timeoutMs = Number.POSITIVE_INFINITY, spinMs = DEFAULT_SPIN_MS } = options;
    return this.#port.drainBlocking(handler, timeoutMs, spinMs);
  }

  /** As receive(), as soon as there is something, while the event loop goes on. Rejects with ERR_SEALANE_ABORTED, ERR_SEALANE_CLOSED. */
  async next(options: { readonly signal?: AbortSignal } = {}): Promise<EventNotice> {
    checkOptions('options', options, ['signal']);
    checkSignal('options.signal', options.signal);
    for (;;) {
      const notice = this.receive();
      if (notice !== undefined) return notice;
      await this.#port.untilReady(options.signal);
    }
  }

  /** All notices from now on. Ends when the listener is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<EventNotice, void, void> {
    try {
      for (;;) yield await this.next();
    } catch (error) {
      if (!isSealaneError(error, 'ERR_SEALANE_CLOSED') || !this.closed) throw error;
    }
  }

  /** What it has done so far. */
  get figures(): ListenerFigures {
    const { received, inlets } = this.#port;
    return { received, notifiers: inlets.filter(({ ended }) => !ended).map(({ peer }) => peer) };
  }

  /** Resolves once at least `count` notifiers are connected. Rejects with ERR_SEALANE_ABORTED, ERR_SEALANE_CLOSED. */
  async connected(count = 1, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await untilConnected(count, options, {
      peers: () => (this.closed ? undefined : this.figures.notifiers.length),
      changed: (signal) => this.#bell.wait(signal, 'waiting for notifiers'),
    });
  }

  /** Ends all its connections; what was not received is lost. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.#onClose();
    this.#port.close();
    this.#bell.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

function checkHandler(handler: unknown): void {
  if (typeof handler !== 'function') throw invalidArgument('handler', 'be a function', handler);
}
