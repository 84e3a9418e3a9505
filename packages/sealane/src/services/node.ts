/**
 * A node: one participant of a domain, in one thread. Owns its socket and files, its control loop, and the services that it has open.
 * Others find it in the file system; nothing runs beside the nodes.
 */
import { checkOptions, checkSignal } from '../base/check.js';
import { closedError, describe } from '../base/errors.js';
import type { UnixSocket } from '../os/index.js';
import type { Attributes } from './domain/attributes.js';
import { type DomainChange, DomainWatch, type ServiceWatch } from './domain/discovery.js';
import { Domain } from './domain/domain.js';
import type { MessagingName } from './domain/messaging.js';
import { checkName } from './domain/names.js';
import { type PublishedNode, publishNode } from './domain/node-files.js';
import { NodeServices, type OpenService } from './domain/service-files.js';
import { sweepLeftBehind } from './domain/sweep.js';
import { EventSource, type EventsMissed } from './event-source.js';
import { Observatory } from './observe/observatory.js';
import { Acceptor, type Refusal } from './pairs/acceptor.js';
import { ControlLoop } from './pairs/control.js';
import type { ConnectRequest } from './pairs/handshake.js';
import { ServiceBuilder } from './service-builder.js';
import { type HostedService, ServiceCore, type ServiceHost } from './service-core.js';

/** How a node is made. */
export interface NodeOptions {
  /** For people and tools: 1 to 256 bytes without control characters; several nodes may have the same. */
  readonly name: string;
  /** Which domain: 1 to 32 of the characters A-Z a-z 0-9 . _ - and no dot at the start. Default: `default`. */
  readonly domain?: string | undefined;
  /** Where domains lie. Default: $SEALANE_DIR, else `sealane` in $XDG_RUNTIME_DIR or /run/user/UID, else /tmp/sealane-UID. */
  readonly directory?: string | undefined;
  /**
   * A directory that is one domain of several users, made by {@link createSharedDomain} or `sealane domain create`. Not with `domain` or
   * `directory`. Default: $SEALANE_SHARED_DIR, unless one of them is given.
   */
  readonly sharedDirectory?: string | undefined;
  /** Texts that others can see: at most 64, 4,096 bytes in all. */
  readonly attributes?: Attributes | undefined;
}

/** Something that happened in the domain. */
export type NodeEvent =
  /** A node came or went; `name` is its id. Or a service; `name` is that of its folder. */
  | { readonly type: 'arrived' | 'departed'; readonly kind: 'node' | 'service'; readonly name: string }
  | EventsMissed;

/** The nodes of this thread. */
const localNodes = new Set<string>();

/** Takes part in a domain. Close it, or declare it with `await using`. */
export class Node implements AsyncDisposable, Disposable {
  readonly #published: PublishedNode;
  readonly #files: NodeServices;
  readonly #loop: ControlLoop;
  readonly #acceptor: Acceptor;
  readonly #observatory: Observatory;
  readonly #services = new Set<HostedService>();
  readonly #events = new EventSource<NodeEvent>('the node');
  #domainWatch: DomainWatch | undefined;
  /** The watches of open services. */
  readonly #watches = new Set<ServiceWatch>();
  #watchKey: { readonly fd: number; readonly key: number } | undefined;
  #ports = 0;
  #closed = false;

