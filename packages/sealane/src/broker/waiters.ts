/**
 * What waits for objects: a parked get, and the three kinds of watches. Each is asked for its next object and answers when
 * there is one, so nothing piles up for a slow consumer: the two kinds that skip to the newest keep one number, and the one
 * that yields every version keeps a bounded queue.
 * Each owns its entry in the index (watches.ts); the queue owns a hold on each of its objects. Both end with close().
 */
import { assert } from '../base/assert.js';
import { SealaneError } from '../base/errors.js';
import type { NamePattern } from '../wire/index.js';
import { may } from './access.js';
import { canceledError } from './answers.js';
import type { Collector, Follower, Subscriber } from './mailbox.js';
import { DroppedCount, type StoredObject } from './object.js';
import { isNewest, matches, Scan } from './scan.js';
import type { Store } from './store.js';
import type { Watches } from './watches.js';
import { type Budget, DELIVERY_UNITS, type FairWork } from './work.js';

/** What waiters need of the broker. */
export interface WaitRoom {
  readonly store: Store;
  readonly watches: Watches;
  readonly work: FairWork;
}

/** Who is told. Called at most once for each time the waiter was asked. */
export interface Asker {
  /** The object is borrowed for the call. */
  deliver(object: StoredObject): void;
  fail(error: unknown): void;
}

/** A watch, as its session knows it. */
export interface Watch {
  /** Asks for the next object: `asker` is told now or later. Nobody else may be waiting. */
  ask(asker: Asker): void;
  /** Stops waiting, if someone does: the asker is not told any more. */
  unask(): void;
  readonly asked: boolean;
  /** Ends the watch: an asker is told that it was canceled. Idempotent. */
  close(): void;
}

/** A get that waits for a name: told once. */
export class ParkedGet implements Follower {
  constructor(
    private readonly room: WaitRoom,
    private readonly caller: Subscriber,
    private readonly name: string,
    private readonly asker: Asker,
  ) {
    room.watches.follow(caller.mailbox, name, this);
  }

  look(budget: Budget): void {
    const newest = this.room.store.newest(this.caller, this.name, budget);
    if (newest === undefined) return;
    budget.units -= DELIVERY_UNITS;
    this.close();
    this.asker.deliver(newest);
  }

  close(): void {
    this.room.watches.unfollow(this.caller.mailbox, this.name, this);
  }
}

/** What all watches have: one asker at most, and an end. */
abstract class WatchBase implements Watch {
  #asker: Asker | undefined;
  #closed = false;

  constructor(
    protected readonly room: WaitRoom,
    protected readonly caller: Subscriber,
  ) {}

  get asked(): boolean {
    return this.#asker !== undefined;
  }

  get closed(): boolean {
    return this.#closed;
  }

  ask(asker: Asker): void {
    assert(this.#asker === undefined, 'a watch was asked twice');
    this.#asker = asker;
    this.onAsked();
  }

  unask(): void {
    this.#asker = undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.leave();
    if (this.asked) this.fail(canceledError());
  }

  protected abstract onAsked(): void;

  /** Leaves the index: is told of no further object. */
  protected abstract leave(): void;

  protected deliver(object: StoredObject): void {
    const asker = this.#asker;
    this.#asker = undefined;
    asker?.deliver(object);
  }

  protected fail(error: unknown): void {
    const asker = this.#asker;
    this.#asker = undefined;
    asker?.fail(error);
  }
}

/** Yields the newest version of one name, and skips those that came in between. */
export class NewestOfName extends WatchBase implements Follower {
  #lastId: number;

  constructor(
    room: WaitRoom,
    caller: Subscriber,
    private readonly name: string,
    existing: boolean,
  ) {
    super(room, caller);
    this.#lastId = existing ? 0 : room.store.lastId;
    room.watches.follow(caller.mailbox, name, this);
  }

  look(budget: Budget): void {
    if (this.asked && this.#tryDeliver(budget)) budget.units -= DELIVERY_UNITS;
  }

  protected onAsked(): void {
    this.#tryDeliver();
  }

  protected leave(): void {
    this.room.watches.unfollow(this.caller.mailbox, this.name, this);
  }

  #tryDeliver(budget?: Budget): boolean {
    const newest = this.room.store.newest(this.caller, this.name, budget);
    if (newest === undefined || newest.id <= this.#lastId) return false;
    this.#lastId = newest.id;
    this.deliver(newest);
    return true;
  }
}

/** Yields the newest version of each name that matches, in the order of ids, and skips those that came in between. */
export class NewestOfPattern extends WatchBase implements Follower {
  readonly #scan: Scan;

  constructor(
    room: WaitRoom,
    caller: Subscriber,
    private readonly pattern: NamePattern,
    existing: boolean,
  ) {
    super(room, caller);
    const from = existing ? 0 : room.store.lastId;
    this.#scan = new Scan(this, room, caller.mailbox, from, (object, budget) => this.#take(object, budget));
    room.watches.follow(caller.mailbox, undefined, this);
  }

