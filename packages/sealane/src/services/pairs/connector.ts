/**
 * Connects a receiver to every sender of its service, as soon as both are there, and again when a connection is lost. Owns the
 * connections until they are pairs. What a sender answers is checked before it counts.
 */
import { isSealaneError, SealaneError, type SealaneErrorCode } from '../../base/errors.js';
import { disposeDescriptors, type Packet, UnixSocket } from '../../os/index.js';
import type { Domain } from '../domain/domain.js';
import type { PortKey } from '../domain/names.js';
import { sweepLocked } from '../domain/sweep.js';
import { receiveQuietly } from './acceptor.js';
import type { PortAddress } from './address.js';
import type { ControlLoop } from './control.js';
import { type ConnectRefused, decodeAnswer, type RefusalReason } from './handshake.js';

/** What a sender that accepts sends; `A`: what is in its packet. */
export interface Accepted<A> {
  readonly answer: A;
  /** Taken, also when making the pair fails. */
  readonly descriptors: readonly number[];
  readonly peer: PortAddress;
  /** Taken, once the pair is made. */
  readonly socket: UnixSocket;
}

/** How the receivers of one kind of service connect. */
export interface ConnectorProtocol<A> {
  /** The packet that asks that sender for a connection. */
  request(sender: number): Uint8Array;
  /** Reads what it answers. Throws ERR_SEALANE_PROTOCOL, ERR_SEALANE_VERSION_MISMATCH. */
  decode(packet: Uint8Array): A;
  /** Descriptors that come with an acceptance. */
  readonly descriptors: number;
  /** Makes the pair, which owns everything from then on: see {@link Connector.lost}. Throws what is wrong with it. */
  pair(accepted: Accepted<A>): void;
}

/** What the connector needs to know and whom it tells. */
export interface ConnectorOptions<A> extends ConnectorProtocol<A> {
  readonly domain: Domain;
  readonly loop: ControlLoop;
  /** Whether the file of a port is still there. Must not throw. */
  isThere(key: PortKey): boolean;
  /** Why the process at the other end is not connected to; undefined: it is. */
  refusal(socket: UnixSocket, node: string): string | undefined;
  /** A sender is there, and can't be connected to for now. Must not throw. */
  onDegraded(key: PortKey, error: SealaneError): void;
}

/** A sender that is to be connected to. */
interface Target {
  readonly key: PortKey;
  readonly id: string;
  /** `idle`: to be tried when `dueMs` comes. */
  state: 'idle' | 'asked' | 'connected' | 'refused';
  dueMs: number;
  retryMs: number;
  socket?: UnixSocket;
  loopKey?: number;
}

/** How long until a connection is tried again, in milliseconds: twice as long each time, up to the greatest. */
const FIRST_RETRY_MS = 10;
const MAX_RETRY_MS = 1_000;

/** Refusals that stay as long as both ports do. */
const FINAL: ReadonlySet<RefusalReason> = new Set(['own-process', 'untrusted', 'bad-request']);

/** Room for the longest answer and one byte. */
const buffer = new Uint8Array(1_024);

/** What a connection brings to a receiver is the connector's business alone. */
export type AnyConnector = Pick<
  Connector<{ readonly type: 'accepted' }>,
  'add' | 'remove' | 'lost' | 'close'
>;

