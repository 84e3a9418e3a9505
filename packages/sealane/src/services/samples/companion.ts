/**
 * The seam for what goes beside samples on the socket of a pair, of a part that stands on this one: who sends something ahead of a sample, and
 * who fetches it when the sample is taken. Ports without a companion don't know of it.
 */
import type { Packet } from '../../os/index.js';
import type { PortAddress } from '../pairs/address.js';
import type { Delivery } from '../pairs/handshake.js';
import type { PairSocket } from '../pairs/pair-socket.js';
import type { HotSample } from './received.js';

/** What goes ahead of one publisher's samples to one subscriber. Nothing may throw, unless it says so. */
export interface OutboundCompanion {
  /** Nothing goes ahead of samples any more, from now on: it is not asked again. */
  readonly done: boolean;
  /**
   * Whether what goes ahead of another sample could be sent now; without, the subscriber counts as full. After send() was false: throws what
   * its sender is told if what was to go ahead of the sample is there no more; nobody else gets it then.
   */
  hasRoom(): boolean;
  /**
   * How many of the last samples a subscriber that comes now can have at once, before it has read any: their slots, the oldest first, and
   * the number of the last.
   */
  latest(slots: readonly number[], last: number): number;
  /**
   * Sends what goes ahead of the sample in that slot. False: there is no room after all, or it is there no more; the sample is not published
   * then.
   */
  send(sequence: number, slot: number): boolean;
}

/** Of a publisher: what goes ahead of its samples. */
export interface OutboundLuggage {
  readonly delivery: Delivery;
  /** So many slots it has, of which all may be on loan, instead of those that follow from the service's settings. */
  readonly slots?: number;
  /** For one subscriber. The socket is borrowed. */
  companion(socket: PairSocket): OutboundCompanion;
  /** The publisher is closed, by whomever. Once. */
  close(): void;
}

/** What comes ahead of one publisher's samples at one subscriber. */
export interface InboundCompanion {
  /**
   * Takes a packet, and its descriptors also when it throws; false: it is none of these packets, and nothing was taken. Throws
   * a SealaneError for what a publisher may not send, and ERR_SEALANE_EXHAUSTED.
   */
  take(bytes: Uint8Array, packet: Packet): boolean;
  /**
   * A sample was taken that has no luggage from an earlier one in its slot: fetches what belongs to it. `serve` takes the next packet of the socket; false: there is none. Throws a SealaneError
   * when it is not there, so that the publisher lies.
   */
  claim(sample: HotSample, serve: () => boolean): void;
  /** The pair is over, and nothing of it is borrowed. Idempotent. */
  close(): void;
}

/** A publisher that a subscriber has connected to. */
export interface InboundPair {
  readonly delivery: Delivery;
  readonly peer: PortAddress;
  /** Slots of the publisher's memory. */
  readonly slots: number;
  /** Samples that may wait. */
  readonly bufferSize: number;
  /** The number before that of the first sample. */
  readonly sequenceBefore: number;
}

/** Of a subscriber: what it takes beside samples. */
export interface InboundLuggage {
  companion(pair: InboundPair): InboundCompanion;
}
