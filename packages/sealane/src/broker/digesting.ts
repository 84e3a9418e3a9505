/** Requests that need digests which are not computed yet. Holds their objects meanwhile. */
import type { DigestWait } from './digests.js';
import type { StoredObject } from './object.js';
import type { Ticket } from './outstanding.js';
import type { Session } from './session.js';

/**
 * Calls `answer` when the digests of all `objects` are there: at once, or later while the request is pending. A digest that
 * can't be computed fails the request.
 */
export function withDigests(
  session: Session,
  ticket: Ticket,
  objects: readonly StoredObject[],
  answer: () => void,
): void {
  const missing = objects.filter((object) => object.content.digest === undefined);
  if (missing.length === 0) answer();
  else new Digesting(session, ticket, missing, answer).start();
}

class Digesting {
  readonly #waits: DigestWait[] = [];
  readonly #held: StoredObject[] = [];
  #left: number;

  constructor(
    private readonly session: Session,
    private readonly ticket: Ticket,
    private readonly missing: readonly StoredObject[],
    private readonly answer: () => void,
  ) {
    this.#left = missing.length;
  }

  start(): void {
    const { digests } = this.session.services;
    try {
      for (const object of this.missing) {
        this.#held.push(object.hold());
        this.#waits.push(
          digests.request(object.content, this.session.lane, (error) => this.#onDigest(error)),
        );
      }
    } catch (error) {
      this.#end();
      throw error;
    }
    this.session.pend({ ticket: this.ticket, parked: false, cancel: () => this.#end() });
  }

  #onDigest(error: unknown): void {
    this.#left--;
    if (error === undefined && this.#left > 0) return;
    if (error === undefined) this.answer();
    else this.session.fail(this.ticket, error);
    this.#end();
  }

  #end(): void {
    for (const wait of this.#waits.splice(0)) wait.cancel();
    for (const object of this.#held.splice(0)) object.release();
  }
}
