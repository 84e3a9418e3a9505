/**
 * Sends one answer: its pieces one after the other, in parts as the peer takes them, a descriptor on the first byte.
 * Owns the descriptor until it is sent or given up.
 */
import { closeDescriptor } from '../../os/descriptor.js';
import type { UnixSocket } from '../../os/unix-socket.js';

/** An answer. Whoever holds it owns the descriptor. */
export interface Answer {
  readonly pieces: readonly Uint8Array[];
  readonly descriptor?: number;
}

/** Bytes in one system call, and how many calls one turn of the event loop may take: a fast reader must not hold up the others. */
const STEP_BYTES = 65_536;
const STEPS_PER_TURN = 16;

export class Sender {
  readonly #pieces: Uint8Array[];
  #descriptor: number | undefined;

  constructor({ pieces, descriptor }: Answer) {
    this.#pieces = pieces.filter((piece) => piece.length > 0);
    this.#descriptor = descriptor;
  }

  /**
   * Sends what can be sent: `sent` when that was all; `full`: go on when the socket is writable; `in-flight`: go on a little later.
   * Throws when the peer is gone.
   */
  send(socket: UnixSocket): 'sent' | 'full' | 'in-flight' {
    for (let step = 0; step < STEPS_PER_TURN; step++) {
      const piece = this.#pieces[0];
      if (piece === undefined) return 'sent';
      const part = piece.subarray(0, STEP_BYTES);
      const taken = socket.write(part, this.#descriptor === undefined ? undefined : [this.#descriptor]);
      if (typeof taken === 'string') return taken;
      this.close();
      if (taken < piece.length) this.#pieces[0] = piece.subarray(taken);
      else this.#pieces.shift();
    }
    return this.#pieces.length === 0 ? 'sent' : 'full';
  }

  /** Closes the descriptor. Idempotent. */
  close(): void {
    if (this.#descriptor !== undefined) closeDescriptor(this.#descriptor);
    this.#descriptor = undefined;
  }
}
