/**
 * Shares of the descriptors that the broker may have under way: of all clients, of a user, and of a process, so that none who leaves its answers
 * unread keeps others from theirs. Owns the shares; each lives as long as somebody has it.
 */
import { FlightShare } from '../link/index.js';
import type { PeerCredentials } from '../os/unix-socket.js';

/** What all clients may have, of RLIMIT_NOFILE: the rest is for other programs of the broker's user, which send descriptors too. */
const PART_OF_ALL = 3 / 4;
const PART_OF_USER = 1 / 4;
const PART_OF_PROCESS = 1 / 16;

interface Holding {
  readonly share: FlightShare;
  holders: number;
}

export class Flights {
  readonly #all: FlightShare;
  readonly #users = new Map<number, Holding>();
  readonly #processes = new Map<string, Holding>();

  /** `most`: descriptors that the kernel lets be under way (RLIMIT_NOFILE). */
  constructor(private readonly most: number) {
    this.#all = new FlightShare(this.#part(PART_OF_ALL));
  }

  /** Shares that somebody has, beside that of all. */
  get size(): number {
    return this.#users.size + this.#processes.size;
  }

  /** The share of a client's process, for one more connection. Undone by {@link leave}. */
  enter({ uid, pid }: PeerCredentials): FlightShare {
    const user = hold(this.#users, uid, () => new FlightShare(this.#part(PART_OF_USER), this.#all));
    return hold(this.#processes, `${uid}/${pid}`, () => new FlightShare(this.#part(PART_OF_PROCESS), user));
  }

  leave({ uid, pid }: PeerCredentials): void {
    release(this.#processes, `${uid}/${pid}`);
    release(this.#users, uid);
  }

  #part(part: number): number {
    return Math.max(1, Math.floor(this.most * part));
  }
}

function hold<Key>(holdings: Map<Key, Holding>, key: Key, make: () => FlightShare): FlightShare {
  const holding = holdings.get(key) ?? { share: make(), holders: 0 };
  holding.holders++;
  holdings.set(key, holding);
  return holding.share;
}

function release<Key>(holdings: Map<Key, Holding>, key: Key): void {
  const holding = holdings.get(key);
  if (holding !== undefined && --holding.holders === 0) holdings.delete(key);
}
