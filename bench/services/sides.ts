// What a measurement needs of each side, ours and a peer's alike. Whoever implements it starts its processes, pins them
// (client and broker of harness/pinning), connects them, and has them sleep whenever no batch runs, so that the other
// side's batches have the machine to themselves.
import type { Consumers } from '../peers/node/children.js';

/** Two processes that take turns: one sends, the other answers with what came, one round trip after the other. */
export interface Turns extends AsyncDisposable {
  /** Nanoseconds of each of `count` round trips. */
  trips(count: number): Promise<readonly number[]>;
}

/** Turns that are busy-polled. */
export interface PingPong extends Turns {
  /** Nanoseconds of `count` round trips together, without a look at the clock in between. */
  total(count: number): Promise<number>;
}

/** Ping-pong of nodes whose figures somebody looks at, or nobody. */
export interface ObservedPingPong extends PingPong {
  setObserved(observed: boolean): Promise<void>;
}

export interface PingPongOptions {
  /** A multiple of 8. Of each sample its first 64-bit word, or as much of it as counts, is written and read. */
  readonly payloadBytes: number;
}

/** A publisher and its subscribers, each a process. Nothing is dropped: who meets a full buffer waits. */
export interface Stream extends AsyncDisposable {
  /** Nanoseconds in which `count` samples are sent and each subscriber has received all of them. */
  run(count: number): Promise<number>;
  /** Nanoseconds of `count` publishes while no subscriber looks, at most STREAM_BUFFER; they take them afterwards. */
  burst(count: number): Promise<number>;
}

/** Samples that wait for a subscriber of a stream at most. */
export const STREAM_BUFFER = 256;

export interface StreamOptions {
  readonly payloadBytes: number;
  readonly subscribers: number;
}

/** Delivers payloads to another process that looks at every byte (Pass of peers/node) and answers. */
export interface Exchange {
  /** Has `write` fill `size` bytes, delivers them, and resolves with the number of bytes that each consumer saw. */
  deliver(size: number, write: (into: Uint8Array) => void): Promise<readonly number[]>;
  close(): Promise<void>;
}

export type StartExchange = (consumers: Consumers) => Promise<Exchange>;
