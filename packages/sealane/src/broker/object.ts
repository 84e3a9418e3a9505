/**
 * An object of the store: a content with a name, a scope and an end.
 * Owns one reference to its content. Lives while it is in the store or held by someone who still has to deliver it.
 */
import { assert } from '../base/assert.js';
import type { ObjectInfo } from '../wire/index.js';
import type { Content } from './content.js';
import type { Account } from './quota.js';

/** What a put states about an object, checked. */
export interface ObjectDraft {
  readonly name: string | undefined;
  readonly owner: string | undefined;
  readonly allowed: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly ttlMs: number | undefined;
  /** An upper bound of what the description takes in a message. */
  readonly infoBytes: number;
  /** What the record is charged as: an estimate of the memory that it takes, in bytes. */
  readonly recordBytes: number;
}

/** How many of the objects that somebody keeps are dropped, by the user that they are charged to. The objects count themselves. */
export class DroppedCount {
  readonly #byUser = new Map<number, number>();

  of(uid: number): number {
    return this.#byUser.get(uid) ?? 0;
  }

  add(uid: number, difference: 1 | -1): void {
    const count = this.of(uid) + difference;
    if (count === 0) this.#byUser.delete(uid);
    else this.#byUser.set(uid, count);
  }
}

/** One who keeps objects after their drop: for a consumer that has not come to them yet. */
export interface Keeper {
  readonly droppedKept: DroppedCount;
}

/** Above so many allowed jobs a set answers who is among them; below, comparing is as quick and takes no memory. */
const AUDIENCE_SET_JOBS = 16;

export class StoredObject {
  readonly name: string | undefined;
  readonly owner: string | undefined;
  readonly allowed: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly expiresAtMs: number | undefined;
  readonly infoBytes: number;
  readonly recordBytes: number;
  readonly #audience: ReadonlySet<string> | undefined;
  #dropped = false;
  #holds = 1;
  #keepers: Set<Keeper> | undefined;

  /** Takes one reference to `content`. `onGone` is called when the last hold is released. */
  constructor(
    readonly id: number,
    readonly content: Content,
    /** Whom the object is charged to: of the same user as its content, which may be charged to another job. */
    readonly account: Account,
    draft: ObjectDraft,
    readonly createdAtMs: number,
    private readonly onGone: (object: StoredObject) => void,
  ) {
    this.name = draft.name;
    this.owner = draft.owner;
    this.allowed = draft.allowed;
    this.metadata = draft.metadata;
    this.expiresAtMs = draft.ttlMs === undefined ? undefined : createdAtMs + draft.ttlMs;
    this.infoBytes = draft.infoBytes;
    this.recordBytes = draft.recordBytes;
    this.#audience = draft.allowed.length > AUDIENCE_SET_JOBS ? new Set(draft.allowed) : undefined;
  }

  get uid(): number {
    return this.account.uid;
  }

  get shelf(): number {
    return this.account.shelf;
  }

  /** No longer in the store: nobody finds it any more. */
  get dropped(): boolean {
    return this.#dropped;
  }

  markDropped(): void {
    this.#dropped = true;
    for (const keeper of this.#keepers ?? []) keeper.droppedKept.add(this.uid, 1);
  }

  /** Whether `job` is among the allowed jobs. */
  allows(job: string): boolean {
    return this.#audience === undefined ? this.allowed.includes(job) : this.#audience.has(job);
  }

  /** Keeps content and record alive after a drop, until {@link release}. */
  hold(): this {
    assert(this.#holds > 0, 'an object that is gone was held');
    this.#holds++;
    return this;
  }

  release(): void {
    assert(this.#holds > 0, 'an object was released too often');
    if (--this.#holds > 0) return;
    this.onGone(this);
    this.content.release();
  }

  /** A hold in the name of `keeper`, which has none yet. Undone by {@link letGo}. */
  keepFor(keeper: Keeper): this {
    this.#keepers ??= new Set();
    assert(!this.#keepers.has(keeper), 'an object is kept twice');
    this.#keepers.add(keeper);
    if (this.#dropped) keeper.droppedKept.add(this.uid, 1);
    return this.hold();
  }

  letGo(keeper: Keeper): void {
    assert(this.#keepers?.delete(keeper) === true, 'an object that is not kept was let go');
    if (this.#dropped) keeper.droppedKept.add(this.uid, -1);
    this.release();
  }

  /** As a client sees it. */
  info(): ObjectInfo {
    return {
      id: this.id,
      size: this.content.size,
      ...(this.name === undefined ? {} : { name: this.name }),
      ...(this.content.digest === undefined ? {} : { digest: this.content.digest }),
      ...(this.owner === undefined ? {} : { owner: this.owner }),
      allowed: this.allowed,
      metadata: this.metadata,
      createdAtMs: this.createdAtMs,
      ...(this.expiresAtMs === undefined ? {} : { expiresAtMs: this.expiresAtMs }),
      uid: this.uid,
    };
  }
}
