/**
 * Samples that did not arrive, told to diagnostics in lumps: there may be millions a second, and whoever listens shall not run in the
 * middle of a send. Owns what is not told yet, and its timer; costs nothing while there is nothing.
 */

import type { PortKind } from '../domain/names.js';
import type { PortAddress } from './address.js';
import type { ControlLoop } from './control.js';

/** How long losses are counted before they are told, in milliseconds. */
const LUMP_MS = 100;

/** So many samples did not get from an own port to a peer's, or the other way. */
export interface Loss {
  /** What the peer's port is. */
  readonly kind: PortKind;
  readonly port: number;
  readonly peer: PortAddress;
  readonly samples: number;
}

/** The losses of one service. */
export class Losses {
  readonly #loop: ControlLoop;
  readonly #tell: (loss: Loss) => void;
  /** By the very address that the port has for the peer. */
  readonly #untold = new Map<PortAddress, Loss>();
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #endServe: (() => void) | undefined;

  constructor(loop: ControlLoop, tell: (loss: Loss) => void) {
    this.#loop = loop;
    this.#tell = tell;
  }

  add(loss: Loss): void {
    const before = this.#untold.get(loss.peer)?.samples ?? 0;
    this.#untold.set(loss.peer, { ...loss, samples: before + loss.samples });
    if (this.#timer !== undefined) return;
    this.#dueMs = performance.now() + LUMP_MS;
    this.#timer = setTimeout(() => this.flush(), LUMP_MS).unref();
    // The event loop may not turn: then whoever blocks or polls serves control now and then.
    this.#endServe = this.#loop.onServe(() => {
      if (performance.now() >= this.#dueMs) this.flush();
    });
  }

  /** Tells all now. To be called when a connection, or the service, ends. */
  flush(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#endServe?.();
    const losses = [...this.#untold.values()];
    this.#untold.clear();
    for (const loss of losses) this.#tell(loss);
  }
}
