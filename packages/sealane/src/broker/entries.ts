/** Those who wait for a name, or for all names of a pattern. Owns the index, nothing else. */
export class Entries<Member> {
  /** Those who wait for a pattern: it is theirs to match. */
  readonly patterns = new Set<Member>();
  readonly #byName = new Map<string, Set<Member>>();

  /** Those who wait for exactly this name. */
  named(name: string): Iterable<Member> {
    return this.#byName.get(name) ?? [];
  }

  /** Those who wait for this name, or for a pattern. */
  *of(name: string): Iterable<Member> {
    yield* this.named(name);
    yield* this.patterns;
  }

  /** The names for which anyone waits. */
  names(): Iterable<string> {
    return this.#byName.keys();
  }

  *all(): Iterable<Member> {
    for (const named of this.#byName.values()) yield* named;
    yield* this.patterns;
  }

  /** Whether this member waits for exactly this name. */
  isNamed(name: string, member: Member): boolean {
    return this.#byName.get(name)?.has(member) ?? false;
  }

  /** Whether anyone waits for the name; undefined: for a pattern. */
  has(name: string | undefined): boolean {
    return name === undefined ? this.patterns.size > 0 : this.#byName.has(name);
  }

  get empty(): boolean {
    return this.#byName.size === 0 && this.patterns.size === 0;
  }

  /** Enters a member for a name; undefined: for a pattern. */
  add(name: string | undefined, member: Member): void {
    if (name === undefined) {
      this.patterns.add(member);
      return;
    }
    const named = this.#byName.get(name) ?? new Set();
    named.add(member);
    this.#byName.set(name, named);
  }

  delete(name: string | undefined, member: Member): void {
    if (name === undefined) {
      this.patterns.delete(member);
      return;
    }
    const named = this.#byName.get(name);
    named?.delete(member);
    if (named?.size === 0) this.#byName.delete(name);
  }
}
