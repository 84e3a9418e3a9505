/**
 * What all kinds of services have in common: who is there, who connects to whom, and what is told of it. Owns the node's participation, the
 * places of its ports in the service, and the watch of the service's folder. Knows nothing of what goes through the connections.
 */
import { join } from 'node:path';
import { diagnostics, type PortMessage } from '../base/diagnostics.js';
import { closedError, describe, SealaneError } from '../base/errors.js';
import type { UnixSocket } from '../os/index.js';
import type { PortFigures } from '../shm/figures.js';
import { type Change, ServiceWatch } from './domain/discovery.js';
import { MESSAGINGS, type MessagingName } from './domain/messaging.js';
import {
  type PortKey,
  type PortKind,
  parsePortFileName,
  portFileName,
  serviceFolderName,
} from './domain/names.js';
import type { PortAnnouncement, PortOptions } from './domain/port-files.js';
import type { OpenService } from './domain/service-files.js';
import { Sweeper } from './domain/sweeper.js';
import { EventSource, type EventsMissed } from './event-source.js';
import type { Observatory } from './observe/observatory.js';
import type { Refusal } from './pairs/acceptor.js';
import type { PortAddress } from './pairs/address.js';
import { type AnyConnector, Connector, type ConnectorProtocol } from './pairs/connector.js';
import type { ControlLoop } from './pairs/control.js';
import type { ConnectRequest } from './pairs/handshake.js';
import { type Loss, Losses } from './pairs/losses.js';

/** Something that happened in a service. */
export type ServiceEvent =
  /** A port of any node came, or went (also because its process died and somebody noticed). */
  | {
      readonly type: 'arrived' | 'departed';
      readonly kind: PortKind;
      readonly node: string;
      readonly port: number;
    }
  /** A port of this node and one of another, or of this, are connected. `port` is the own one. */
  | { readonly type: 'connected'; readonly port: number; readonly peer: PortAddress }
  /** Their connection is over. `error`: what the peer did that it may not; without: it closed, or its process died. */
  | {
      readonly type: 'lost';
      readonly port: number;
      readonly peer: PortAddress;
      readonly error?: SealaneError;
    }
  /** A publisher is there that this node's subscriber can't connect to for now; it tries again. */
  | { readonly type: 'degraded'; readonly port: number; readonly peer: PortKey; readonly error: SealaneError }
  | EventsMissed;

/** What a service needs of its node. */
export interface ServiceHost {
  readonly id: string;
  readonly loop: ControlLoop;
  /** Whom its ports tell their figures. */
  readonly observatory: Observatory;
  /** A number for a new port. */
  nextPort(): number;
  /** Whether a node lives in this very thread: waiting for it with the thread blocked would wait for ever. */
  isLocal(node: string): boolean;
  /** Serves what tells of changes in folders, also while no event loop turns. Returns what ends that. */
  serveWatch(watch: ServiceWatch): () => void;
  onClose(service: HostedService): void;
}

/** What a node does with its services, of whatever kind. */
export type HostedService = Pick<ServiceCore, 'id' | 'connect' | 'close'>;

/** A port of this node. */
export interface OwnPort {
  readonly kind: PortKind;
  readonly number: number;
  /** What others may see of its options. */
  readonly options: PortOptions;
  /** What it tells observers; from {@link Observatory.open}. */
  readonly figures: PortFigures;
  /** Ends it, by way of {@link ServiceCore.remove}. Idempotent. */
  close(): void;
}

/** What is asked of a sender in services of that kind. */
export type RequestOf<M extends MessagingName> = Extract<ConnectRequest, { readonly messaging: M }>;

/** A port that others connect to. */
export interface SendingPort<M extends MessagingName> extends OwnPort {
  /** A receiver wants to connect. Takes the socket, or says why not. */
  accept(request: RequestOf<M>, socket: UnixSocket): Refusal;
}

/** A port that connects to others. */
export interface ReceivingPort extends OwnPort {
  readonly connector: AnyConnector;
}

