/**
 * A publish-subscribe service as one node has it open: makes its ports, and tells what happens in it. Owns the node's participation, its
 * ports, and the watch of the service's folder.
 */
import { join } from 'node:path';
import { checkOptions, checkSignal } from '../base/check.js';
import { closedError, describe, SealaneError } from '../base/errors.js';
import { POOL_SEALS, SharedMemory, type UnixSocket } from '../os/index.js';
import type { Refusal } from './acceptor.js';
import type { Attributes } from './attributes.js';
import { Connector } from './connector.js';
import type { ControlLoop } from './control.js';
import { type Change, ServiceWatch } from './discovery.js';
import { Doorbell } from './doorbell.js';
import { EventSource, type EventsMissed } from './events.js';
import type { ConnectRequest } from './handshake.js';
import type { Inlet } from './inlet.js';
import { type PortKey, type PortKind, parsePortFileName, portFileName, serviceFolderName } from './names.js';
import type { Outlet, PortAddress } from './outlet.js';
import { offerPair } from './pairing.js';
import type { PortInfo } from './port-files.js';
import {
  Publisher,
  type PublisherOptions,
  type PublisherSettings,
  toPublisherSettings,
} from './publisher.js';
import { PublisherPort } from './publisher-port.js';
import type { OpenService } from './service-files.js';
import { payloadOffset, type ServiceSettings, slotCount, slotStride } from './settings.js';
import { memoryBytes, SlotMemory, type SlotShape } from './slots.js';
import { Subscriber, type SubscriberOptions, toSubscriberSettings } from './subscriber.js';
import { SubscriberPort } from './subscriber-port.js';
import { Sweeper } from './sweeper.js';

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

/** What the service needs of its node. */
export interface ServiceHost {
  readonly id: string;
  readonly loop: ControlLoop;
  /** A number for a new port. */
  nextPort(): number;
  /** Whether a node lives in this very thread: waiting for it with the thread blocked would wait for ever. */
  isLocal(node: string): boolean;
  /** Serves what tells of changes in folders, also while no event loop turns. Returns what ends that. */
  serveWatch(watch: ServiceWatch): () => void;
  onClose(service: PubSubService): void;
}

/** A publisher and what is behind it. */
interface OwnPublisher {
  readonly publisher: Publisher;
  readonly port: PublisherPort;
  readonly memory: SharedMemory;
  readonly shape: SlotShape;
  readonly settings: PublisherSettings;
  readonly bell: Doorbell;
}

/** Publish-subscribe among all nodes that have the service open. Made by {@link Node.service}. */
export class PubSubService implements AsyncDisposable, Disposable {
  /** The folder's name, by which requests name the service: every request is compared with it. @internal */
  readonly id: string;
  readonly #host: ServiceHost;
  readonly #files: OpenService;
  readonly #watch: ServiceWatch;
  readonly #endWatch: () => void;
  readonly #sweeper: Sweeper;
  readonly #endSweeps: () => void;
  readonly #publishers = new Map<number, OwnPublisher>();
  readonly #subscribers = new Map<Subscriber, Connector>();
  /** The publishers of all nodes, by the names of their files. */
  readonly #known = new Map<string, PortKey>();
  readonly #events: EventSource<ServiceEvent>;
  #closed = false;

  /** @internal */
  constructor(host: ServiceHost, files: OpenService) {
    this.#host = host;
    this.#files = files;
    this.id = serviceFolderName(files.name);
    this.#events = new EventSource(`the service ${describe(files.name)}`);
    this.#watch = new ServiceWatch(files.folder, (change) => this.#onChange(change));
    this.#endWatch = host.serveWatch(this.#watch);
    this.#sweeper = new Sweeper(files.domain);
    this.#endSweeps = host.loop.onServe(() => this.#sweeper.retry());
  }

  get name(): string {
    return this.#files.name;
  }

  /** What its creator defined. */
  get settings(): ServiceSettings {
    return this.#files.settings;
  }