  private constructor(domain: Domain, name: string, attributes: Attributes | undefined) {
    const loop = new ControlLoop();
    let published: PublishedNode | undefined;
    try {
      published = publishNode(domain, name, attributes);
      this.#observatory = new Observatory(loop);
      this.#acceptor = new Acceptor(published.id, published.listener, loop, domain, {
        connect: (request, socket) => this.#connect(request, socket),
        observe: (socket) => this.#observatory.observe(socket),
      });
    } catch (error) {
      published?.close();
      loop.close();
      throw error;
    }
    this.#loop = loop;
    this.#published = published;
    this.#files = new NodeServices(domain, published.id);
    localNodes.add(published.id);
    sweepLeftBehind(domain, published.id);
  }

  /**
   * Makes a node; others see it when this resolves. It keeps the event loop alive until it is closed or unref'd. Rejects with
   * ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_UNSAFE_DIRECTORY, ERR_SEALANE_TIMEOUT (somebody holds the domain's lock),
   * ERR_SEALANE_SYSTEM, ERR_SEALANE_EXHAUSTED, ERR_SEALANE_UNSUPPORTED_PLATFORM; ERR_SEALANE_ACCESS_DENIED for a shared domain of others.
   */
  static async create(options: NodeOptions): Promise<Node> {
    checkOptions('options', options, ['name', 'domain', 'directory', 'sharedDirectory', 'attributes']);
    const { name, domain, directory, sharedDirectory, attributes } = options;
    checkName('options.name', name);
    return new Node(Domain.open({ name: domain, directory, sharedDirectory }), name, attributes);
  }

  /** 16 hexadecimal digits; no other node has or had them. */
  get id(): string {
    return this.#published.id;
  }

  get name(): string {
    return this.#published.info.name;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Names a service: 1 to 256 bytes without control characters. It is made or opened by what follows. */
  service(name: string): ServiceBuilder {
    checkName('name', name);
    this.#check();
    return new ServiceBuilder(name, (open) => this.#open(open));
  }

  /** Nodes and services of the domain that come and go from now on. Ends when the node is closed; else as {@link Service.events}. */
  events(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<NodeEvent> {
    this.#check();
    checkOptions('options', options, ['signal']);
    checkSignal('options.signal', options.signal);
    let began = false;
    this.#domainWatch ??= new DomainWatch(this.#files.domain, ({ what, kind, name }: DomainChange) => {
      if (began) this.#events.emit({ type: what === 'appeared' ? 'arrived' : 'departed', kind, name });
    });
    began = true;
    return this.#events.follow(options.signal);
  }

  /** Keeps the event loop alive while the node is open: the default. */
  ref(): this {
    this.#check();
    this.#loop.ref();
    return this;
  }

  /** Lets the event loop end in spite of the node. */
  unref(): this {
    this.#check();
    this.#loop.unref();
    return this;
  }

  /** Closes its services with all their ports, and withdraws it from the domain. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const service of this.#services) service.close();
    this.#domainWatch?.close();
    this.#events.close();
    this.#acceptor.close();
    this.#observatory.close();
    this.#files.close();
    this.#loop.close();
    this.#published.close();
    localNodes.delete(this.id);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #open<M extends MessagingName>(open: (files: NodeServices) => OpenService<M>): ServiceCore<M> {
    this.#check();
    const files = open(this.#files);
    try {
      const service = new ServiceCore(this.#host(), files);
      this.#services.add(service);
      return service;
    } catch (error) {
      files.close();
      throw error;
    }
  }

  #host(): ServiceHost {
    return {
      id: this.id,
      loop: this.#loop,
      observatory: this.#observatory,
      nextPort: () => ++this.#ports,
      isLocal: (node: string) => localNodes.has(node),
      serveWatch: (watch: ServiceWatch) => this.#serveWatch(watch),
      onClose: (service: HostedService) => this.#services.delete(service),
    };
  }

  /** All watches of a thread have one descriptor, and any of them serves all. */
  #serveWatch(watch: ServiceWatch): () => void {
    const { fd } = watch;
    this.#watches.add(watch);
    if (this.#watchKey === undefined && fd !== undefined)
      this.#watchKey = { fd, key: this.#loop.watch(fd, () => this.#serveWatches()) };
    const endServe = fd === undefined ? this.#loop.onServe(() => watch.serve()) : () => undefined;
    return () => {
      endServe();
      this.#watches.delete(watch);
      if (this.#watches.size > 0 || this.#watchKey === undefined) return;
      this.#loop.unwatch(this.#watchKey.fd, this.#watchKey.key);
      this.#watchKey = undefined;
    };
  }

  #serveWatches(): void {
    const [first] = this.#watches;
    first?.serve();
  }

  #connect(request: ConnectRequest, socket: UnixSocket): Refusal {
    for (const service of this.#services) {
      if (service.id !== request.service) continue;
      const refusal = service.connect(request, socket);
      if (refusal?.reason !== 'no-port') return refusal;
    }
    return { reason: 'no-port', text: `there is no port ${request.sender}` };
  }

  #check(): void {
    if (this.#closed) throw closedError(`the node ${describe(this.name)}`);
  }
}
