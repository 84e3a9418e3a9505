/**
 * Answers that wait because clients do not read them. A client that falls behind is read no further until it has caught up:
 * nothing that it does makes the broker keep more for it.
 * Owns the sums; the answers themselves are the links'.
 */

/** Bytes of answers that may wait for one client. One answer more, of at most a page of a list, can come on top. */
const MAX_BYTES = 262_144;

/** One client's share. */
export interface Backlog {
  bytes: number;
  descriptors: number;
}

export class Backlogs {
  #descriptors = 0;

  /** `maxDescriptors`: waiting ones of all clients, above which every client with a waiting one is read no further. */
  constructor(private readonly maxDescriptors: number) {}

  /** Notes an answer that was sent when `queued` answers of its client wait. */
  note(backlog: Backlog, queued: number, bytes: number, descriptors: number): void {
    if (queued === 0) {
      this.clear(backlog);
      return;
    }
    backlog.bytes += bytes;
    backlog.descriptors += descriptors;
    this.#descriptors += descriptors;
  }

  /** Nothing of this client waits any more. */
  clear(backlog: Backlog): void {
    this.#descriptors -= backlog.descriptors;
    backlog.bytes = 0;
    backlog.descriptors = 0;
  }

  isOver(backlog: Backlog): boolean {
    return backlog.bytes > MAX_BYTES || (backlog.descriptors > 0 && this.#descriptors > this.maxDescriptors);
  }
}
