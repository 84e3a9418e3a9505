/**
 * The socket of a connected pair: it tells of the other side's death, and carries the wake-ups. Owns the socket, and its place in the
 * control loop. Trusts nothing that arrives: whoever sends more wake-ups than were asked for, or anything else, is told on.
 */
import { DRAIN_END, DRAIN_FOREIGN, type PeerCredentials, type UnixSocket } from '../os/index.js';
import { beginWaiting, endWaiting, mustWake } from '../shm/waiting.js';
import type { ControlLoop } from './control.js';

/** What the owner of a pair's socket is told. Neither may throw. */
export interface PairEvents {
  /** The other side did what was waited for, perhaps. */
  onWake(): void;
  /** The connection is over: `problem` says what the other side did that it may not; undefined: it closed or died. */
  onEnd(problem: string | undefined): void;
}

/** Wake-ups to take in one turn: usually there is one, and looking for a second is a system call. */
const WAKES_PER_TURN = 1;

/** Wake-ups that nobody asked for, until the other side counts as hostile. None is honest; the count says so in errors. */
const MAX_UNASKED = 16;

export class PairSocket {
  readonly #socket: UnixSocket;
  readonly #loop: ControlLoop;
  readonly #words: Int32Array;
  readonly #own: number;
  readonly #other: number;
  readonly #events: PairEvents;
  readonly #key: number;
  /** Wake-ups that may still come: one for each time that this side said it waits, and did not take back in time. */
  #asked = 0;
  #waiting = false;
  #unasked = 0;
  #closed = false;

  /** `own` and `other`: the waiting words of this side and of the other, indices into `words`. */
  constructor(
    socket: UnixSocket,
    loop: ControlLoop,
    words: Int32Array,
    own: number,
    other: number,
    events: PairEvents,
  ) {
    this.#socket = socket;
    this.#loop = loop;
    this.#words = words;
    this.#own = own;
    this.#other = other;
    this.#events = events;
    this.#key = loop.watch(socket.fd, () => this.#onReadable());
  }

  /** Who the kernel says is on the other side. */
  get peer(): PeerCredentials {
    return this.#socket.peer;
  }

  /**
   * Wakes the other side if it sleeps until fewer than so many samples are left, unless it is gone. To be called after what it waits for
   * was done.
   */
  wakeIfWaiting(left: number): void {
    if (mustWake(this.#words, this.#other, left) && !this.#closed) this.#socket.wake();
  }

  /** Says that this side is about to sleep until fewer than `below` samples are in the ring, or any come. Look once more before you do. */
  beginWaiting(below: number): void {
    if (this.#closed || this.#waiting) return;
    this.#waiting = true;
    this.#asked += 1;
    beginWaiting(this.#words, this.#own, below);
  }

  /** Says that this side is awake. */
  endWaiting(): void {
    if (this.#closed || !this.#waiting) return;
    this.#waiting = false;
    if (endWaiting(this.#words, this.#own)) this.#asked -= 1;
  }

  /** Closes the socket: the other side finds out at once. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#loop.unwatch(this.#socket.fd, this.#key);
    this.#socket.close();
  }

  /** A socket that fails is a connection that has ended. */
  #drain(): number {
    try {
      return this.#socket.drain(WAKES_PER_TURN);
    } catch {
      return DRAIN_END;
    }
  }

  #onReadable(): void {
    const wakes = this.#drain();
    if (wakes === DRAIN_END) this.#events.onEnd(undefined);
    else if (wakes === DRAIN_FOREIGN) this.#events.onEnd('a packet that is no wake-up');
    else this.#onWakes(wakes);
  }

  #onWakes(wakes: number): void {
    this.#asked -= wakes;
    if (this.#asked < 0) {
      this.#unasked -= this.#asked;
      this.#asked = 0;
    }
    if (this.#unasked > MAX_UNASKED) {
      this.#events.onEnd(`${this.#unasked} wake-ups that nobody asked for`);
      return;
    }
    // Whoever wakes takes the word back: it is to be set anew before the next sleep.
    this.#waiting = Atomics.load(this.#words, this.#own) !== 0;
    this.#events.onWake();
  }
}