export class Connector<A extends { readonly type: 'accepted' }> implements Disposable {
  readonly #options: ConnectorOptions<A>;
  readonly #targets = new Map<string, Target>();
  readonly #endServe: () => void;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ConnectorOptions<A>) {
    this.#options = options;
    // Also after each wait of a thread: where no timer is set, nobody is to be tried.
    this.#endServe = options.loop.onServe(() => {
      if (this.#timer !== undefined) this.#tryDue();
    });
  }

  /** A sender appeared. */
  add(key: PortKey): void {
    const id = idOf(key);
    if (this.#closed || this.#targets.has(id)) return;
    const target: Target = { key, id, state: 'idle', dueMs: 0, retryMs: FIRST_RETRY_MS };
    this.#targets.set(id, target);
    this.#try(target);
  }

  /**
   * A sender's file vanished. What is connected stays so until the connection ends; and so does one that was asked for: the sender may have
   * answered, sent all that it had, and left before this side has read any of it.
   */
  remove(key: PortKey): void {
    const target = this.#targets.get(idOf(key));
    if (target === undefined || target.state === 'connected' || target.state === 'asked') return;
    this.#drop(target);
  }

  /** The connection of a pair is over: if the sender is still there, it is tried again. */
  lost(key: PortKey): void {
    const target = this.#targets.get(idOf(key));
    if (target === undefined || this.#closed) return;
    this.#later(target);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endServe();
    clearTimeout(this.#timer);
    for (const target of this.#targets.values()) this.#drop(target);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #drop(target: Target): void {
    this.#targets.delete(target.id);
    this.#releaseSocket(target)?.close();
  }

  /** The socket, no longer in the loop. */
  #releaseSocket(target: Target): UnixSocket | undefined {
    const { socket, loopKey } = target;
    delete target.socket;
    delete target.loopKey;
    if (socket !== undefined && loopKey !== undefined) this.#options.loop.unwatch(socket.fd, loopKey);
    return socket;
  }

  #try(target: Target): void {
    try {
      const socket = UnixSocket.connect(this.#options.domain.nodeSocket(target.key.node));
      if (socket === undefined) this.#later(target);
      else this.#ask(target, socket);
    } catch (error) {
      this.#failed(target, error);
    }
  }

  #ask(target: Target, socket: UnixSocket): void {
    target.socket = socket;
    const why = this.#options.refusal(socket, target.key.node);
    if (why !== undefined) {
      const message = `the process that serves the node ${target.key.node} is not trusted: ${why}`;
      throw new SealaneError('ERR_SEALANE_UNTRUSTED_PEER', message);
    }
    socket.send(this.#options.request(target.key.port));
    target.loopKey = this.#options.loop.watch(socket.fd, () => this.#onReadable(target));
    target.state = 'asked';
  }

  #onReadable(target: Target): void {
    const packet = target.socket === undefined ? 'empty' : receiveQuietly(target.socket, buffer);
    if (packet === 'empty') return;
    try {
      if (packet === 'end') this.#later(target);
      else this.#answered(target, packet);
    } catch (error) {
      this.#failed(target, error);
    }
  }

  #answered(target: Target, packet: Packet): void {
    const { descriptors } = packet;
    const answer = this.#decodeOwning(packet);
    if (packet.descriptorsLost && descriptors.length < this.#options.descriptors) {
      disposeDescriptors(descriptors);
      throw lostDescriptors(target.key);
    }
    const socket = this.#releaseSocket(target);
    if (socket === undefined || answer.type === 'refused') {
      disposeDescriptors(descriptors);
      socket?.close();
      if (answer.type === 'refused') this.#refused(target, answer.reason, answer.text);
      return;
    }
    const { node, port } = target.key;
    try {
      target.state = 'connected';
      this.#options.pair({ answer, descriptors, peer: { node, port, pid: socket.peer.pid }, socket });
      target.retryMs = FIRST_RETRY_MS;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Reads an answer; its descriptors are closed when this throws. */
  #decodeOwning({ bytes, descriptors }: Packet): A | ConnectRefused {
    try {
      return decodeAnswer(buffer.subarray(0, bytes), this.#options.decode);
    } catch (error) {
      disposeDescriptors(descriptors);
      throw error;
    }
  }

  #refused(target: Target, reason: RefusalReason, text: string): void {
    if (reason !== 'own-process' && reason !== 'no-port') {
      const message = `a ${target.key.kind} refuses: ${text}`;
      this.#options.onDegraded(target.key, new SealaneError(codeOf(reason), message));
    }
    if (FINAL.has(reason)) target.state = 'refused';
    else this.#later(target);
  }

  #failed(target: Target, error: unknown): void {
    if (!isSealaneError(error)) throw error;
    const dead = error.errnoName === 'ECONNREFUSED' || error.errnoName === 'ENOENT';
    if (dead) this.#sweep(target.key.node);
    else this.#options.onDegraded(target.key, error);
    if (this.#isFinal(dead, error)) this.#giveUp(target);
    else this.#later(target);
  }

  /** In a shared domain files of others stay, though no node comes back from the dead, and none changes its user. */
  #isFinal(dead: boolean, { code }: SealaneError): boolean {
    return this.#options.domain.shared !== undefined && (dead || code === 'ERR_SEALANE_UNTRUSTED_PEER');
  }

  #giveUp(target: Target): void {
    this.#releaseSocket(target)?.close();
    target.state = 'refused';
  }

  /** A node is dead: what it left is removed, by whoever holds the lock now if not by this side. */
  #sweep(node: string): void {
    const { domain } = this.#options;
    try {
      domain.tryLocked(() => sweepLocked(domain, [node]));
    } catch (error) {
      if (!isSealaneError(error)) throw error;
    }
  }

  /** Tries again after a while, unless the port is gone by then. */
  #later(target: Target): void {
    this.#releaseSocket(target)?.close();
    if (!this.#options.isThere(target.key)) {
      this.#targets.delete(target.id);
      return;
    }
    target.state = 'idle';
    target.dueMs = performance.now() + target.retryMs;
    target.retryMs = Math.min(target.retryMs * 2, MAX_RETRY_MS);
    this.#timer ??= setTimeout(() => this.#onTimer(), FIRST_RETRY_MS).unref();
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#tryDue();
    const waits = [...this.#targets.values()].some(({ state }) => state === 'idle');
    if (waits && !this.#closed) this.#timer ??= setTimeout(() => this.#onTimer(), FIRST_RETRY_MS).unref();
  }

  #tryDue(): void {
    const nowMs = performance.now();
    for (const target of [...this.#targets.values()]) {
      if (target.state !== 'idle' || target.dueMs > nowMs) continue;
      if (this.#options.isThere(target.key)) this.#try(target);
      else this.#targets.delete(target.id);
    }
  }
}

/** The kernel drops those for which this process has no room. */
function lostDescriptors({ kind }: PortKey): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_EXHAUSTED',
    `this process has no descriptor left for the memory of a ${kind}: close some, or raise RLIMIT_NOFILE (ulimit -n)`,
  );
}

function idOf({ node, port }: PortKey): string {
  return `${node}-${port}`;
}

/** The code for a refusal that its user is told of. */
function codeOf(reason: RefusalReason): SealaneErrorCode {
  if (reason === 'untrusted') return 'ERR_SEALANE_UNTRUSTED_PEER';
  // The two want different things of each other: samples and buffers, say.
  if (reason === 'bad-request') return 'ERR_SEALANE_SETTINGS_MISMATCH';
  return 'ERR_SEALANE_LIMIT_EXCEEDED';
}
