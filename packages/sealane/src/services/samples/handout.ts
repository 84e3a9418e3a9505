/**
 * What one subscriber was told of its publisher's segments: hands out their descriptors, and says when they end. Owns nothing. Descriptors
 * that are under way count against the whole user, so that few may be: a subscriber that reads nothing gets no more.
 */
import type { PairSocket } from '../pairs/pair-socket.js';
import type { Segment } from './segment.js';
import { encodeRetire, encodeSegment } from './segment-packets.js';

/** Descriptors that may be under way to one subscriber: far more than one that receives ever leaves unread. */
const MAX_UNREAD = 32;

export class Handout {
  readonly #socket: PairSocket;
  /** Segments that were sent since the subscriber was last seen to have read all. */
  #unread = 0;
  /** Numbers whose end was sent since then: the subscriber may not know yet, and would mistake a new one for the old. */
  readonly #unreadEnds = new Set<number>();
  /** Ends for which the socket had no room. */
  #owed: number[] = [];

  constructor(socket: PairSocket) {
    this.#socket = socket;
  }

  /** Hands a segment out. False: there is no room now, as in a full buffer. */
  give(segment: Segment): boolean {
    if (!this.#payOwed() || !this.#mayGive(segment.id)) return false;
    const { strideBytes, maxBytes } = segment.memory.shape;
    const packet = encodeSegment({ segment: segment.id, strideBytes, maxBytes });
    if (!this.#socket.send(packet, [segment.descriptor])) return false;
    this.#unread += 1;
    return true;
  }

  /** Says that a segment which was handed out has ended; later, if there is no room now: before the next is handed out. */
  retire(id: number): void {
    this.#owed.push(id);
    this.#payOwed();
  }

  #mayGive(id: number): boolean {
    if (this.#socket.unread === 0) {
      this.#unread = 0;
      this.#unreadEnds.clear();
    }
    return this.#unread < MAX_UNREAD && !this.#unreadEnds.has(id);
  }

  /** Whether nothing is owed. */
  #payOwed(): boolean {
    while (this.#owed.length > 0) {
      const id = this.#owed[0] as number;
      if (!this.#socket.send(encodeRetire(id))) return false;
      this.#unreadEnds.add(id);
      this.#owed.shift();
    }
    return true;
  }
}
