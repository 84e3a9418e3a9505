/**
 * What a connection still has to be told of objects that were put. Whoever puts only leaves a note here, at the same small cost
 * whatever waits behind it; matching and answering are done in this connection's own turns (work.ts), so that nobody's watches
 * delay anybody else.
 * Owns the entries of those who wait, and a hold on each object in the inbox. The inbox is bounded: a connection whose turns do
 * not suffice for its watches of every version loses them.
 */
import type { Caller } from './access.js';
import { Entries } from './entries.js';
import { DroppedCount, type Keeper, type StoredObject } from './object.js';
import type { Budget, Chore, FairWork, WorkLane } from './work.js';

/** A caller that can be told later. */
export interface Subscriber extends Caller {
  readonly mailbox: Mailbox;
}

/** One who looks for the newest itself, when there may be something new. */
export interface Follower {
  /** Looks, and counts what that cost. */
  look(budget: Budget): void;
}

/** One who is told of every object. */
export interface Collector extends Keeper {
  /** What all names begin with that it may want. */
  readonly prefix: string;
  /** Objects up to this id were there before it: it is not told of them. */
  readonly bornAfterId: number;
  /** Takes note of an object, and counts what that cost. It may be dropped already, and need not be visible or match. */
  offer(object: StoredObject, budget: Budget): void;
  /** Objects are lost to it: it gives up all that it keeps, and leaves. */
  overrun(): void;
}

export class Mailbox implements Chore, Keeper {
  readonly followers = new Entries<Follower>();
  readonly collectors = new Entries<Collector>();
  readonly droppedKept = new DroppedCount();
  /** Names with something new for which the followers have not looked yet. */
  readonly #news = new Set<string>();
  #newsForPatterns = false;
  /** What all names begin with that patterns of collectors fit. Undefined: to be found out. */
  #prefix: string | undefined;
  #inbox: StoredObject[] = [];
  #waits = false;
  #steps: Generator<void> | undefined;
  #budget: Budget = { units: 0 };

  /** `maxInbox`: objects that may wait to be looked at. */
  constructor(
    readonly shelf: number,
    readonly lane: WorkLane,
    private readonly turns: FairWork,
    private readonly maxInbox: number,
  ) {}

  /** Whether anyone here waits for the name, or, without one, for those of a pattern. */
  concerns(name: string | undefined): boolean {
    return this.followers.has(name) || this.collectors.has(name);
  }

  /** Enters one who is told of every object of a name, or of a pattern (undefined). Undone by {@link uncollect}. */
  collect(name: string | undefined, collector: Collector): void {
    this.collectors.add(name, collector);
    this.#prefix = undefined;
  }

  uncollect(name: string | undefined, collector: Collector): void {
    this.collectors.delete(name, collector);
    this.#prefix = undefined;
  }

  /** Leaves a note of an object that was put under `name`, which is its own. */
  post(name: string, object: StoredObject): void {
    if (this.followers.has(name)) this.#news.add(name);
    if (this.followers.has(undefined)) this.#newsForPatterns = true;
    if (this.collectors.has(name) || this.#mayFit(name)) this.#keep(object);
    this.#takeTurn();
  }

  /** What can be seen may have changed: those who follow a name look again. */
  lookAgain(): void {
    for (const name of this.followers.names()) this.#news.add(name);
    if (this.#news.size > 0) this.#takeTurn();
  }

  /** All who collect lose what they have not taken yet. */
  shed(): void {
    for (const collector of this.collectors.all()) collector.overrun();
    this.#forgetUnconcerned();
  }

  work(budget: Budget): boolean {
    this.#budget = budget;
    this.#steps ??= this.#tellAll();
    while (budget.units > 0) {
      budget.units--;
      if (this.#steps.next().done) return this.#rest();
    }
    return false;
  }

  abandon(): void {
    this.#rest();
    this.shed();
  }

  #rest(): true {
    this.#steps?.return(undefined);
    this.#steps = undefined;
    this.#waits = false;
    return true;
  }

  #takeTurn(): void {
    if (this.#waits) return;
    this.#waits = true;
    this.turns.add(this.lane, this);
  }

  /**
   * Whether a pattern of a collector may fit. What surely fits none must not take room in the inbox: else anybody could crowd out
   * those who wait for something else.
   */
  #mayFit(name: string): boolean {
    if (!this.collectors.has(undefined)) return false;
    this.#prefix ??= commonPrefix(this.collectors.patterns);
    return name.startsWith(this.#prefix);
  }

  #keep(object: StoredObject): void {
    while (this.#inbox.length >= this.maxInbox) this.#overrunOldest();
    const { name = '' } = object;
    if (this.collectors.has(name) || this.collectors.has(undefined)) this.#inbox.push(object.keepFor(this));
  }

  /** Those who still have to look at the oldest object are too far behind. */
  #overrunOldest(): void {
    const { name = '' } = this.#inbox[0] ?? {};
    for (const collector of this.collectors.of(name)) collector.overrun();
    this.#forgetUnconcerned();
  }

  #forgetUnconcerned(): void {
    const inbox = this.#inbox;
    this.#inbox = inbox.filter(
      ({ name = '' }) => this.collectors.has(name) || this.collectors.has(undefined),
    );
    const kept = new Set(this.#inbox);
    for (const object of inbox) if (!kept.has(object)) object.letGo(this);
  }

  /** A step is one of those who wait, told of one thing. The sets live: who leaves meanwhile is not told. */
  *#tellAll(): Generator<void> {
    for (;;) {
      const [name] = this.#news;
      const object = this.#inbox.shift();
      if (name !== undefined) yield* this.#tellFollowers(name);
      if (this.#newsForPatterns) yield* this.#tellPatternFollowers();
      if (object !== undefined) yield* this.#tellCollectors(object);
      else if (this.#news.size === 0 && !this.#newsForPatterns) return;
    }
  }

  *#tellFollowers(name: string): Generator<void> {
    this.#news.delete(name);
    for (const follower of this.followers.named(name)) {
      follower.look(this.#budget);
      yield;
    }
  }

  *#tellPatternFollowers(): Generator<void> {
    this.#newsForPatterns = false;
    for (const follower of this.followers.patterns) {
      follower.look(this.#budget);
      yield;
    }
  }

  *#tellCollectors(object: StoredObject): Generator<void> {
    try {
      for (const collector of this.collectors.of(object.name ?? '')) {
        if (collector.bornAfterId < object.id) collector.offer(object, this.#budget);
        yield;
      }
    } finally {
      object.letGo(this);
    }
  }
}

/** The longest text that the prefixes of all begin with. */
function commonPrefix(collectors: Iterable<Collector>): string {
  let common: string | undefined;
  for (const { prefix } of collectors) {
    common ??= prefix;
    let length = 0;
    while (length < common.length && common[length] === prefix[length]) length++;
    common = common.slice(0, length);
  }
  return common ?? '';
}
