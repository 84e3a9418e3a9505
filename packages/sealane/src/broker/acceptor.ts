/**
 * Accepts connections of a listening socket, some in a turn of the event loop.
 * Owns a spare descriptor: out of descriptors, it is given up to accept a connection and close it, which keeps the kernel from
 * waking us forever for a connection that can't be accepted.
 */
import { closeSync, openSync } from 'node:fs';
import { isSealaneError } from '../base/errors.js';
import type { UnixSocket } from '../os/unix-socket.js';
import { Watcher } from '../os/watcher.js';

/** Connections that are accepted in one turn of the event loop. */
const ACCEPTS_PER_TURN = 32;

/** How long to accept nothing when not even the spare descriptor helps, in milliseconds. */
const EXHAUSTED_PAUSE_MS = 50;

export class Acceptor {
  readonly #watcher: Watcher;
  #spare: number | undefined;
  #pause: NodeJS.Timeout | undefined;

  /** Borrows the listening socket. `onConnection` takes each connection. */
  constructor(
    private readonly socket: UnixSocket,
    private readonly onConnection: (connection: UnixSocket) => void,
  ) {
    this.#spare = openSpare();
    this.#watcher = new Watcher(socket.fd, () => this.#onReady());
    this.#watcher.want(true, false);
  }

  /** Accepts nothing more. The socket stays open. */
  close(): void {
    this.#watcher.close();
    clearTimeout(this.#pause);
    if (this.#spare !== undefined) closeSync(this.#spare);
    this.#spare = undefined;
  }

  #onReady(): void {
    for (let count = 0; count < ACCEPTS_PER_TURN; count++) {
      try {
        const connection = this.socket.accept();
        if (connection === undefined) return;
        this.#handOver(connection);
      } catch (error) {
        this.#onAcceptFailed(error);
        return;
      }
    }
  }

  #handOver(connection: UnixSocket): void {
    try {
      this.onConnection(connection);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Out of descriptors: lets the connection in front go, so that its client does not wait for nothing. */
  #onAcceptFailed(error: unknown): void {
    if (!isSealaneError(error, 'ERR_SEALANE_EXHAUSTED') || this.#spare === undefined) {
      this.#rest();
      return;
    }
    closeSync(this.#spare);
    this.#spare = undefined;
    try {
      this.socket.accept()?.close();
    } catch {
      this.#rest();
    }
    this.#spare = openSpare();
  }

  #rest(): void {
    this.#watcher.want(false, false);
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      this.#spare ??= openSpare();
      this.#watcher.want(true, false);
    }, EXHAUSTED_PAUSE_MS);
  }
}

/** Undefined when there is none to be had just now. */
function openSpare(): number | undefined {
  try {
    return openSync('/dev/null', 'r');
  } catch {
    return undefined;
  }
}
