/**
 * Accepts memfdbus clients, counts them, and makes room: at the limit the oldest connection that keeps the broker waiting goes, of the
 * user and the process that have most of them. So whoever states a request is served, however many others are idle, and no user
 * and no process can have all places while another wants one.
 * Owns the connections.
 */
import { Peer } from '../../os/peer.js';
import type { UnixSocket } from '../../os/unix-socket.js';
import { Acceptor } from '../acceptor.js';
import type { Services } from '../services.js';
import { Connection, type ConnectionHost } from './connection.js';
import { Refusal } from './failures.js';
import { findGreediest, type Holder } from './greed.js';
import { ListRoom } from './list-room.js';
import { refusalRecord } from './record.js';
import { TurnsByProcess } from './turns.js';

/** Refused connections that may wait for their answer at once. Those beyond are closed without one. */
const LOBBY = 64;

const TOO_MANY = Refusal.of('broker client quota exceeded');

export class MemfdbusListener {
  /** In the order of their coming. */
  readonly #admitted = new Set<Connection>();
  readonly #byUser = new Map<number, number>();
  readonly #refused = new Set<Connection>();
  readonly #turns = new TurnsByProcess();
  readonly #host: ConnectionHost;
  readonly #acceptor: Acceptor;

  /** Borrows the listening socket. */
  constructor(
    private readonly services: Services,
    socket: UnixSocket,
  ) {
    this.#host = { services, lists: new ListRoom(services.settings.maxMemfdbusHeldListBytes) };
    this.#acceptor = new Acceptor(socket, (connection) => this.#greet(connection), services.audit);
  }

  /** Admitted connections, of all users or of one. */
  connections(uid?: number): number {
    return uid === undefined ? this.#admitted.size : (this.#byUser.get(uid) ?? 0);
  }

  /** The authority has changed: ends the requests that it does not admit any more. */
  reauthorize(): void {
    for (const connection of [...this.#admitted]) connection.reauthorize();
  }

  /** Accepts nothing more, and closes every connection. */
  close(): void {
    this.#acceptor.close();
    for (const connection of [...this.#admitted, ...this.#refused]) connection.close();
  }

  #greet(socket: UnixSocket): void {
    const untrusted = this.services.authority.refusal(new Peer(socket));
    if (untrusted !== undefined) this.#refuse(socket, Refusal.from(untrusted));
    else if (this.#hasRoom() || this.#makeRoom(socket.peer)) this.#open(socket);
    else this.#refuse(socket, TOO_MANY);
  }

  #open(socket: UnixSocket): void {
    const { peer } = socket;
    const connection = new Connection(this.#host, socket, this.#turns.enter(peer), (closed) => {
      this.#admitted.delete(closed);
      this.#turns.leave(peer);
      this.#count(peer.uid, -1);
    });
    this.#admitted.add(connection);
    this.#count(peer.uid, 1);
    connection.start();
  }

  #refuse(socket: UnixSocket, refusal: Refusal): void {
    this.services.audit?.record(refusalRecord(socket.peer, refusal));
    if (this.#refused.size >= LOBBY) {
      socket.close();
      return;
    }
    const { peer } = socket;
    const connection = new Connection(this.#host, socket, this.#turns.enter(peer), (closed) => {
      this.#refused.delete(closed);
      this.#turns.leave(peer);
    });
    this.#refused.add(connection);
    connection.start(refusal);
  }

  #count(uid: number, change: number): void {
    const count = this.connections(uid) + change;
    if (count > 0) this.#byUser.set(uid, count);
    else this.#byUser.delete(uid);
  }

  #hasRoom(): boolean {
    return this.#admitted.size < this.services.settings.maxMemfdbusConnections;
  }

  /**
   * Closes a connection for `newcomer`, after telling it why: of its user, or of one that has more. One that keeps the broker
   * waiting first, then one whose answer is not read. One that the broker works for only when its user, or its process
   * among those of the same user, has two more.
   */
  #makeRoom(newcomer: Holder): boolean {
    const own = this.connections(newcomer.uid);
    const mayGo = ({ uid }: Connection): boolean => uid === newcomer.uid || this.connections(uid) > own;
    const oldestFirst = [...this.#admitted];
    const victim =
      choose(oldestFirst, (connection) => connection.unfinished && mayGo(connection)) ??
      choose(oldestFirst, (connection) => connection.unheard && mayGo(connection)) ??
      choose(oldestFirst.reverse(), (connection) => this.#hasPlenty(connection, newcomer));
    victim?.evict(TOO_MANY);
    return victim !== undefined;
  }

  /** Whether a client could do with one connection less and still have as many as the newcomer with one more. */
  #hasPlenty(client: Holder, newcomer: Holder): boolean {
    if (client.uid !== newcomer.uid) return this.connections(client.uid) > this.connections(newcomer.uid) + 1;
    return this.#turns.connections(client) > this.#turns.connections(newcomer) + 1;
  }
}

/** Of the connections that fit the first one of those who have most. */
function choose(
  connections: readonly Connection[],
  fits: (connection: Connection) => boolean,
): Connection | undefined {
  return findGreediest(connections.filter(fits), () => 1);
}