  /** What its creator defined. */
  get attributes(): Attributes {
    return this.#files.attributes;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The ports of all nodes, as their files tell. Throws ERR_SEALANE_SYSTEM, ERR_SEALANE_CLOSED. */
  ports(): PortInfo[] {
    this.#check();
    return this.#files.listPorts();
  }

  /**
   * What happens in the service from now on. A consumer that is more than 1,024 events behind misses the oldest, and is told so. Ends
   * when the service is closed. The iteration throws ERR_SEALANE_ABORTED when the signal fires.
   */
  events(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<ServiceEvent> {
    this.#check();
    checkOptions('options', options, ['signal']);
    checkSignal('options.signal', options.signal);
    return this.#events.follow(options.signal);
  }

  /**
   * Makes a publisher; subscribers connect to it by themselves. Rejects with ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_LIMIT_EXCEEDED (as
   * many publishers as the service allows), ERR_SEALANE_EXHAUSTED (memory), ERR_SEALANE_CLOSED.
   */
  async publisher(options: PublisherOptions = {}): Promise<Publisher> {
    this.#check();
    const settings = toPublisherSettings(options, this.settings);
    const shape = shapeOf(this.settings, settings);
    const memory = SharedMemory.create('sealane-samples', memoryBytes(shape), POOL_SEALS, settings);
    try {
      return this.#makePublisher(settings, shape, memory);
    } catch (error) {
      memory.close();
      throw error;
    }
  }

  /**
   * Makes a subscriber, which connects to all publishers by itself, to those of the future as well. Rejects with
   * ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_LIMIT_EXCEEDED (as many subscribers as the service allows), ERR_SEALANE_CLOSED.
   */
  async subscriber(options: SubscriberOptions = {}): Promise<Subscriber> {
    this.#check();
    const settings = toSubscriberSettings(options, this.settings);
    const number = this.#host.nextPort();
    const announcement = this.#files.announcePort('subscriber', number, { ...settings });
    const bell = new Doorbell('the subscriber');
    const { loop } = this.#host;
    const port: SubscriberPort = new SubscriberPort({
      maxBorrowed: settings.maxBorrowed,
      loop,
      onGone: (inlet, lie) => {
        this.#lost(number, 'publisher', inlet.peer, lie);
        connector.lost({ ...inlet.peer, kind: 'publisher' });
        bell.ring();
      },
    });
    const connector = this.#connector(number, port, bell, settings);
    const subscriber = new Subscriber(number, port, bell, () => {
      announcement.withdraw();
      connector.close();
      this.#subscribers.delete(subscriber);
    });
    this.#subscribers.set(subscriber, connector);
    for (const key of this.#known.values()) connector.add(key);
    return subscriber;
  }

  /** Ends its ports, and the node's participation. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endWatch();
    this.#watch.close();
    this.#endSweeps();
    this.#sweeper.close();
    for (const { publisher } of this.#publishers.values()) publisher.close();
    for (const subscriber of this.#subscribers.keys()) subscriber.close();
    this.#events.close();
    this.#files.close();
    this.#host.onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** A subscriber wants to connect to a publisher of this node. Takes the socket, or says why not. @internal */
  connect(request: ConnectRequest, socket: UnixSocket): Refusal {
    const own = this.#publishers.get(request.publisher);
    if (own === undefined) return { reason: 'no-port', text: `there is no publisher ${request.publisher}` };
    const refusal = this.#refusal(own, request, socket.peer.pid);
    if (refusal !== undefined) return refusal;
    const outlet: Outlet | undefined = offerPair({
      request,
      socket,
      pool: own.memory,
      shape: own.shape,
      port: own.port,
      loop: this.#host.loop,
      events: {
        onWake: () => own.port.onRoom(),
        onEnd: (problem) => {
          if (outlet === undefined) return;
          outlet.lie ??= problem;
          own.port.remove(outlet);
        },
      },
    });
    if (outlet === undefined) return { reason: 'exhausted', text: 'too many descriptors are under way' };
    this.#events.emit({ type: 'connected', port: request.publisher, peer: outlet.peer });
    own.bell.ring();
    return undefined;
  }

  #refusal(own: OwnPublisher, request: ConnectRequest, pid: number): Refusal {
    const { bufferSize, maxBorrowed, history, maxSubscribers } = this.settings;
    if (!own.settings.ownProcess && pid === process.pid)
      return { reason: 'own-process', text: 'it does not send to its own process' };
    if (request.bufferSize > bufferSize || request.maxBorrowed > maxBorrowed || request.history > history)
      return { reason: 'bad-request', text: 'it asks for more than the service allows' };
    if (own.port.outlets.length >= maxSubscribers)
      return { reason: 'too-many', text: `it has ${maxSubscribers} subscribers, which is maxSubscribers` };
    return undefined;
  }

  #makePublisher(settings: PublisherSettings, shape: SlotShape, memory: SharedMemory): Publisher {
    const number = this.#host.nextPort();
    const bell = new Doorbell('the publisher');
    const { bufferSize, maxBorrowed, history, overflow } = this.settings;
    const port = new PublisherPort({
      memory: new SlotMemory(memory.buffer, shape),
      history,
      overflow,
      loop: this.#host.loop,
      maxLoaned: settings.maxLoaned,
      whenFull: settings.whenFull,
      timestamps: settings.timestamps,
      warmSlots: bufferSize + maxBorrowed + history + settings.maxLoaned,
      isLocal: (node) => this.#host.isLocal(node),
      onGone: (outlet) => {
        this.#lost(number, 'subscriber', outlet.peer, outlet.lie);
        bell.ring();
      },
    });
    let withdraw: () => void = () => undefined;
    const publisher = new Publisher(number, port, memory, bell, () => {
      this.#publishers.delete(number);
      withdraw();
    });
    // Before it is announced: whoever sees it may connect.
    this.#publishers.set(number, { publisher, port, memory, shape, settings, bell });
    try {
      const announcement = this.#files.announcePort('publisher', number, announced(settings));
      withdraw = () => announcement.withdraw();
    } catch (error) {
      publisher.close();
      throw error;
    }
    return publisher;
  }

  #connector(
    number: number,
    port: SubscriberPort,
    bell: Doorbell,
    settings: Required<SubscriberOptions>,
  ): Connector {
    const { id: node, loop } = this.#host;
    const { bufferSize = 1, maxBorrowed = 1, history = 0 } = settings;
    return new Connector({
      domain: this.#files.domain,
      loop,
      request: { service: this.id, node, subscriber: number, bufferSize, maxBorrowed, history },
      isThere: ({ node: other, port: at }) => this.#isKnown(other, at),
      onConnected: (_key, inlet: Inlet) => {
        port.add(inlet);
        this.#events.emit({ type: 'connected', port: number, peer: inlet.peer });
        bell.ring();
      },
      onWake: () => port.wake(),
      onEnd: (inlet, problem) => port.end(inlet, problem),
      onDegraded: (peer, error) => this.#events.emit({ type: 'degraded', port: number, peer, error }),
    });
  }

