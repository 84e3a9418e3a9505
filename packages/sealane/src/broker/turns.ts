/**
 * Turns at something that only one can do at a time: deficit round robin (Shreedhar and Varghese, 1995), in groups of groups. Who comes for
 * little goes before those who always have more to do, and who used more than a turn allows, because a step can't be cut, sits out
 * the turns that it owes.
 * Owns the queues; the members belong to whoever made them.
 */
import { Rotation } from './rotation.js';

/** One who takes turns: a connection, or all connections of a process or of a user. */
export abstract class Member {
  /** Units that it has left of its turns; below 0, it owes them. */
  balance: number;
  /** It takes turns. */
  listed = false;

  /** `quantum`: units of one turn. */
  constructor(readonly quantum: number) {
    this.balance = quantum;
  }

  /** It has nothing to do. */
  abstract get idle(): boolean;

  /** Works until at most `most` units, or one step more, are used. Gives the units that were used. */
  protected abstract run(most: number): number;

  /** A turn, of at most `most` units. Gives the units that were used. */
  takeTurn(most: number): number {
    this.#earn();
    if (this.balance <= 0) return 0;
    const used = this.run(Math.min(this.balance, most));
    this.balance -= used;
    return used;
  }

  /** It takes no turns any more. The one that it did not need pays what it owes. */
  leave(): void {
    this.listed = false;
    this.#earn();
  }

  #earn(): void {
    this.balance = Math.min(this.quantum, this.balance + this.quantum);
  }
}

/** Members that take turns, in the turns of their group. */
export class Group<M extends Member> extends Member {
  /** Those that come to their first turn. */
  readonly #fresh = new Rotation<M>();
  readonly #others = new Rotation<M>();
  /** Members with something to do. */
  #busy = 0;

  get idle(): boolean {
    return this.#busy === 0;
  }

  /** A member has something to do now. */
  enter(member: M): void {
    this.#busy++;
    if (member.listed) return;
    member.listed = true;
    if (member.balance > 0) this.#fresh.add(member);
    else this.#others.add(member);
  }

  *all(): Iterable<M> {
    yield* this.#fresh;
    yield* this.#others;
  }

  /** Nobody takes turns any more. */
  clear(): void {
    const members = [...this.all()];
    for (const member of members) {
      this.#fresh.delete(member);
      this.#others.delete(member);
      this.#forget(member);
    }
    this.#busy = 0;
  }

  override leave(): void {
    super.leave();
    this.clear();
  }

  protected run(most: number): number {
    let used = 0;
    while (used < most && !this.idle) {
      const member = this.#next();
      if (member === undefined) break;
      // The turn itself costs one: it ends also when everyone owes.
      used += 1 + member.takeTurn(most - used);
      if (member.idle) this.#busy--;
    }
    return used;
  }

  /** The member takes no turns any more. */
  protected onLeft(_member: M): void {}

  /**
   * The one whose turn it is, now the last of all. It stays so if it has nothing to do by then, and leaves when its turn finds it idle: else
   * it could be a fresh one again before the others had their turns.
   */
  #next(): M | undefined {
    for (;;) {
      const [fresh] = this.#fresh;
      const [other] = this.#others;
      const member = fresh ?? other;
      if (member === undefined) return undefined;
      this.#fresh.delete(member);
      this.#others.delete(member);
      if (member.idle) {
        this.#forget(member);
        continue;
      }
      this.#others.add(member);
      return member;
    }
  }

  #forget(member: M): void {
    member.leave();
    this.onLeft(member);
  }
}

/** Groups that come into being with their first member, and are forgotten when they leave. */
export class Groups<G extends Group<Member> & { readonly key: unknown }> extends Group<G> {
  readonly #byKey = new Map<unknown, G>();

  /** The group of that key. */
  of(key: unknown, make: () => G): G {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const group = make();
    this.#byKey.set(key, group);
    return group;
  }

  protected override onLeft(group: G): void {
    this.#byKey.delete(group.key);
  }
}
