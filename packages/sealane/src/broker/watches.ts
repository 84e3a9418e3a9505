/**
 * Which connections are concerned by which names, by shelf. A put is announced only to those of its shelf that wait for its name,
 * or for a pattern; what each of them has to be told is its mailbox's to find out.
 * Owns the index of mailboxes.
 */
import { Entries } from './entries.js';
import type { Collector, Follower, Mailbox } from './mailbox.js';
import type { StoredObject } from './object.js';
import type { Account } from './quota.js';

export class Watches {
  readonly #shelves = new Map<number, Entries<Mailbox>>();

  /** Enters one who waits for one name, or for all names of the shelf (undefined). Undone by {@link unfollow} with the same. */
  follow(mailbox: Mailbox, name: string | undefined, follower: Follower): void {
    mailbox.followers.add(name, follower);
    this.#enter(mailbox, name);
  }

  unfollow(mailbox: Mailbox, name: string | undefined, follower: Follower): void {
    mailbox.followers.delete(name, follower);
    this.#leave(mailbox, name);
  }

  /** As {@link follow}, for one who is told of every object. Undone by {@link uncollect}. */
  collect(mailbox: Mailbox, name: string | undefined, collector: Collector): void {
    mailbox.collect(name, collector);
    this.#enter(mailbox, name);
  }

  uncollect(mailbox: Mailbox, name: string | undefined, collector: Collector): void {
    mailbox.uncollect(name, collector);
    this.#leave(mailbox, name);
  }

  /** Leaves a note of an object that was just put with everyone concerned. */
  announce(object: StoredObject): void {
    const { name } = object;
    const mailboxes = this.#shelves.get(object.shelf);
    if (mailboxes === undefined || name === undefined) return;
    for (const mailbox of mailboxes.named(name)) mailbox.post(name, object);
    for (const mailbox of mailboxes.patterns)
      if (!mailboxes.isNamed(name, mailbox)) mailbox.post(name, object);
  }

  /**
   * Ends the one of a shelf's watches that keeps most dropped objects of a user. False: none keeps any. A consumer that does not
   * consume must not keep others from publishing.
   */
  shed({ uid, shelf }: Account): boolean {
    let most = 0;
    let end: (() => void) | undefined;
    const consider = (dropped: number, overrun: () => void): void => {
      if (dropped > most) [most, end] = [dropped, overrun];
    };
    for (const mailbox of new Set(this.#shelves.get(shelf)?.all())) {
      consider(mailbox.droppedKept.of(uid), () => mailbox.shed());
      for (const collector of mailbox.collectors.all())
        consider(collector.droppedKept.of(uid), () => collector.overrun());
    }
    end?.();
    return end !== undefined;
  }

  #enter(mailbox: Mailbox, name: string | undefined): void {
    const { shelf } = mailbox;
    const mailboxes = this.#shelves.get(shelf) ?? new Entries();
    mailboxes.add(name, mailbox);
    this.#shelves.set(shelf, mailboxes);
  }

  #leave(mailbox: Mailbox, name: string | undefined): void {
    const { shelf } = mailbox;
    const mailboxes = this.#shelves.get(shelf);
    if (mailboxes === undefined || mailbox.concerns(name)) return;
    mailboxes.delete(name, mailbox);
    if (mailboxes.empty) this.#shelves.delete(shelf);
  }
}
