/**
 * Descriptors that are under way: sent, and perhaps not received yet. The kernel counts them for the sender's user, whoever is to receive
 * them, and over RLIMIT_NOFILE refuses to send any more, to anyone. So the peers of a broker have shares, and one that does not read uses up
 * its own only.
 * Owns the sums. Trusts the kernel's word on what is unread.
 */

/** How long what was found unread is believed to be so, in milliseconds: looking costs a system call for each connection. */
const LOOK_MS = 5;

/** What one or several connections may have under way together; within another share, if there is one. */
export class FlightShare {
  readonly #routes = new Set<FlightRoute>();
  #underWay = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly max: number,
    private readonly within?: FlightShare,
  ) {}

  /** Descriptors that may be under way, as far as is known. */
  get underWay(): number {
    return this.#underWay;
  }

  /** A connection that sends in this share. `unread` tells how much its peer has not read, in bytes. Ended by its close(). */
  open(unread: () => number): FlightRoute {
    return new FlightRoute(this, unread);
  }

  /** Whether so many more may be sent. Always, when nothing is under way. */
  mayCarry(count: number): boolean {
    if (!this.#fits(count)) this.#look();
    return this.#fits(count) && (this.within?.mayCarry(count) ?? true);
  }

  /** Counts what a route has sent, or what of it has arrived, where that is less than 0. */
  add(route: FlightRoute, count: number): void {
    this.#underWay += count;
    if (route.sent > 0) this.#routes.add(route);
    else this.#routes.delete(route);
    this.within?.add(route, count);
  }

  #fits(count: number): boolean {
    return this.#underWay === 0 || this.#underWay + count <= this.max;
  }

  #look(): void {
    const nowMs = performance.now();
    if (nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    for (const route of this.#routes) route.look();
  }
}

/** What one connection has under way. */
export class FlightRoute {
  #sent = 0;

  constructor(
    private readonly share: FlightShare,
    private readonly unread: () => number,
  ) {}

  /** Descriptors that were sent since the peer was known to have read everything. */
  get sent(): number {
    return this.#sent;
  }

  mayCarry(count: number): boolean {
    if (this.share.mayCarry(count)) return true;
    this.look();
    return this.share.mayCarry(count);
  }

  carried(count: number): void {
    if (count > 0) this.#add(count);
  }

  /** Finds out whether everything has arrived. */
  look(): void {
    if (this.#sent > 0 && this.unread() === 0) this.#add(-this.#sent);
  }

  /** The connection is closed: nothing of it is under way any more. */
  close(): void {
    if (this.#sent > 0) this.#add(-this.#sent);
  }

  #add(count: number): void {
    this.#sent += count;
    this.share.add(this, count);
  }
}
