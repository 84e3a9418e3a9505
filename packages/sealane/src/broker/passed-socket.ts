/**
 * A socket that was made elsewhere, by a service manager for example, in place of one that the broker publishes itself.
 * Owns a duplicate of the descriptor and nothing in the file system: neither the socket file nor a lock. Who made the socket keeps
 * listening when the broker stops, and may hand it to the next broker.
 */
import { requireListener } from '../os/listener.js';
import { type SocketKind, UnixSocket } from '../os/unix-socket.js';

/** A listening socket that somebody else made: an open descriptor, borrowed. */
export interface ListeningSocket {
  readonly fd: number;
}

export class PassedSocketPublication {
  private constructor(
    /** The path that the socket was bound to. */
    readonly path: string,
    /** The listening socket. */
    readonly socket: UnixSocket,
  ) {}

  /** Borrows the descriptor. Throws ERR_SEALANE_INVALID_ARGUMENT unless it is a listening socket of this kind with a path. */
  static open(what: string, { fd }: ListeningSocket, kind: SocketKind): PassedSocketPublication {
    const { path } = requireListener(what, fd, kind);
    return new PassedSocketPublication(path, UnixSocket.duplicateListener(fd));
  }

  /** Accepts no more from it. Connections that wait are left to whoever listens next. Idempotent. */
  retract(): void {
    this.socket.close();
  }

  /** The same. */
  close(): void {
    this.retract();
  }
}
