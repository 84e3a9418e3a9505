/** A notifier, as its user sees it. Owns its port and its file in the service. */

import { checkInteger, checkOptions } from '../../base/check.js';
import { closedError } from '../../base/errors.js';
import type { PortAddress } from '../pairs/address.js';
import { untilConnected } from '../pairs/connected.js';
import type { NotifierPort } from './notifier-port.js';

/** What a notifier chooses for itself. */
export interface NotifierOptions {
  /** The id that it notifies when none is given: 0 to the service's `eventIds - 1`. Default: 0. */
  readonly id?: number | undefined;
}

/** What a notifier has done so far. */
export interface NotifierFigures {
  /** How often it has notified, whether or not there were listeners. */
  readonly notified: number;
  /** The listeners that are connected now. */
  readonly listeners: readonly PortAddress[];
}

/** Checks options against the service's settings. Throws ERR_SEALANE_INVALID_ARGUMENT. @internal */
export function toNotifierId(options: NotifierOptions, eventIds: number): number {
  checkOptions('options', options, ['id']);
  const { id = 0 } = options;
  checkInteger('options.id', id, 0, eventIds - 1);
  return id;
}

/** Notifies the listeners of an event service. Made by {@link EventService.notifier}. */
export class Notifier implements AsyncDisposable, Disposable {
  /** Its number within its node. */
  readonly port: number;
  /** The id that it notifies when none is given. */
  readonly id: number;
  readonly #port: NotifierPort;
  readonly #eventIds: number;
  readonly #onClose: () => void;

  /** @internal */
  constructor(number: number, id: number, eventIds: number, port: NotifierPort, onClose: () => void) {
    this.port = number;
    this.id = id;
    this.#eventIds = eventIds;
    this.#port = port;
    this.#onClose = onClose;
  }

  get closed(): boolean {
    return this.#port.closed;
  }

  /**
   * Counts an id (0 to the service's `eventIds - 1`) once for each listener that is connected, and wakes those that sleep. Returns how many
   * there are: 0 right after the notifier was made, until {@link connected} ones are there. Never waits. Throws
   * ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_CLOSED.
   */
  notify(id: number = this.id): number {
    this.#check(id);
    return this.#port.notify(id);
  }

  /** Does so for one listener: one that sleeps if any does, else the next in turn. Returns 1, or 0 when none is connected. Throws as notify(). */
  notifyOne(id: number = this.id): number {
    this.#check(id);
    return this.#port.notifyOne(id);
  }

  /** What it has done so far. */
  get figures(): NotifierFigures {
    const { notified, outlets } = this.#port;
    return { notified, listeners: outlets.map(({ peer }) => peer) };
  }

  /** Resolves once at least `count` listeners are connected. Rejects with ERR_SEALANE_ABORTED, ERR_SEALANE_CLOSED. */
  async connected(count = 1, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await untilConnected(count, options, {
      peers: () => (this.closed ? undefined : this.#port.outlets.length),
      changed: (signal) => this.#port.changed(signal),
    });
  }

  /** Ends all its connections. Listeners still get what was notified. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.#onClose();
    this.#port.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Throws ERR_SEALANE_INVALID_ARGUMENT unless there is such an id. @internal */
  checkId(name: string, id: unknown): void {
    checkInteger(name, id, 0, this.#eventIds - 1);
  }

  #check(id: number): void {
    if (this.#port.closed) throw closedError('the notifier');
    if (!(Number.isInteger(id) && id >= 0 && id < this.#eventIds)) this.checkId('id', id);
  }
}