/** A port with its place in the service. */
interface Place<M extends MessagingName> {
  readonly port: SendingPort<M> | ReceivingPort;
  announcement: PortAnnouncement | undefined;
}

/** A service as one node has it open. */
export class ServiceCore<M extends MessagingName = MessagingName> implements Disposable {
  /** The folder's name, by which requests name the service: every request is compared with it. */
  readonly id: string;
  readonly host: ServiceHost;
  readonly files: OpenService<M>;
  readonly events: EventSource<ServiceEvent>;
  readonly #watch: ServiceWatch;
  readonly #endWatch: () => void;
  readonly #sweeper: Sweeper;
  readonly #endSweeps: () => void;
  /** The ports of this node, by their numbers. */
  readonly #places = new Map<number, Place<M>>();
  /** The ports of all nodes that receivers connect to, by the names of their files. */
  readonly #senders = new Map<string, PortKey>();
  readonly #losses: Losses;
  #closed = false;

  constructor(host: ServiceHost, files: OpenService<M>) {
    this.host = host;
    this.files = files;
    this.id = serviceFolderName(files.name);
    this.events = new EventSource(`the service ${describe(files.name)}`);
    this.#watch = new ServiceWatch(files.folder, (change) => this.#onChange(change), files.domain);
    this.#endWatch = host.serveWatch(this.#watch);
    this.#sweeper = new Sweeper(files.domain);
    this.#endSweeps = host.loop.onServe(() => this.#sweeper.retry());
    this.#losses = new Losses(host.loop, (loss) => this.#tellLoss(loss));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Throws ERR_SEALANE_CLOSED. */
  check(): void {
    if (this.#closed) throw closedError(`the service ${describe(this.files.name)}`);
  }

  /**
   * Gives a port its place: others see it, and connect to it or are connected to. It is closed when this throws: ERR_SEALANE_LIMIT_EXCEEDED,
   * ERR_SEALANE_TIMEOUT, ERR_SEALANE_SYSTEM.
   */
  add(port: SendingPort<M> | ReceivingPort): void {
    const place: Place<M> = { port, announcement: undefined };
    // Before it is announced: whoever sees it may connect.
    this.#places.set(port.number, place);
    try {
      place.announcement = this.files.announcePort(port.kind, port.number, port.options);
    } catch (error) {
      port.close();
      throw error;
    }
    if ('connector' in port) for (const key of this.#senders.values()) port.connector.add(key);
  }

  /** Takes the place back from a port that is about to close. */
  remove(number: number): void {
    const place = this.#places.get(number);
    if (place === undefined) return;
    this.#places.delete(number);
    this.host.observatory.remove(place.port.figures);
    place.announcement?.withdraw();
    if ('connector' in place.port) place.port.connector.close();
  }

  /** What connects port `number` of this node to all senders, once the port has its place. */
  connector<A extends { readonly type: 'accepted' }>(
    number: number,
    protocol: ConnectorProtocol<A>,
  ): Connector<A> {
    return new Connector({
      ...protocol,
      domain: this.files.domain,
      loop: this.host.loop,
      isThere: ({ node, port }) => this.#isThere(node, port),
      refusal: (socket, node) => this.files.gate.refusal(socket, node),
      onDegraded: (peer, error) => this.degraded(number, peer, error),
    });
  }

  /** A receiver wants to connect to a port of this node. Takes the socket, or says why not. */
  connect(request: ConnectRequest, socket: UnixSocket): Refusal {
    const port = this.#places.get(request.sender)?.port;
    if (port !== undefined && 'accept' in port && isOfKind(request, this.files.messaging)) {
      const text = this.files.gate.refusal(socket, request.node);
      return text === undefined ? port.accept(request, socket) : { reason: 'untrusted', text };
    }
    const { kind } = MESSAGINGS[request.messaging].sender;
    return { reason: 'no-port', text: `there is no ${kind} ${request.sender}` };
  }

  /** An own port and one of another node are connected. */
  connected(port: number, peer: PortAddress): void {
    this.events.emit({ type: 'connected', port, peer });
    const kind = this.#places.get(port)?.port.kind;
    if (kind !== undefined && diagnostics.connected.wanted)
      diagnostics.connected.tell(this.#message(peerOf(this.files.messaging, kind), port, peer));
  }

  /** Samples that a port did not get, or its peer: told in lumps. To be called only where that is wanted. */
  addLoss(loss: Loss): void {
    this.#losses.add(loss);
  }

  /** Their connection is over. `kind`: that of the peer. `lie`: what it did that it may not. */
  lost(port: number, kind: PortKind, peer: PortAddress, lie: string | undefined): void {
    this.#sweeper.suspect(peer.node, join(this.files.folder, portFileName({ ...peer, kind })));
    const own = this.#places.get(port)?.port;
    if (own !== undefined && 'connector' in own) own.connector.lost({ ...peer, kind });
    const fault = lie === undefined ? {} : { error: lied(peer, lie) };
    this.events.emit({ type: 'lost', port, peer, ...fault });
    this.#losses.flush();
    if (diagnostics.disconnected.wanted)
      diagnostics.disconnected.tell({ ...this.#message(kind, port, peer), ...fault });
  }

  /** Ends all ports, and the node's participation. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endWatch();
    this.#watch.close();
    this.#endSweeps();
    this.#sweeper.close();
    for (const { port } of this.#places.values()) port.close();
    this.#losses.flush();
    this.events.close();
    this.files.close();
    this.host.onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A sender is there, and a port can't be connected to it for now. */
  degraded(port: number, peer: PortKey, error: SealaneError): void {
    this.events.emit({ type: 'degraded', port, peer, error });
    if (!diagnostics.degraded.wanted) return;
    const { kind, ...address } = peer;
    diagnostics.degraded.tell({ ...this.#message(kind, port, address), error });
  }

  #tellLoss({ kind, port, peer, samples }: Loss): void {
    diagnostics.lost.tell({ ...this.#message(kind, port, peer), samples });
  }

  /** `kind`: that of the peer. */
  #message(kind: PortKind, port: number, peer: PortMessage['peer']): PortMessage {
    const { name, messaging } = this.files;
    return { part: 'services', service: name, node: this.host.id, kind: peerOf(messaging, kind), port, peer };
  }

  #isThere(node: string, port: number): boolean {
    for (const key of this.#senders.values()) if (key.node === node && key.port === port) return true;
    return false;
  }

  #onChange({ what, name }: Change): void {
    const key = parsePortFileName(name);
    if (key === undefined) return;
    const there = what === 'appeared';
    if (key.kind === MESSAGINGS[this.files.messaging].sender.kind) this.#onSender(name, key, there);
    this.events.emit({ type: there ? 'arrived' : 'departed', ...key });
  }

  #onSender(name: string, key: PortKey, there: boolean): void {
    if (there) this.#senders.set(name, key);
    else this.#senders.delete(name);
    for (const { port } of this.#places.values()) {
      if (!('connector' in port)) continue;
      if (there) port.connector.add(key);
      else port.connector.remove(key);
    }
  }
}

function isOfKind<M extends MessagingName>(request: ConnectRequest, messaging: M): request is RequestOf<M> {
  return request.messaging === messaging;
}

/** What a port of that kind is connected to. */
function peerOf(messaging: MessagingName, kind: PortKind): PortKind {
  const { sender, receiver } = MESSAGINGS[messaging];
  return kind === sender.kind ? receiver.kind : sender.kind;
}

function lied(peer: PortAddress, lie: string): SealaneError {
  const message = `port ${peer.port} of node ${peer.node} (process ${peer.pid}) did what it may not: ${lie}; its connection was ended`;
  return new SealaneError('ERR_SEALANE_PROTOCOL', message);
}
