/**
 * Work for clients, done in small portions: reading what they send, and whatever may be long. Users take turns, then the processes of
 * a user, then the connections of a process, and between two rounds the event loop sees what else came.
 * Owns the queues of chores; their number is bounded by what makes them.
 */
import { Group, Groups, Member } from './turns.js';

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

/** What may be done on the spot in one turn of the event loop, while nobody waits: some 0.2 ms. */
const INLINE_UNITS = 2_000;

/** What one round may cost: some 0.2 ms. Whoever comes meanwhile waits no longer for it. */
const ROUND_UNITS = 2_000;

/** One user's turn: what is left of it goes to the next user. */
const USER_UNITS = 1_000;

/** One process's turn. */
const PROCESS_UNITS = 500;

/** One connection's turn. */
const LANE_UNITS = 500;

/** Cost of matching texts of these lengths, in units. */
export function matchUnits(characters: number): number {
  return 1 + Math.floor(characters / CHARACTERS_PER_UNIT);
}

/** Where chores of one connection wait, in their order. */
export class WorkLane extends Member {
  readonly chores: Chore[] = [];
  /** Names the process among those of its user. */
  readonly process: unknown;

  /** The lanes with the same `pid` of one user share the turns of a process; without it, the lane has turns of its own. */
  constructor(
    readonly uid: number,
    pid?: number,
  ) {
    super(LANE_UNITS);
    this.process = pid ?? this;
  }

  get idle(): boolean {
    return this.chores.length === 0;
  }

  protected run(most: number): number {
    const budget = { units: most };
    for (let chore = this.chores[0]; chore !== undefined && budget.units > 0; chore = this.chores[0]) {
      if (!workGuarded(chore, budget)) break;
      this.chores.shift();
    }
    return most - budget.units;
  }
}

class ProcessTurns extends Group<WorkLane> {
  constructor(readonly key: unknown) {
    super(PROCESS_UNITS);
  }
}

class UserTurns extends Groups<ProcessTurns> {
  constructor(readonly key: number) {
    super(USER_UNITS);
  }
}

class AllTurns extends Groups<UserTurns> {
  constructor() {
    super(ROUND_UNITS);
  }

  /** A lane that was idle has a chore. */
  enterLane(lane: WorkLane): void {
    const user = this.of(lane.uid, () => new UserTurns(lane.uid));
    const process = user.of(lane.process, () => new ProcessTurns(lane.process));
    if (user.idle) this.enter(user);
    if (process.idle) user.enter(process);
    process.enter(lane);
  }

  *lanes(): Iterable<WorkLane> {
    for (const user of this.all()) for (const process of user.all()) yield* process.all();
  }

  round(): void {
    this.run(ROUND_UNITS);
  }
}

export class FairWork {
  readonly #all = new AllTurns();
  #scheduled = false;
  #inlineUnits = INLINE_UNITS;
  /** A chore is at work: what it adds waits. */
  #atWork = false;

  /**
   * Does a chore for a connection: at once, as far as its turn goes, when nobody waits and little was done on the spot in this turn of the event
   * loop; what is left, in later rounds. Chores of one lane are done in the order in which they were added.
   */
  add(lane: WorkLane, chore: Chore): void {
    lane.chores.push(chore);
    if (lane.chores.length > 1) return;
    if (!this.#runInline(lane)) this.#all.enterLane(lane);
    if (!this.idle || this.#inlineUnits < INLINE_UNITS / 2) this.#schedule();
  }

  /** Nothing waits. */
  get idle(): boolean {
    return this.#all.idle;
  }

  /** Abandons everything that waits. */
  close(error: unknown): void {
    const chores: Chore[] = [];
    for (const lane of this.#all.lanes()) chores.push(...lane.chores.splice(0));
    this.#all.clear();
    for (const chore of chores) chore.abandon(error);
  }

  /** Whether nothing is left to do. */
  #runInline(lane: WorkLane): boolean {
    if (this.#atWork || !this.idle || this.#inlineUnits <= 0) return false;
    this.#atWork = true;
    this.#inlineUnits -= lane.takeTurn(this.#inlineUnits);
    this.#atWork = false;
    return lane.idle;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#round());
  }

  #round(): void {
    this.#scheduled = false;
    this.#inlineUnits = INLINE_UNITS;
    this.#atWork = true;
    this.#all.round();
    this.#atWork = false;
    if (!this.idle) this.#schedule();
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
