/**
 * The socket of a connected pair: it tells of the other side's death, and carries the wake-ups. Owns the socket, and its place in the
 * control loop. Trusts nothing that arrives: whoever sends more wake-ups than were asked for, or anything else, is told on.
 */
import { isSealaneError } from '../../base/errors.js';
import {
  DRAIN_END,
  DRAIN_FOREIGN,
  type Packet,
  type PeerCredentials,
  type UnixSocket,
} from '../../os/index.js';
import { HANDSHAKE_SEGMENT_BYTES } from '../../shm/layout.js';
import { beginWaiting, endWaiting, isWaiting, mustWake, RETURN_AWAITED } from '../../shm/waiting.js';
import { receiveQuietly } from './acceptor.js';
import type { ControlLoop } from './control.js';

/** What the owner of a pair's socket is told. Neither may throw. */
export interface PairEvents {
  /** The other side did what was waited for, perhaps. */
  onWake(): void;
  /** The connection is over: `problem` says what the other side did that it may not; undefined: it closed or died. */
  onEnd(problem: string | undefined): void;
}

/** Takes a packet that is no wake-up, and its descriptors. `bytes` are good for the time of the call. Must not throw. */
export type TakePacket = (bytes: Uint8Array, packet: Packet) => void;

/** Room for the longest packet of a pair and one byte. */
const buffer = new Uint8Array(HANDSHAKE_SEGMENT_BYTES + 1);

/** The begin of it that the last packet filled: most have the same length. */
let filled = buffer;

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
  readonly #take: TakePacket | undefined;
  readonly #key: number;
  /** Wake-ups that may still come: one for each time that this side said it waits, and did not take back in time. */
  #asked = 0;
  #waiting = false;
  /** The same for {@link RETURN_AWAITED}. */
  #awaitsReturn = false;
  #unasked = 0;
  #closed = false;

  /** `own` and `other`: the waiting words of this side and of the other, indices into `words`. Without `take` only wake-ups may come. `packetsPerTurn`: so many are taken at once. */
  constructor(
    socket: UnixSocket,
    loop: ControlLoop,
    words: Int32Array,
    own: number,
    other: number,
    events: PairEvents,
    take?: TakePacket,
    packetsPerTurn = 1,
  ) {
    this.#socket = socket;
    this.#loop = loop;
    this.#words = words;
    this.#own = own;
    this.#other = other;
    this.#events = events;
    this.#take = take;
    this.#key = loop.watch(socket.fd, () => {
      for (let packets = 0; packets < packetsPerTurn && this.serve(); packets++);
    });
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
    if (isWaiting(this.#words, this.#other)) this.#wake(this.#other, left);
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

  /** Wakes the other side if it waits for a slot to come back. To be called after one was given back. */
  wakeIfReturnAwaited(): void {
    if (isWaiting(this.#words, RETURN_AWAITED)) this.#wake(RETURN_AWAITED, 0);
  }

  /** Says that this side is about to sleep until a slot comes back, beside what else it waits for. Look once more before you do. */
  beginAwaitingReturn(): void {
    if (this.#closed || this.#awaitsReturn) return;
    this.#awaitsReturn = true;
    this.#asked += 1;
    beginWaiting(this.#words, RETURN_AWAITED, 1);
  }

  /** Says that this side waits for no slot any more. */
  endAwaitingReturn(): void {
    if (this.#closed || !this.#awaitsReturn) return;
    this.#awaitsReturn = false;
    if (endWaiting(this.#words, RETURN_AWAITED)) this.#asked -= 1;
  }

  /** Sends a packet to the other side. False: there is no room for it or its descriptors now, or nobody is there. */
  send(bytes: Uint8Array, descriptors?: readonly number[]): boolean {
    if (this.#closed) return false;
    try {
      return this.#socket.send(bytes, descriptors) === 'sent';
    } catch (error) {
      if (isSealaneError(error)) return false;
      throw error;
    }
  }

  /** Bytes that the other side has not read, as the kernel counts them. */
  get unread(): number {
    return this.#closed ? 0 : this.#socket.unread;
  }

  /** Closes the socket: the other side finds out at once. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#loop.unwatch(this.#socket.fd, this.#key);
    this.#socket.close();
  }

  #wake(word: number, left: number): void {
    if (mustWake(this.#words, word, left) && !this.#closed) this.#socket.wake();
  }

  /** A socket that fails is a connection that has ended. */
  #drain(): number {
    try {
      return this.#socket.drain(WAKES_PER_TURN);
    } catch {
      return DRAIN_END;
    }
  }

  /** Takes what comes next. False: there is nothing, or the connection is over. */
  serve(): boolean {
    if (this.#closed) return false;
    if (this.#take !== undefined) return this.#servePacket(this.#take);
    const wakes = this.#drain();
    if (wakes === DRAIN_END) this.#events.onEnd(undefined);
    else if (wakes === DRAIN_FOREIGN) this.#events.onEnd('a packet that is no wake-up');
    else this.#onWakes(wakes);
    return !this.#closed && wakes > 0;
  }

  #servePacket(take: TakePacket): boolean {
    const packet = receiveQuietly(this.#socket, buffer);
    if (packet === 'empty') return false;
    if (packet === 'end') this.#events.onEnd(undefined);
    else if (packet.bytes === 1 && packet.descriptors.length === 0 && !packet.descriptorsLost)
      this.#onWakes(1);
    else take(filledBy(packet), packet);
    return !this.#closed;
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
    this.#awaitsReturn = this.#awaitsReturn && Atomics.load(this.#words, RETURN_AWAITED) !== 0;
    this.#events.onWake();
  }
}

function filledBy({ bytes }: Packet): Uint8Array {
  if (filled.length !== bytes) filled = buffer.subarray(0, bytes);
  return filled;
}
