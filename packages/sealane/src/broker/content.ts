/**
 * A content: one sealed memfd that the broker keeps, shared by all objects of one user that are known to have the same bytes.
 * Counts its references; with the last one its host gives up the descriptor and the quota. Never maps the bytes.
 */
import { assert } from '../base/assert.js';
import type { StoredObject } from './object.js';
import type { Account } from './quota.js';

export class Content {
  /** SHA-256 of the bytes as 64 hex digits, once it was computed. The seals make it true forever. */
  digest: string | undefined;
  /** The object to be indexed by the digest once it is known; only then others may share the content. */
  firstObject: StoredObject | undefined;
  #references = 1;

  /**
   * Whoever makes a content holds the first reference. `onGone` is called with the last release, and has to close `fd`,
   * which was validated: a memfd of `size` bytes with the seals of a blob.
   */
  constructor(
    readonly account: Account,
    readonly fd: number,
    readonly size: number,
    private readonly onGone: (content: Content) => void,
    /** The memory that was charged for it: no less than its size. */
    readonly heldBytes = size,
  ) {}

  get uid(): number {
    return this.account.uid;
  }

  get shelf(): number {
    return this.account.shelf;
  }

  retain(): this {
    assert(this.#references > 0, 'a content that is gone was retained');
    this.#references++;
    return this;
  }

  release(): void {
    assert(this.#references > 0, 'a content was released too often');
    if (--this.#references === 0) this.onGone(this);
  }
}
