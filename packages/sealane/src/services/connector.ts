/**
 * Connects a subscriber to every publisher of its service, as soon as both are there, and again when a connection is lost. Owns the
 * connections until they are pairs. What a publisher answers is checked before it counts.
 */
import { isSealaneError, SealaneError } from '../base/errors.js';
import { disposeDescriptors, type Packet, UnixSocket } from '../os/index.js';
import { receiveQuietly } from './acceptor.js';
import type { ControlLoop } from './control.js';
import type { Domain } from './domain.js';
import {
  type ConnectAccepted,
  type ConnectRefused,
  type ConnectRequest,
  decodeAnswer,
  encodeConnect,
  type RefusalReason,
} from './handshake.js';
import type { Inlet } from './inlet.js';
import type { PortKey } from './names.js';
import { acceptPair } from './pairing.js';
import { sweepLocked } from './sweep.js';
import { isOwnUser } from './trust.js';

/** What the connector needs to know and whom it tells. None of the callbacks may throw. */
export interface ConnectorOptions {
  readonly domain: Domain;
  readonly loop: ControlLoop;
  /** What is asked of every publisher; its port is filled in. */
  readonly request: Omit<ConnectRequest, 'publisher'>;
  /** Whether the file of a port is still there. */
  isThere(key: PortKey): boolean;
  onConnected(key: PortKey, inlet: Inlet): void;
  /** A publisher has woken this side. */
  readonly onWake: () => void;
  /** The connection of a pair is over, or its inlet was closed: see {@link Connector.lost}. */
  readonly onEnd: (inlet: Inlet, problem: string | undefined) => void;
  /** A publisher is there, and can't be connected to for now. */
  onDegraded(key: PortKey, error: SealaneError): void;
}

/** A publisher that is to be connected to. */
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

/** Descriptors that come with an acceptance. */
const PAIR_DESCRIPTORS = 2;

/** Room for the longest answer and one byte. */
const buffer = new Uint8Array(1_024);

export class Connector implements Disposable {
  readonly #options: ConnectorOptions;
  readonly #targets = new Map<string, Target>();
  readonly #endServe: () => void;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#endServe = options.loop.onServe(() => this.#tryDue());
  }

  /** A publisher appeared. */
  add(key: PortKey): void {
    const id = idOf(key);
    if (this.#closed || this.#targets.has(id)) return;
    const target: Target = { key, id, state: 'idle', dueMs: 0, retryMs: FIRST_RETRY_MS };
    this.#targets.set(id, target);
    this.#try(target);
  }

  /** A publisher's file vanished: what is connected stays so until the connection ends. */
  remove(key: PortKey): void {
    const target = this.#targets.get(idOf(key));
    if (target === undefined || target.state === 'connected') return;
    this.#drop(target);
  }

  /** The connection of a pair is over: if the publisher is still there, it is tried again. */
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
    if (!isOwnUser(socket.peer.uid)) {
      const message = `the node ${target.key.node} is served by user ${socket.peer.uid}`;
      throw new SealaneError('ERR_SEALANE_UNTRUSTED_PEER', message);
    }
    socket.send(encodeConnect({ ...this.#options.request, publisher: target.key.port }));
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
    const { key } = target;
    const answer = decodeOwning(packet);
    if (packet.descriptorsLost && packet.descriptors.length < PAIR_DESCRIPTORS) {
      disposeDescriptors(packet.descriptors);
      throw lostDescriptors();
    }
    const socket = this.#releaseSocket(target);
    if (socket === undefined || answer.type === 'refused') {
      disposeDescriptors(packet.descriptors);
      socket?.close();
      if (answer.type === 'refused') this.#refused(target, answer.reason, answer.text);
      return;
    }
    try {
      const inlet = this.#pair(key, answer, packet.descriptors, socket);
      target.state = 'connected';
      target.retryMs = FIRST_RETRY_MS;
      this.#options.onConnected(key, inlet);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Takes the descriptors; takes the socket once it returns. */
  #pair(key: PortKey, answer: ConnectAccepted, descriptors: readonly number[], socket: UnixSocket): Inlet {
    const { loop, onWake, onEnd } = this.#options;
    const request = { ...this.#options.request, publisher: key.port };
    const peer = { node: key.node, port: key.port, pid: socket.peer.pid };
    const events = { onWake, onEnd: (problem: string | undefined) => onEnd(inlet, problem) };
    const inlet: Inlet = acceptPair({ answer, descriptors, request, peer, socket, loop, events });
    return inlet;
  }

  #refused(target: Target, reason: RefusalReason, text: string): void {
    if (reason !== 'own-process' && reason !== 'no-port') {
      const code = reason === 'untrusted' ? 'ERR_SEALANE_UNTRUSTED_PEER' : 'ERR_SEALANE_LIMIT_EXCEEDED';
      this.#options.onDegraded(target.key, new SealaneError(code, `a publisher refuses: ${text}`));
    }
    if (FINAL.has(reason)) target.state = 'refused';
    else this.#later(target);
  }

  #failed(target: Target, error: unknown): void {
    if (!isSealaneError(error)) throw error;
    if (error.errnoName === 'ECONNREFUSED' || error.errnoName === 'ENOENT') this.#sweep(target.key.node);
    else this.#options.onDegraded(target.key, error);
    this.#later(target);
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

/** Reads an answer; its descriptors are closed when this throws. */
function decodeOwning({ bytes, descriptors }: Packet): ConnectAccepted | ConnectRefused {
  try {
    return decodeAnswer(buffer.subarray(0, bytes));
  } catch (error) {
    disposeDescriptors(descriptors);
    throw error;
  }
}

/** The kernel drops those for which this process has no room. */
function lostDescriptors(): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_EXHAUSTED',
    'this process has no descriptor left for the memory of a publisher: close some, or raise RLIMIT_NOFILE (ulimit -n)',
  );
}

function idOf({ node, port }: PortKey): string {
  return `${node}-${port}`;
}
