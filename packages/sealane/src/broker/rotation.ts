/** Members that take turns: the next is the one that has waited longest. Owns nothing. */
export class Rotation<Member> implements Iterable<Member> {
  readonly #members = new Set<Member>();

  get size(): number {
    return this.#members.size;
  }

  add(member: Member): void {
    this.#members.add(member);
  }

  delete(member: Member): void {
    this.#members.delete(member);
  }

  /** From the one that has waited longest on. */
  [Symbol.iterator](): Iterator<Member> {
    return this.#members.values();
  }

  /** Sends a member to the end of the queue, if it is still one. */
  rotate(member: Member): void {
    if (this.#members.delete(member)) this.#members.add(member);
  }
}
