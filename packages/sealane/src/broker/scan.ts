/**
 * How a pattern watch looks through what is there already: in the order of ids, in portions, only while it is asked.
 * Owns a position, nothing else.
 */
import type { NamePattern } from '../wire/index.js';
import { type Caller, may } from './access.js';
import type { StoredObject } from './object.js';
import type { Store } from './store.js';
import { type Budget, type Chore, type FairWork, matchUnits, type WorkLane } from './work.js';

/** What a scan works for. */
export interface ScanOwner {
  readonly asked: boolean;
  readonly closed: boolean;
  scanFailed(error: unknown): void;
  /** Only for a scan with an end. */
  scanFinished?(): void;
}

/** The objects that are looked through, and in whose turns. */
export interface ScanPlace {
  readonly shelf: number;
  readonly lane: WorkLane;
}

/**
 * Looks through a user's objects in the order of their ids, from where it stopped, while its watch is asked. Holds nothing: an
 * object that is dropped before it is met is not seen.
 */
export class Scan implements Chore {
  #atWork = false;
  #finished = false;

  constructor(
    private readonly owner: ScanOwner,
    private readonly room: { readonly store: Store; readonly work: FairWork },
    private readonly place: ScanPlace,
    private position: number,
    private readonly take: (object: StoredObject, budget: Budget) => void,
    /** The id to stop at for good. */
    private readonly untilId = Number.POSITIVE_INFINITY,
  ) {}

  /** Everything up to `untilId` was looked at. */
  get finished(): boolean {
    return this.#finished;
  }

  start(): void {
    if (this.#atWork || this.#finished) return;
    this.#atWork = true;
    this.room.work.add(this.place.lane, this);
  }

  work(budget: Budget): boolean {
    const objects = this.room.store.ordered(this.place.shelf);
    for (let at = objects.positionAfter(this.position); this.owner.asked && !this.owner.closed; at++) {
      const object = objects.at(at);
      if (object === undefined || object.id > this.untilId) return this.#reachEnd();
      if (budget.units <= 0) return false;
      budget.units--;
      this.position = object.id;
      if (!object.dropped) this.take(object, budget);
    }
    this.#atWork = false;
    return true;
  }

  abandon(error: unknown): void {
    this.#atWork = false;
    this.owner.scanFailed(error);
  }

  #reachEnd(): boolean {
    this.#atWork = false;
    if (this.untilId === Number.POSITIVE_INFINITY) return true;
    this.#finished = true;
    this.owner.scanFinished?.();
    return true;
  }
}

/** Whether an object has a name of the pattern and the caller may see it. */
export function matches(pattern: NamePattern, object: StoredObject, caller: Caller, budget: Budget): boolean {
  if (object.name === undefined || !object.name.startsWith(pattern.prefix)) return false;
  if (!may('get', object, caller, budget)) return false;
  budget.units -= matchUnits(object.name.length + pattern.text.length);
  return pattern.matches(object.name);
}

/** Whether no newer object of the same name is visible to the caller. */
export function isNewest(object: StoredObject, store: Store, caller: Caller, budget: Budget): boolean {
  return object.name !== undefined && store.newest(caller, object.name, budget) === object;
}
