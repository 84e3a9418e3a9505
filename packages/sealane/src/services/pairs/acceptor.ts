/**
 * What comes to a node's socket: subscribers of other nodes that want to connect to its publishers. Owns the connections until they are
 * pairs. Trusts nobody: who is of a user that the domain does not let in is refused, and so is whatever is no request.
 */
import { diagnostics } from '../../base/diagnostics.js';
import { isSealaneError, type SealaneError } from '../../base/errors.js';
import { disposeDescriptors, type Packet, type UnixSocket } from '../../os/index.js';
import { HANDSHAKE_CONNECT_BYTES } from '../../shm/layout.js';
import type { Domain } from '../domain/domain.js';
import { refusalAtDoor } from '../domain/gate.js';
import type { ControlLoop } from './control.js';
import { type ConnectRequest, decodeConnect, encodeRefused, type RefusalReason } from './handshake.js';
import { isObserve } from './observe-packets.js';

/** What becomes of a request: undefined: the socket was taken. */
export type Refusal = { readonly reason: RefusalReason; readonly text: string } | undefined;

/** What becomes of the requests. Each takes the socket, or says why not. */
export interface Requests {
  /** A receiver of another node wants to connect to a sender of this. */
  connect(request: ConnectRequest, socket: UnixSocket): Refusal;
  /** Somebody wants to look at this node's figures. */
  observe(socket: UnixSocket): Refusal;
}

/** Connections whose request has not come yet. An honest peer sends it at once; when there are more, the oldest is given up. */
const MAX_PENDING = 256;

/** Connections to accept in one turn, so that a crowd does not delay those who are connected. */
const ACCEPTS_PER_TURN = 16;

/** How long nothing is accepted when that failed, in milliseconds: what waits would be told again at once, for ever. */
const REST_MS = 50;

/** One byte more than a request has: a longer packet is none. */
const buffer = new Uint8Array(HANDSHAKE_CONNECT_BYTES + 1);

/** Accepts connections at a borrowed listening socket. */
export class Acceptor implements Disposable {
  readonly #node: string;
  readonly #listener: UnixSocket;
  readonly #loop: ControlLoop;
  readonly #domain: Domain;
  readonly #requests: Requests;
  readonly #key: number;
  /** Key in the loop of each connection that has sent nothing yet, the oldest first. */
  readonly #pending = new Map<UnixSocket, number>();
  readonly #endServe: () => void;
  /** Until when it rests, by performance.now(); undefined: it accepts. */
  #restsUntilMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Nothing could be accepted since, which was told. */
  #degraded = false;
  #closed = false;

  /** `node`: whose it is, for diagnostics. */
  constructor(node: string, listener: UnixSocket, loop: ControlLoop, domain: Domain, requests: Requests) {
    this.#node = node;
    this.#listener = listener;
    this.#loop = loop;
    this.#domain = domain;
    this.#requests = requests;
    this.#key = loop.watch(listener.fd, () => this.#accept());
    this.#endServe = loop.onServe(() => this.#resume());
  }

