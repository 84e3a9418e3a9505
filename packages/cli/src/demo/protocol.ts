/**
 * What the demo and its consumer processes say to each other over the channel that fork() gives them. Types
 * only, and a clock.
 */

/** A way to deliver bytes to other processes. */
export type Way = 'sealane' | 'socket' | 'messages';

/** A file as a consumer knows it: it never opens it. */
export interface Parcel {
  /** The object's name on the bus. */
  name: string;
  /** Bytes. */
  size: number;
}

/** From the demo to a consumer. */
export type ToConsumer =
  /** Get ready to receive these parcels. `address` is a socket's path: the broker's, or the server's. */
  | { kind: 'setup'; way: Way; address: string; parcels: Parcel[] }
  /** One parcel, for the way `messages`. */
  | { kind: 'parcel'; index: number; bytes: Uint8Array }
  /** Compute the digests of what was received. */
  | { kind: 'verify' };

/** From a consumer to the demo. Times are of {@link nowMs}. */
export type FromConsumer =
  | { kind: 'ready' }
  /** All bytes were at hand, and all were read. `checksum` keeps the reading from being optimized away. */
  | { kind: 'received'; inHandMs: number; readMs: number; checksum: number }
  /** SHA-256 of each parcel in hexadecimal, over the received bytes. */
  | { kind: 'verified'; digests: string[] }
  | { kind: 'failed'; message: string };

/** Milliseconds of the system's monotonic clock, which all processes share. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
