/**
 * The unanswered requests of one connection. Owns the entries; what a request holds is given up by its `cancel`.
 */
import { assert } from '../base/assert.js';
import { SealaneError } from '../base/errors.js';
import type { RequestType } from '../wire/index.js';

/** What names a request in its answer. Kept instead of the request, which may be as long as a message. */
export interface Ticket {
  readonly requestId: number;
  readonly type: RequestType;
}

/** An unanswered request. */
export interface Pending {
  readonly ticket: Ticket;
  /** It waits for others, perhaps forever; what does not is answered by and by. */
  readonly parked: boolean;
  /** Gives up: releases what the request holds; nobody answers it after that. Absent: it can't be given up any more. */
  readonly cancel?: () => void;
}

export class Outstanding {
  readonly #byId = new Map<number, Pending>();
  #parked = 0;

  /** `max`: how many may be parked, and how many there may be before the connection is read no further. */
  constructor(readonly max: number) {}

  get size(): number {
    return this.#byId.size;
  }

  /** Requests that are answered without anybody else's doing. */
  get busy(): number {
    return this.#byId.size - this.#parked;
  }

  get(requestId: number): Pending | undefined {
    return this.#byId.get(requestId);
  }

  /** Throws ERR_SEALANE_LIMIT_EXCEEDED when no further request may wait for others. */
  checkParking(): void {
    if (this.#parked < this.max) return;
    throw new SealaneError(
      'ERR_SEALANE_LIMIT_EXCEEDED',
      `${this.max} requests of this connection wait already, which is the broker's maxOutstanding; ` +
        'cancel some, or use another connection',
    );
  }

  add(pending: Pending): void {
    assert(!this.#byId.has(pending.ticket.requestId), 'a request is unanswered twice');
    this.#byId.set(pending.ticket.requestId, pending);
    if (pending.parked) this.#parked++;
  }

  /** Forgets a request that is being answered. */
  settle(requestId: number): void {
    const pending = this.#byId.get(requestId);
    if (pending === undefined) return;
    this.#byId.delete(requestId);
    if (pending.parked) this.#parked--;
  }

  /** Gives up all requests and forgets them. */
  cancelAll(): Ticket[] {
    const tickets: Ticket[] = [];
    for (const { ticket, cancel } of [...this.#byId.values()]) {
      cancel?.();
      tickets.push(ticket);
    }
    this.#byId.clear();
    this.#parked = 0;
    return tickets;
  }
}
