// How a producer of the comparison with what Node.js users have is set up.

/** Ours, and the peers by the names that their ids carry. */
export type Way = 'sealane' | 'child_process' | 'net' | 'zeromq';

export interface Setup {
  readonly way: Way;
  /** The consumer's core, or -1. A pinned producer no longer sees which cores there are. */
  readonly core: number;
}

export interface Batch {
  /** Bytes of a payload. */
  readonly size: number;
  readonly count: number;
}
