/**
 * All objects of a shelf with one name (or one digest), indexed by who may see them: the newest that a caller may see is found
 * in constant time, however many newer ones it may not see. An object without owner stands in one list, and, on a shelf of
 * several users, in one of its user's; one with owner in one of all and in one for each job that may see it. Owns nothing.
 */
import type { Caller } from './access.js';
import type { StoredObject } from './object.js';
import { OrderedObjects } from './ordered.js';

export class Versions {
  /** Objects without owner. Most names have nothing else. */
  #common: OrderedObjects | undefined;
  /** The same by user, on a shelf of several. */
  #byUser: Map<number, OrderedObjects> | undefined;
  /** Objects with an owner. */
  #owned: OrderedObjects | undefined;
  /** Objects with an owner, by each job that sees them. */
  #byJob: Map<string, OrderedObjects> | undefined;

  get empty(): boolean {
    return (this.#common?.size ?? 0) === 0 && (this.#owned?.size ?? 0) === 0;
  }

  /** The newest object that a caller may see: all of them, if they are `granted` to it. */
  newest(caller: Caller, granted: boolean): StoredObject | undefined {
    const common = granted || !hasUsers(caller) ? this.#common : this.#byUser?.get(caller.uid);
    return later(common?.newest, this.#ownedFor(caller, granted)?.newest);
  }

  add(object: StoredObject): void {
    if (object.owner === undefined) {
      this.#common ??= new OrderedObjects();
      this.#common.add(object);
      if (hasUsers(object)) this.#byUser = enter(this.#byUser, object.uid, object);
      return;
    }
    this.#owned ??= new OrderedObjects();
    this.#owned.add(object);
    for (const job of audience(object.owner, object.allowed)) this.#byJob = enter(this.#byJob, job, object);
  }

  /** Forgets an object that was added and is marked as dropped. */
  remove(object: StoredObject): void {
    if (object.owner === undefined) {
      this.#common?.remove();
      if (hasUsers(object)) leave(this.#byUser, object.uid);
      return;
    }
    this.#owned?.remove();
    for (const job of audience(object.owner, object.allowed)) leave(this.#byJob, job);
  }

  #ownedFor({ job, rights }: Caller, granted: boolean): OrderedObjects | undefined {
    if (granted || (job === undefined && rights.unscoped)) return this.#owned;
    return job === undefined ? undefined : this.#byJob?.get(job);
  }
}

/** Whether the shelf is one of several users, not that of this one. */
function hasUsers({ shelf, uid }: { readonly shelf: number; readonly uid: number }): boolean {
  return shelf !== uid;
}

function later(a: StoredObject | undefined, b: StoredObject | undefined): StoredObject | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.id > b.id ? a : b;
}

function enter<Key>(
  lists: Map<Key, OrderedObjects> | undefined,
  key: Key,
  object: StoredObject,
): Map<Key, OrderedObjects> {
  const result = lists ?? new Map<Key, OrderedObjects>();
  const list = result.get(key) ?? new OrderedObjects();
  list.add(object);
  return result.set(key, list);
}

function leave<Key>(lists: Map<Key, OrderedObjects> | undefined, key: Key): void {
  const list = lists?.get(key);
  list?.remove();
  if (list?.size === 0) lists?.delete(key);
}

/** The jobs that may see an object, each once: a client may name one twice. */
function audience(owner: string, allowed: readonly string[]): Iterable<string> {
  return allowed.length === 0 ? [owner] : new Set([owner, ...allowed]);
}
