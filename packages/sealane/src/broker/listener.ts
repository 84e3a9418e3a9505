/**
 * Takes connections of native clients, counts them, and refuses those that are too many or not admitted: with an answer, while
 * there is room in a small lobby for those who wait for theirs. Owns the sessions.
 */
import { diagnostics } from '../base/diagnostics.js';
import { SealaneError } from '../base/errors.js';
import { Peer } from '../os/peer.js';
import type { UnixSocket } from '../os/unix-socket.js';
import { Acceptor } from './acceptor.js';
import { recordRefusal } from './audit/index.js';
import type { Services } from './services.js';
import { Session } from './session.js';

/** Refused connections that may wait for their answer at once. Those beyond are closed without one. */
const LOBBY = 64;

export class Listener {
  readonly #sessions = new Set<Session>();
  readonly #refused = new Set<Session>();
  readonly #byUser = new Map<number, number>();
  readonly #acceptor: Acceptor;
  #whenEmpty: (() => void) | undefined;

  /** Borrows the listening socket. */
  constructor(
    private readonly services: Services,
    socket: UnixSocket,
  ) {
    this.#acceptor = new Acceptor(socket, (connection) => this.#greet(connection), services.audit);
  }

  /** Admitted connections, of all users or of one. */
  connections(uid?: number): number {
    return uid === undefined ? this.#sessions.size : (this.#byUser.get(uid) ?? 0);
  }

  /** Watches of all users or of one. */
  watches(uid?: number): number {
    let count = 0;
    for (const session of this.#sessions)
      if (uid === undefined || session.uid === uid) count += session.watches.size;
    return count;
  }

  /** The authority has changed: ends the connections that it does not admit any more. */
  reauthorize(): void {
    for (const session of [...this.#sessions]) session.reauthorize();
  }

  /** Accepts nothing more, tells all clients that the broker ends, and resolves when their connections are closed. */
  async close(): Promise<void> {
    this.#acceptor.close();
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    for (const session of [...this.#sessions, ...this.#refused]) session.stop();
    this.#checkEmpty();
    await empty;
  }

  #greet(socket: UnixSocket): void {
    const refusal = this.services.authority.refusal(new Peer(socket)) ?? this.#findLimit(socket.peer.uid);
    if (refusal === undefined) {
      this.#open(socket);
      return;
    }
    recordRefusal(this.services.audit, socket.peer, 'connect', refusal);
    if (diagnostics.refused.wanted)
      diagnostics.refused.tell({ ...client(socket), reason: refusal.code, text: refusal.message });
    if (this.#refused.size < LOBBY) this.#refuse(socket, refusal);
    else socket.close();
  }

  #open(socket: UnixSocket): void {
    const { uid } = socket.peer;
    const message = client(socket);
    this.#byUser.set(uid, this.connections(uid) + 1);
    const session = new Session(this.services, socket, undefined, (closed) => {
      this.#sessions.delete(closed);
      this.#leave(uid);
      if (diagnostics.disconnected.wanted) diagnostics.disconnected.tell(message);
    });
    this.#sessions.add(session);
    if (diagnostics.connected.wanted) diagnostics.connected.tell(message);
  }

  #refuse(socket: UnixSocket, refusal: SealaneError): void {
    const session = new Session(this.services, socket, refusal, (closed) => {
      this.#refused.delete(closed);
      this.#checkEmpty();
    });
    this.#refused.add(session);
  }

  #leave(uid: number): void {
    const left = this.connections(uid) - 1;
    if (left > 0) this.#byUser.set(uid, left);
    else this.#byUser.delete(uid);
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#sessions.size + this.#refused.size === 0) this.#whenEmpty?.();
  }

  #findLimit(uid: number): SealaneError | undefined {
    const { maxConnections, maxConnectionsPerUser } = this.services.settings;
    if (this.#sessions.size >= maxConnections)
      return tooMany(`${maxConnections} connections`, 'maxConnections');
    if (this.connections(uid) < maxConnectionsPerUser) return undefined;
    return tooMany(`${maxConnectionsPerUser} connections of user ${uid}`, 'maxConnectionsPerUser');
  }
}

/** A client, for diagnostics. */
function client({ peer: { pid, uid } }: UnixSocket) {
  return { part: 'broker', peer: { pid, uid } } as const;
}

function tooMany(what: string, option: string): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_LIMIT_EXCEEDED',
    `there are ${what}, the broker's limit; close some, or start the broker with a greater ${option}`,
  );
}
