/**
 * Work that may be long, done in small portions: users take turns, and between two rounds the event loop serves all clients.
 * Owns the queues of chores; their number is bounded by what makes them (unanswered requests).
 */
import { Rotation } from './rotation.js';

/** What a portion may still cost. One unit is about a tenth of a microsecond: one entry looked at. */
export interface Budget {
  units: number;
}

/** A piece of work that can be continued. */
export interface Chore {
  /** Works until it is done (true), or until `budget.units`, which it counts down, is used up (false). */
  work(budget: Budget): boolean;
  /** The chore is forgotten, because it threw or because the broker ends: it releases what it holds and tells whoever waits for it. */
  abandon(error: unknown): void;
}

/** Cost of sending an answer, in units. */
export const DELIVERY_UNITS = 100;

/** Characters that are compared for one unit. */
const CHARACTERS_PER_UNIT = 32;

/** What a request may cost on the spot: some 0.2 ms. */
const INLINE_UNITS = 2_000;

/** What one round of the event loop may cost: some 1 ms. */
const ROUND_UNITS = 10_000;

/** One user's share of a round; what is left goes to the next user. */
const USER_UNITS = 2_000;

/** Cost of matching texts of these lengths, in units. */
export function matchUnits(characters: number): number {
  return 1 + Math.floor(characters / CHARACTERS_PER_UNIT);
}

export class FairWork {
  readonly #queues = new Map<number, Chore[]>();
  readonly #turns = new Rotation<number>();
  #scheduled = false;
  /** The user whose chore is at work on the spot: what it adds comes behind it. */
  #inline: number | undefined;

  /**
   * Does a chore for a user: a little of it now, if this user has none waiting, and the rest in later rounds. Chores of one
   * user are done in the order in which they were added.
   */
  add(uid: number, chore: Chore): void {
    const queue = this.#queues.get(uid);
    if (queue !== undefined) {
      queue.push(chore);
      return;
    }
    this.#queues.set(uid, [chore]);
    this.#turns.add(uid);
    if (this.#inline === undefined) this.#runInline(uid);
    if (this.#turns.size > 0) this.#schedule();
  }

  /** Abandons everything that waits. */
  close(error: unknown): void {
    const queues = [...this.#queues.values()];
    this.#queues.clear();
    for (const uid of this.#turns) this.#turns.delete(uid);
    for (const chore of queues.flat()) chore.abandon(error);
  }

  #runInline(uid: number): void {
    this.#inline = uid;
    try {
      this.#runUser(uid, { units: INLINE_UNITS });
    } finally {
      this.#inline = undefined;
    }
  }

  #runUser(uid: number, budget: Budget): void {
    const queue = this.#queues.get(uid);
    for (let chore = queue?.[0]; chore !== undefined && budget.units > 0; chore = queue?.[0]) {
      if (!workGuarded(chore, budget)) break;
      queue?.shift();
    }
    if (queue !== undefined && queue.length > 0) return;
    this.#queues.delete(uid);
    this.#turns.delete(uid);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#round());
  }

  #round(): void {
    this.#scheduled = false;
    for (let left = ROUND_UNITS; left > 0; ) {
      const [uid] = this.#turns;
      if (uid === undefined) return;
      const budget = { units: Math.min(USER_UNITS, left) };
      left -= budget.units;
      this.#runUser(uid, budget);
      left += Math.max(0, budget.units);
      this.#turns.rotate(uid);
      left--;
    }
    this.#schedule();
  }
}

/** As chore.work, and a chore that throws is done. */
function workGuarded(chore: Chore, budget: Budget): boolean {
  try {
    return chore.work(budget);
  } catch (error) {
    chore.abandon(error);
    return true;
  }
}