  /** The scan finds it by itself; its position need only be behind the object. */
  look(): void {
    if (this.asked) this.#scan.start();
  }

  protected onAsked(): void {
    this.#scan.start();
  }

  protected leave(): void {
    this.room.watches.unfollow(this.caller.mailbox, undefined, this);
  }

  #take(object: StoredObject, budget: Budget): void {
    if (!matches(this.pattern, object, this.caller, budget)) return;
    if (!isNewest(object, this.room.store, this.caller, budget)) return;
    budget.units -= DELIVERY_UNITS;
    this.deliver(object);
  }

  scanFailed(error: unknown): void {
    this.fail(error);
  }
}

/**
 * Yields every version that is put, also if it is dropped before its turn, and before them the newest of each name that is
 * there already (of a pattern: when the scan meets it; one that is replaced before that is skipped). Versions wait in
 * a queue; a consumer that falls behind by more than the queue holds loses the watch.
 */
export class EveryVersion extends WatchBase implements Collector {
  readonly bornAfterId: number;
  readonly droppedKept = new DroppedCount();
  readonly #scan: Scan | undefined;
  readonly #queue: StoredObject[] = [];
  #overrun = false;

  constructor(
    room: WaitRoom,
    caller: Subscriber,
    private readonly pattern: NamePattern | string,
    existing: boolean,
    private readonly maxBacklog: number,
  ) {
    super(room, caller);
    this.bornAfterId = room.store.lastId;
    room.watches.collect(caller.mailbox, this.#name, this);
    if (!existing) return;
    if (typeof pattern === 'string') this.#enqueue(room.store.newest(caller, pattern));
    else this.#scan = this.#scanUntil(this.bornAfterId);
  }

  offer(object: StoredObject, budget: Budget): void {
    if (this.#overrun || !this.#matches(object, budget)) return;
    if (this.#queue.length >= this.maxBacklog) {
      this.overrun();
      return;
    }
    this.#enqueue(object);
    if (this.asked && this.#scanned) {
      budget.units -= DELIVERY_UNITS;
      this.#deliverQueued();
    }
  }

  overrun(): void {
    this.#overrun = true;
    this.leave();
    this.#clearQueue();
    if (this.asked) this.fail(this.#overrunError());
  }

  override close(): void {
    super.close();
    this.#clearQueue();
  }

  scanFailed(error: unknown): void {
    this.fail(error);
  }

  /** The last of the objects that were there before has been looked at. */
  scanFinished(): void {
    if (this.asked) this.#deliverQueued();
  }

  protected onAsked(): void {
    if (this.#overrun) this.fail(this.#overrunError());
    else if (this.#scanned) this.#deliverQueued();
    else this.#scan?.start();
  }

  protected leave(): void {
    this.room.watches.uncollect(this.caller.mailbox, this.#name, this);
  }

  get prefix(): string {
    return typeof this.pattern === 'string' ? this.pattern : this.pattern.prefix;
  }

  get #name(): string | undefined {
    return typeof this.pattern === 'string' ? this.pattern : undefined;
  }

  #scanUntil(lastId: number): Scan {
    const take = (object: StoredObject, budget: Budget): void => this.#take(object, budget);
    return new Scan(this, this.room, this.caller.mailbox, 0, take, lastId);
  }

  get #scanned(): boolean {
    return this.#scan === undefined || this.#scan.finished;
  }

  #matches(object: StoredObject, budget: Budget): boolean {
    if (typeof this.pattern === 'string') return may('get', object, this.caller, budget);
    return matches(this.pattern, object, this.caller, budget);
  }

  #take(object: StoredObject, budget: Budget): void {
    if (!this.#matches(object, budget) || !isNewest(object, this.room.store, this.caller, budget)) return;
    budget.units -= DELIVERY_UNITS;
    this.deliver(object);
  }

  #enqueue(object: StoredObject | undefined): void {
    if (object !== undefined) this.#queue.push(object.keepFor(this));
  }

  /** Passes over what a new policy has taken away since it was queued. */
  #deliverQueued(): void {
    for (let object = this.#queue.shift(); object !== undefined; object = this.#queue.shift()) {
      try {
        if (!may('get', object, this.caller)) continue;
        this.deliver(object);
        return;
      } finally {
        object.letGo(this);
      }
    }
  }

  #clearQueue(): void {
    for (const object of this.#queue.splice(0)) object.letGo(this);
  }

  #overrunError(): SealaneError {
    return new SealaneError(
      'ERR_SEALANE_WATCH_OVERRUN',
      `the consumer fell behind by more than ${this.maxBacklog} versions, or its backlog stood in the way of new objects; ` +
        'watch again, consume faster, or watch without every',
    );
  }
}