  #isKnown(node: string, port: number): boolean {
    for (const key of this.#known.values()) if (key.node === node && key.port === port) return true;
    return false;
  }

  #onChange({ what, name }: Change): void {
    const key = parsePortFileName(name);
    if (key === undefined) return;
    const type = what === 'appeared' ? 'arrived' : 'departed';
    if (key.kind === 'publisher') this.#onPublisher(name, key, what === 'appeared');
    this.#events.emit({ type, ...key });
  }

  #onPublisher(name: string, key: PortKey, there: boolean): void {
    if (there) this.#known.set(name, key);
    else this.#known.delete(name);
    for (const connector of this.#subscribers.values()) {
      if (there) connector.add(key);
      else connector.remove(key);
    }
  }

  /** `kind`: that of the peer. */
  #lost(port: number, kind: PortKind, peer: PortAddress, lie: string | undefined): void {
    this.#sweeper.suspect(peer.node, join(this.#files.folder, portFileName({ ...peer, kind })));
    if (lie === undefined) {
      this.#events.emit({ type: 'lost', port, peer });
      return;
    }
    const message = `port ${peer.port} of node ${peer.node} (process ${peer.pid}) did what it may not: ${lie}; its connection was ended`;
    const error = new SealaneError('ERR_SEALANE_PROTOCOL', message);
    this.#events.emit({ type: 'lost', port, peer, error });
  }

  #check(): void {
    if (this.#closed) throw closedError(`the service ${describe(this.name)}`);
  }
}

function shapeOf(service: ServiceSettings, { maxBytes, maxLoaned }: PublisherSettings): SlotShape {
  const settings = { ...service, maxBytes, maxLoaned };
  return {
    slots: slotCount(settings),
    strideBytes: slotStride(settings),
    payloadOffset: payloadOffset(settings),
    maxBytes,
    userHeaderBytes: settings.userHeaderBytes,
  };
}

/** What a publisher's file tells others. */
function announced({ whenFull, ...settings }: PublisherSettings): Record<string, number | boolean | string> {
  return { ...settings, whenFull: typeof whenFull === 'function' ? 'handler' : whenFull };
}
