/**
 * Who waits for which names: parked gets and watches, by user. A put is announced only to those of its user that wait for its
 * name, or for a pattern; patterns are matched, and many waiters answered, in portions (work.ts).
 * Owns the index of waiters; what each does with an object is in waiters.ts.
 */
import type { StoredObject } from './object.js';
import type { Budget, Chore, FairWork } from './work.js';

/** One who is told of objects that are put. */
export interface Waiter {
  /** Objects up to this id were there before it: it is not told of them. */
  readonly bornAfterId: number;
  /** Takes note of an object, and counts what that cost. It may be dropped already, and need not be visible or match. */
  offer(object: StoredObject, budget: Budget): void;
  /** How many dropped objects it keeps from being freed. Absent: none. */
  countDropped?(): number;
  /** Gives up all that it keeps, and itself. */
  shed?(): void;
}

/** All waiters of one user. */
class UserWaiters {
  readonly byName = new Map<string, Set<Waiter>>();
  readonly patterns = new Set<Waiter>();

  get empty(): boolean {
    return this.byName.size === 0 && this.patterns.size === 0;
  }
}

export class Watches {
  readonly #users = new Map<number, UserWaiters>();

  constructor(private readonly work: FairWork) {}

  /** Enters a waiter for one name, or for all names of the user (undefined). Undone by {@link remove} with the same. */
  add(uid: number, name: string | undefined, waiter: Waiter): void {
    let waiters = this.#users.get(uid);
    if (waiters === undefined) {
      waiters = new UserWaiters();
      this.#users.set(uid, waiters);
    }
    if (name === undefined) {
      waiters.patterns.add(waiter);
      return;
    }
    const named = waiters.byName.get(name) ?? new Set();
    named.add(waiter);
    waiters.byName.set(name, named);
  }

  remove(uid: number, name: string | undefined, waiter: Waiter): void {
    const waiters = this.#users.get(uid);
    if (waiters === undefined) return;
    if (name === undefined) waiters.patterns.delete(waiter);
    else removeNamed(waiters, name, waiter);
    if (waiters.empty) this.#users.delete(uid);
  }

  /**
   * Ends the one of this user's waiters that keeps most dropped objects. False: none keeps any. A consumer that does not
   * consume must not keep others from publishing.
   */
  shed(uid: number): boolean {
    let worst: Waiter | undefined;
    let most = 0;
    for (const waiter of this.#all(uid)) {
      const dropped = waiter.countDropped?.() ?? 0;
      if (dropped > most) [worst, most] = [waiter, dropped];
    }
    worst?.shed?.();
    return worst !== undefined;
  }

  *#all(uid: number): Iterable<Waiter> {
    const waiters = this.#users.get(uid);
    if (waiters === undefined) return;
    for (const named of waiters.byName.values()) yield* named;
    yield* waiters.patterns;
  }

  /**
   * Tells everyone concerned of an object that was just put, and then `done`: at once when there are few of them. Whoever puts
   * is answered after `done`, so that nobody can put faster than others are told. Objects are announced in their order.
   */
  announce(object: StoredObject, done: (error?: unknown) => void): void {
    const waiters = object.name === undefined ? undefined : this.#users.get(object.uid);
    if (waiters === undefined || object.name === undefined) {
      done();
      return;
    }
    const named = waiters.byName.get(object.name);
    if (named === undefined && waiters.patterns.size === 0) done();
    else this.work.add(object.uid, new Announcement(object.hold(), [named ?? [], waiters.patterns], done));
  }
}

function removeNamed(waiters: UserWaiters, name: string, waiter: Waiter): void {
  const named = waiters.byName.get(name);
  named?.delete(waiter);
  if (named?.size === 0) waiters.byName.delete(name);
}

/** Tells one object to some groups of waiters. Owns a hold on the object until it is done. */
class Announcement implements Chore {
  readonly #groups: Iterator<Waiter>[];

  constructor(
    private readonly object: StoredObject,
    groups: Iterable<Waiter>[],
    private readonly done: (error?: unknown) => void,
  ) {
    // Iterators of living sets: who leaves meanwhile is not told, who comes is met at the end.
    this.#groups = groups.map((group) => group[Symbol.iterator]());
  }

  work(budget: Budget): boolean {
    for (let group = this.#groups[0]; group !== undefined; group = this.#groups[0]) {
      if (!this.#tell(group, budget)) return false;
      this.#groups.shift();
    }
    this.object.release();
    this.done();
    return true;
  }

  abandon(error: unknown): void {
    this.object.release();
    this.done(error);
  }

  /** Whether the whole group is told. */
  #tell(group: Iterator<Waiter>, budget: Budget): boolean {
    while (budget.units > 0) {
      const { value: waiter, done } = group.next();
      // Waiters stand in the order of their coming: from one that came after the object on, all have seen it.
      if (done || waiter.bornAfterId >= this.object.id) return true;
      budget.units--;
      waiter.offer(this.object, budget);
    }
    return false;
  }
}
