// How a producer of the delivery measurement is set up.

export type Way = 'bus' | 'child' | 'socket' | 'stream' | 'worker';

export interface Setup {
  readonly way: Way;
  readonly consumers: number;
  /** The broker's socket. */
  readonly socket: string;
}
