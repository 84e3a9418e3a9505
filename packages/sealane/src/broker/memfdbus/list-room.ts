/**
 * The memory that texts of lists take, of all clients together: a list comes in one piece, which the broker keeps until it is
 * read. When it is used up, the client that holds most gives way, which may be the one that asks for more.
 * Owns the sums.
 */
import { Refusal } from './failures.js';
import { findGreediest, type Holder } from './greed.js';

/** A client whose list is written or sent. */
export interface ListHolder extends Holder {
  /** Gives up its list, tells why, and calls {@link ListRoom.release}. */
  evict(refusal: Refusal): void;
}

const TOO_LARGE = Refusal.of('list response too large');

export class ListRoom {
  readonly #held = new Map<ListHolder, number>();
  #total = 0;

  /** `max`: bytes of all lists. */
  constructor(private readonly max: number) {}

  /** Takes more bytes for a holder. Throws the Refusal of a list that is too large when that holder itself has to give way. */
  take(holder: ListHolder, bytes: number): void {
    this.#total += bytes;
    this.#held.set(holder, (this.#held.get(holder) ?? 0) + bytes);
    while (this.#total > this.max) {
      const greediest = findGreediest(this.#held.keys(), (other) => this.#held.get(other) ?? 0);
      if (greediest === undefined || greediest === holder) {
        this.release(holder);
        throw TOO_LARGE;
      }
      greediest.evict(TOO_LARGE);
    }
  }

  /** Gives back all that a holder has taken. Idempotent. */
  release(holder: ListHolder): void {
    this.#total -= this.#held.get(holder) ?? 0;
    this.#held.delete(holder);
  }
}
