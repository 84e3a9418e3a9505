/**
 * All objects of one user with one name (or one digest), indexed by who may see them: the newest that a job may see is found
 * in constant time, however many newer ones it may not see. An object without owner stands in one list; one with owner
 * in one for unscoped callers and one for each job that may see it. Owns nothing.
 */
import type { StoredObject } from './object.js';
import { OrderedObjects } from './ordered.js';

export class Versions {
  /** Objects without owner: everybody sees them. Most names have nothing else. */
  #common: OrderedObjects | undefined;
  /** Objects with an owner: unscoped callers see them all. */
  #owned: OrderedObjects | undefined;
  /** Objects with an owner, by each job that sees them. */
  #byJob: Map<string, OrderedObjects> | undefined;

  get empty(): boolean {
    return (this.#common?.size ?? 0) === 0 && (this.#owned?.size ?? 0) === 0;
  }

  /** The newest object that a caller of `job` may see; an undefined job sees all. */
  newest(job: string | undefined): StoredObject | undefined {
    const common = this.#common?.newest;
    const scoped = job === undefined ? this.#owned?.newest : this.#byJob?.get(job)?.newest;
    if (common === undefined || scoped === undefined) return common ?? scoped;
    return common.id > scoped.id ? common : scoped;
  }

  add(object: StoredObject): void {
    if (object.owner === undefined) {
      this.#common ??= new OrderedObjects();
      this.#common.add(object);
      return;
    }
    this.#owned ??= new OrderedObjects();
    this.#owned.add(object);
    this.#byJob ??= new Map();
    for (const job of audience(object.owner, object.allowed)) {
      const list = this.#byJob.get(job) ?? new OrderedObjects();
      list.add(object);
      this.#byJob.set(job, list);
    }
  }

  /** Forgets an object that was added and is marked as dropped. */
  remove(object: StoredObject): void {
    if (object.owner === undefined) {
      this.#common?.remove();
      return;
    }
    this.#owned?.remove();
    for (const job of audience(object.owner, object.allowed)) {
      const list = this.#byJob?.get(job);
      list?.remove();
      if (list?.size === 0) this.#byJob?.delete(job);
    }
  }
}

/** The jobs that may see an object, each once: a client may name one twice. */
function audience(owner: string, allowed: readonly string[]): Iterable<string> {
  return allowed.length === 0 ? [owner] : new Set([owner, ...allowed]);
}