  /** Gives up what waits. The listening socket stays open. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endServe();
    clearTimeout(this.#timer);
    this.#loop.unwatch(this.#listener.fd, this.#key);
    for (const socket of this.#pending.keys()) this.#giveUp(socket);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Out of descriptors, connections wait in the socket's backlog: those who connect try for a while. */
  #accept(): void {
    try {
      // Who is told of a refusal may close the node.
      for (let count = 0; count < ACCEPTS_PER_TURN && !this.#closed; count++) {
        const socket = this.#listener.accept();
        if (socket === undefined) return;
        this.#degraded = false;
        this.#admit(socket);
      }
    } catch (error) {
      if (!isSealaneError(error)) throw error;
      this.#rest(error);
    }
  }

  #rest(error: SealaneError): void {
    if (!this.#degraded && diagnostics.degraded.wanted)
      diagnostics.degraded.tell({ part: 'services', node: this.#node, error });
    this.#degraded = true;
    // Who was told may have closed the node.
    if (this.#closed) return;
    this.#restsUntilMs = performance.now() + REST_MS;
    this.#loop.want(this.#listener.fd, this.#key, false);
    this.#timer = setTimeout(() => this.#resume(), REST_MS + 1).unref();
  }

  /** Accepts again if it is time. */
  #resume(): void {
    if (this.#restsUntilMs === undefined || performance.now() < this.#restsUntilMs) return;
    this.#restsUntilMs = undefined;
    clearTimeout(this.#timer);
    this.#loop.want(this.#listener.fd, this.#key, true);
  }

  #admit(socket: UnixSocket): void {
    const text = refusalAtDoor(this.#domain, socket.peer.uid);
    if (text !== undefined) {
      this.#refuse(socket, { reason: 'untrusted', text });
      return;
    }
    if (this.#pending.size >= MAX_PENDING) this.#giveUpOldest();
    this.#pending.set(socket, this.#watch(socket));
  }

  /** Takes the socket, also when this throws. */
  #watch(socket: UnixSocket): number {
    try {
      return this.#loop.watch(socket.fd, () => this.#receive(socket));
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  #receive(socket: UnixSocket): void {
    const packet = this.#domain.shared === undefined ? receiveQuietly(socket) : receiveBareQuietly(socket);
    if (packet === 'empty') return;
    this.#forget(socket);
    if (packet === 'end') socket.close();
    else if (packet === 'descriptors')
      this.#refuse(socket, { reason: 'bad-request', text: 'a request comes without descriptors' });
    else this.#requested(socket, packet);
  }

  #requested(socket: UnixSocket, packet: Packet): void {
    disposeDescriptors(packet.descriptors);
    try {
      const refusal = this.#answer(buffer.subarray(0, packet.bytes), socket);
      if (refusal !== undefined) this.#refuse(socket, refusal);
    } catch (error) {
      if (!isSealaneError(error)) throw error;
      const reason = error.code === 'ERR_SEALANE_EXHAUSTED' ? 'exhausted' : 'bad-request';
      this.#refuse(socket, { reason, text: error.message });
    }
  }

  #answer(packet: Uint8Array, socket: UnixSocket): Refusal {
    if (isObserve(packet)) return this.#requests.observe(socket);
    return this.#requests.connect(decodeConnect(packet), socket);
  }

  #refuse(socket: UnixSocket, refusal: NonNullable<Refusal>): void {
    const { pid, uid } = socket.peer;
    refuse(socket, refusal);
    if (diagnostics.refused.wanted)
      diagnostics.refused.tell({ part: 'services', node: this.#node, peer: { pid, uid }, ...refusal });
  }

  #forget(socket: UnixSocket): void {
    const key = this.#pending.get(socket);
    if (key !== undefined) this.#loop.unwatch(socket.fd, key);
    this.#pending.delete(socket);
  }

  /** Of the user who has most: a crowd of one user is not to drive out others. */
  #giveUpOldest(): void {
    const counts = new Map<number, number>();
    for (const { peer } of this.#pending.keys()) counts.set(peer.uid, (counts.get(peer.uid) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const socket of this.#pending.keys()) {
      if (counts.get(socket.peer.uid) !== most) continue;
      this.#giveUp(socket);
      return;
    }
  }

  #giveUp(socket: UnixSocket): void {
    this.#forget(socket);
    socket.close();
  }
}

/** A connection that fails is one that has ended. */
export function receiveQuietly(socket: UnixSocket, into = buffer): Packet | 'empty' | 'end' {
  try {
    return socket.receive(into);
  } catch {
    return 'end';
  }
}

/** The same where anybody may connect: no descriptor is taken that its sender could keep from being closed. */
function receiveBareQuietly(socket: UnixSocket): Packet | 'empty' | 'end' | 'descriptors' {
  try {
    return socket.receiveBare(buffer);
  } catch {
    return 'end';
  }
}

/** Takes the socket. Whoever does not read why it was refused misses that. */
function refuse(socket: UnixSocket, { reason, text }: NonNullable<Refusal>): void {
  try {
    socket.send(encodeRefused(reason, text));
  } catch {
    // It is gone already.
  }
  socket.close();
}
