/**
 * How many descriptors are under way to one subscriber: they count against the whole user until they are received. Owns the record of what was
 * sent; the kernel tells how much of it was not read, so that a subscriber can't claim to have read.
 */
import type { PairSocket } from '../services/pairs/pair-socket.js';
import { HANDSHAKE_MAX_DESCRIPTORS } from '../shm/layout.js';

/** Descriptors that may be under way to one subscriber. */
export const MAX_IN_FLIGHT = 32;

/** What the kernel counts for the shortest packet, at the least, in bytes: its two structures alone take more. */
const MIN_PACKET_BYTES = 512;

/** After a send that the kernel had no room for, in milliseconds: others of the user have too many descriptors under way. */
const REST_MS = 10;

/** How many of the last frames, with so many descriptors each, the oldest first, can be sent before any is read: 1 at least. */
export function fitting(counts: readonly number[]): number {
  let frames = 1;
  // Room for the most that a packet can have is there before each is sent.
  let left = MAX_IN_FLIGHT - HANDSHAKE_MAX_DESCRIPTORS;
  for (let index = counts.length - 2; index >= 0; index--) {
    left -= counts[index] as number;
    if (left < 0) break;
    frames += 1;
  }
  return frames;
}

export class Flight {
  readonly #socket: PairSocket;
  /** Descriptors in each of the last packets, the newest at `#sent` - 1. */
  readonly #counts = new Uint8Array(MAX_IN_FLIGHT);
  #sent = 0;
  /** At most so many are under way. */
  #descriptors = 0;
  /** Until when nothing is tried, by performance.now(); 0: it may be. */
  #restsUntilMs = 0;

  constructor(socket: PairSocket) {
    this.#socket = socket;
  }

  /** Whether as many descriptors as a packet can have may go now. */
  hasRoom(): boolean {
    if (this.#restsUntilMs !== 0 && performance.now() < this.#restsUntilMs) return false;
    this.#restsUntilMs = 0;
    if (this.#descriptors + HANDSHAKE_MAX_DESCRIPTORS <= MAX_IN_FLIGHT) return true;
    this.#look();
    return this.#descriptors + HANDSHAKE_MAX_DESCRIPTORS <= MAX_IN_FLIGHT;
  }

  /** Sends a packet. False: the kernel has no room for it or its descriptors now, or nobody is there. */
  send(packet: Uint8Array, descriptors: readonly number[]): boolean {
    if (!this.#socket.send(packet, descriptors)) {
      this.#restsUntilMs = performance.now() + REST_MS;
      return false;
    }
    this.#counts[this.#sent % MAX_IN_FLIGHT] = descriptors.length;
    this.#sent += 1;
    this.#descriptors += descriptors.length;
    return true;
  }

  /** What could not be sent just now was not for want of room: the next may go at once. */
  resume(): void {
    this.#restsUntilMs = 0;
  }

  /** Those that are not read are the last ones that were sent: at most as many as the unread bytes allow. */
  #look(): void {
    const packets = Math.min(
      Math.floor(this.#socket.unread / MIN_PACKET_BYTES),
      this.#sent,
      this.#counts.length,
    );
    let sum = 0;
    for (let back = 1; back <= packets; back++)
      sum += this.#counts[(this.#sent - back) % MAX_IN_FLIGHT] as number;
    this.#descriptors = sum;
  }
}
