/**
 * The word by which a sleeper says that it wants to be woken. It stands on a cache line that is rarely written, so that asking costs the
 * one who is awake nothing. Owns no memory.
 *
 * The sleeper sets it, then looks once more at what it waits for, then sleeps. The other side does what is waited for, then asks. Each
 * is a store before a load of the other's word, and Atomics are sequentially consistent: at least one of both sees the other.
 */
import {
  CHANNEL_PUBLISHER_WAITING_AT,
  CHANNEL_RETURN_AWAITED_AT,
  CHANNEL_SUBSCRIBER_WAITING_AT,
} from './layout.js';

/** Index of the subscriber's word. */
export const SUBSCRIBER_WAITING = CHANNEL_SUBSCRIBER_WAITING_AT / 4;
/** Index of the publisher's word. */
export const PUBLISHER_WAITING = CHANNEL_PUBLISHER_WAITING_AT / 4;
/** Index of the word by which the publisher waits for a slot to come back. A word of its own: it may wait for room at the same time. */
export const RETURN_AWAITED = CHANNEL_RETURN_AWAITED_AT / 4;

/**
 * Says that this side is about to sleep, and is to be woken once fewer than `below` samples (1 at least) are in the ring. Look once
 * more before you do.
 */
export function beginWaiting(words: Int32Array, at: number, below: number): void {
  Atomics.store(words, at, below);
}

/** Says that this side is awake. False: the other side has seen that it slept, and a wake-up is under way. */
export function endWaiting(words: Int32Array, at: number): boolean {
  return Atomics.exchange(words, at, 0) !== 0;
}

/** Whether the other side is to be woken, with `left` samples in the ring. True once for each time that it slept. */
export function mustWake(words: Int32Array, at: number, left: number): boolean {
  const below = Atomics.load(words, at);
  return below !== 0 && left < below && Atomics.exchange(words, at, 0) !== 0;
}

/** Whether {@link mustWake} is worth asking: not often. */
export function isWaiting(words: Int32Array, at: number): boolean {
  return Atomics.load(words, at) !== 0;
}
