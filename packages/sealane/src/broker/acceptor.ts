/**
 * Accepts connections of a listening socket, some in a turn of the event loop.
 * Owns a spare descriptor: out of descriptors, it is given up to accept a connection and close it, which keeps the kernel from
 * waking us forever for a connection that can't be accepted.
 */
import { closeSync, openSync } from 'node:fs';
import { isSealaneError } from '../base/errors.js';
import type { UnixSocket } from '../os/unix-socket.js';
import { Watcher } from '../os/watcher.js';
import type { AuditLog } from './audit/index.js';

/** Connections that are accepted in one turn of the event loop: some 0.2 ms. */
const ACCEPTS_PER_TURN = 4;

/** How long to accept nothing when not even the spare descriptor helps, in milliseconds. */
const EXHAUSTED_PAUSE_MS = 50;

/** How long to accept nothing while a thread closes the connection that the spare descriptor was given up for, in milliseconds. */
const CLOSING_PAUSE_MS = 1;

export class Acceptor {
  readonly #watcher: Watcher;
  readonly #leaveAudit: (() => void) | undefined;
  #spare: number | undefined;
  #pause: NodeJS.Timeout | undefined;

  /** Borrows the listening socket. `onConnection` takes each connection. None is accepted while the audit could not record it. */
  constructor(
    private readonly socket: UnixSocket,
    private readonly onConnection: (connection: UnixSocket) => void,
    private readonly audit: AuditLog | undefined,
  ) {
    this.#spare = openSpare();
    this.#watcher = new Watcher(socket.fd, () => this.#onReady());
    this.#leaveAudit = audit?.onChange(() => this.#listen());
    this.#listen();
  }

  /** Accepts nothing more. The socket stays open. */
  close(): void {
    this.#leaveAudit?.();
    this.#watcher.close();
    clearTimeout(this.#pause);
    if (this.#spare !== undefined) closeSync(this.#spare);
    this.#spare = undefined;
  }

  #listen(): void {
    this.#watcher.want(this.#pause === undefined && this.audit?.blocked !== true, false);
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
      this.#rest(EXHAUSTED_PAUSE_MS);
      return;
    }
    closeSync(this.#spare);
    this.#spare = undefined;
    try {
      this.socket.accept()?.close();
      this.#spare = openSpare();
      if (this.#spare === undefined) this.#rest(CLOSING_PAUSE_MS);
    } catch {
      this.#rest(EXHAUSTED_PAUSE_MS);
    }
  }

  #rest(milliseconds: number): void {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#spare ??= openSpare();
      this.#listen();
    }, milliseconds);
    this.#listen();
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
