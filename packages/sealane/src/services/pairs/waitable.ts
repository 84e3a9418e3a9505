/** What a thread can wait for together with other things: a port that receives. Internal; owned and implemented by the ports. */
import { invalidArgument } from '../../base/errors.js';
import type { ControlLoop } from './control.js';

/** A port that can be told to wake its thread. */
export interface Waitable {
  /** Serves the port's node: its descriptor is ready when this side was woken, or a connection came or ended. */
  readonly loop: ControlLoop;
  /** Something can be received now. */
  readonly ready: boolean;
  /** How much was received so far: it changes whenever anything is. */
  readonly received: number;
  /** No more comes. */
  readonly closed: boolean;
  /**
   * Asks all peers to wake this side. True: something is there already, so do not sleep. Each call is followed by one of endWaiting();
   * a peer that has woken this side is asked again by the next call only. Throws ERR_SEALANE_CLOSED.
   */
  beginWaiting(): boolean;
  /** Takes that back. Harmless once closed. */
  endWaiting(): void;
}

/** What is behind a port of the public API. Throws ERR_SEALANE_INVALID_ARGUMENT where that is none which can be waited for. */
export function waitableOf(name: string, port: unknown): Waitable {
  const waitable = (port as { readonly waitable?: Partial<Waitable> } | null | undefined)?.waitable;
  if (typeof waitable?.beginWaiting === 'function') return waitable as Waitable;
  throw invalidArgument(name, 'be a subscriber or a listener', port);
}
