/**
 * Work that may be long, done in small portions: users take turns, then the connections of a user, and between two rounds the
 * event loop serves all clients. Who used more than a turn allows, because one step can't be cut, sits out the turns that it owes
 * (deficit round robin: Shreedhar and Varghese, 1995); who asks for little is served before those who always have more to do.
 * Owns the queues of chores; their number is bounded by what makes them.
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

/** Characters that are compared for one unit, at worst. */
const CHARACTERS_PER_UNIT = 8;

/** What may be done on the spot in one turn of the event loop, for all: some 0.2 ms. */
const INLINE_UNITS = 2_000;

/** What one round may cost: some 1 ms. */
const ROUND_UNITS = 10_000;

/** One user's turn: what is left of it goes to the next user. */
const USER_UNITS = 2_000;

/** One connection's turn. */
const LANE_UNITS = 500;

/** Cost of matching texts of these lengths, in units. */
export function matchUnits(characters: number): number {
  return 1 + Math.floor(characters / CHARACTERS_PER_UNIT);
}

/** Where the chores of one connection wait, in their order. */
export class WorkLane {
  readonly chores: Chore[] = [];
  /** Units that it has left of its turns; below 0, it owes them. */
  balance = LANE_UNITS;
  /** It takes turns. */
  listed = false;

  constructor(readonly uid: number) {}
}

/** The connections of one user that take turns. */
class UserLanes {
  /** Those that come to their first turn. */
  readonly #fresh = new Rotation<WorkLane>();
  readonly #others = new Rotation<WorkLane>();
  balance = 0;

  enter(lane: WorkLane): void {
    if (lane.listed) return;
    lane.listed = true;
    if (lane.balance > 0) this.#fresh.add(lane);
    else this.#others.add(lane);
  }

  /**
   * The one whose turn it is, now the last of all. It stays so if it has nothing to do by then, and leaves when its turn finds it
   * idle: else it could be a fresh one again before others had their turn.
   */
  next(): WorkLane | undefined {
    for (;;) {
      const [fresh] = this.#fresh;
      if (fresh !== undefined) {
        this.#fresh.delete(fresh);
        this.#others.add(fresh);
        return fresh;
      }
      const [other] = this.#others;
      if (other === undefined) return undefined;
      this.#others.delete(other);
      if (other.chores.length > 0) {
        this.#others.add(other);
        return other;
      }
      other.listed = false;
    }
  }

  *all(): Iterable<WorkLane> {
    yield* this.#fresh;
    yield* this.#others;
  }
}

export class FairWork {
  readonly #users = new Map<number, UserLanes>();
  /** The uids, taking turns. */
  readonly #turns = new Rotation<number>();
  #scheduled = false;
  #inlineUnits = INLINE_UNITS;
  /** A chore is at work: what it adds waits. */
  #atWork = false;

  /**
   * Does a chore for a connection: a little of it now, unless something of it waits already or much was done on the spot in this
   * turn of the event loop, and the rest in later rounds. Chores of one connection are done in the order in which they were added.
   */
  add(lane: WorkLane, chore: Chore): void {
    lane.chores.push(chore);
    if (lane.chores.length === 1 && !this.#runInline(lane)) this.#enter(lane);
    this.#schedule();
  }

  /** Nothing waits. */
  get idle(): boolean {
    return this.#users.size === 0;
  }

  /** Abandons everything that waits. */
  close(error: unknown): void {
    const chores: Chore[] = [];
    for (const lanes of this.#users.values())
      for (const lane of lanes.all()) chores.push(...lane.chores.splice(0));
    this.#users.clear();
    for (const uid of this.#turns) this.#turns.delete(uid);
    for (const chore of chores) chore.abandon(error);
  }

  #enter(lane: WorkLane): void {
    let lanes = this.#users.get(lane.uid);
    if (lanes === undefined) {
      lanes = new UserLanes();
      this.#users.set(lane.uid, lanes);
      this.#turns.add(lane.uid);
    }
    lanes.enter(lane);
  }

  /** Whether nothing is left to do. */
  #runInline(lane: WorkLane): boolean {
    if (this.#atWork || lane.balance <= 0 || this.#inlineUnits <= 0) return false;
    this.#inlineUnits -= this.#runLane(lane, this.#inlineUnits);
    return lane.chores.length === 0;
  }

  /** Does chores of a connection, as far as its balance and `units` go. Gives the units that were used. */
  #runLane(lane: WorkLane, units: number): number {
    const budget = { units: Math.min(lane.balance, units) };
    const given = budget.units;
    this.#atWork = true;
    for (let chore = lane.chores[0]; chore !== undefined && budget.units > 0; chore = lane.chores[0]) {
      if (!workGuarded(chore, budget)) break;
      lane.chores.shift();
    }
    this.#atWork = false;
    const used = given - budget.units;
    lane.balance -= used;
    return used;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#round());
  }

  #round(): void {
    this.#scheduled = false;
    this.#inlineUnits = INLINE_UNITS;
    for (let left = ROUND_UNITS; left > 0; left--) {
      const [uid] = this.#turns;
      const lanes = uid === undefined ? undefined : this.#users.get(uid);
      if (uid === undefined || lanes === undefined) return;
      this.#turns.rotate(uid);
      left -= this.#runUser(uid, lanes, left);
    }
    this.#schedule();
  }

  /** One turn of a user. Gives the units that were used. */
  #runUser(uid: number, lanes: UserLanes, most: number): number {
    lanes.balance = Math.min(USER_UNITS, lanes.balance + USER_UNITS);
    let used = 0;
    while (used < most && lanes.balance > 0) {
      const lane = lanes.next();
      if (lane === undefined) {
        this.#users.delete(uid);
        this.#turns.delete(uid);
        break;
      }
      // The turn itself costs one: it ends also when everyone owes.
      const cost = 1 + this.#takeTurn(lane, Math.min(lanes.balance, most - used));
      lanes.balance -= cost;
      used += cost;
    }
    return used;
  }

  /** One turn of a connection. Gives the units that were used. */
  #takeTurn(lane: WorkLane, most: number): number {
    lane.balance = Math.min(LANE_UNITS, lane.balance + LANE_UNITS);
    return lane.balance > 0 ? this.#runLane(lane, most) : 0;
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
