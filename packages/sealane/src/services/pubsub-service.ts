/** A publish-subscribe service as one node has it open: makes its ports, and pairs of them. Owns nothing that its core and ports don't. */
import type { UnixSocket } from '../os/index.js';
import { FIGURES_KIND_PUBLISHER, FIGURES_KIND_SUBSCRIBER } from '../shm/layout.js';
import { payloadOffset, type ServiceSettings, slotCount, slotStride } from './domain/settings.js';
import type { Refusal } from './pairs/acceptor.js';
import type { AnyConnector } from './pairs/connector.js';
import { Doorbell } from './pairs/doorbell.js';
import { decodeAccepted, encodeConnect, type SubscribeRequest } from './pairs/handshake.js';
import type { SlotShape } from './pairs/slots.js';
import type { InboundLuggage, OutboundLuggage } from './samples/companion.js';
import type { Inlet } from './samples/inlet.js';
import type { Outlet } from './samples/outlet.js';
import { acceptPair, offerPair, PAIR_DESCRIPTORS } from './samples/pairing.js';
import {
  Publisher,
  type PublisherOptions,
  type PublisherSettings,
  toPublisherSettings,
} from './samples/publisher.js';
import { PublisherPort } from './samples/publisher-port.js';
import { Segments } from './samples/segments.js';
import {
  Subscriber,
  type SubscriberOptions,
  type SubscriberSettings,
  toSubscriberSettings,
} from './samples/subscriber.js';
import { SubscriberPort } from './samples/subscriber-port.js';
import { Service } from './service.js';

/** What is behind a publisher. */
interface OwnPublisher {
  readonly number: number;
  readonly port: PublisherPort;
  readonly settings: PublisherSettings;
  readonly bell: Doorbell;
  readonly luggage: OutboundLuggage | undefined;
}

/** A publisher, and its port. */
export interface PublisherWithPort {
  readonly publisher: Publisher;
  readonly port: PublisherPort;
}

/** A subscriber, and its port. */
export interface SubscriberWithPort {
  readonly subscriber: Subscriber;
  readonly port: SubscriberPort;
}

/** Publish-subscribe among all nodes that have the service open. Made by {@link Node.service}. */
export class PubSubService extends Service<'publish-subscribe'> {
  /**
   * Makes a publisher; subscribers connect to it by themselves. Rejects with ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_LIMIT_EXCEEDED (as
   * many publishers as the service allows), ERR_SEALANE_EXHAUSTED (memory), ERR_SEALANE_CLOSED.
   */
  async publisher(options: PublisherOptions = {}): Promise<Publisher> {
    return this.publisherWith(options).publisher;
  }

  /** The same for a part that stands on services: `luggage` goes ahead of its samples. @internal */
  publisherWith(options: PublisherOptions, luggage?: OutboundLuggage): PublisherWithPort {
    this.core.check();
    const settings = toPublisherSettings(options, this.settings);
    const segments = segmentsOf(this.settings, settings, luggage?.slots);
    try {
      return this.#makePublisher(settings, segments, luggage);
    } catch (error) {
      segments.close();
      throw error;
    }
  }

  /**
   * Makes a subscriber, which connects to all publishers by itself, to those of the future as well. Rejects with
   * ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_LIMIT_EXCEEDED (as many subscribers as the service allows), ERR_SEALANE_CLOSED.
   */
  async subscriber(options: SubscriberOptions = {}): Promise<Subscriber> {
    return this.subscriberWith(options).subscriber;
  }

  /** The same for a part that stands on services: it takes what goes beside samples, and from nobody else. @internal */
  subscriberWith(options: SubscriberOptions, luggage?: InboundLuggage): SubscriberWithPort {
    this.core.check();
    const settings = toSubscriberSettings(options, this.settings);
    const number = this.core.host.nextPort();
    const bell = new Doorbell('the subscriber');
    const { loop, observatory } = this.core.host;
    const rows = this.settings.maxPublishers;
    const figures = observatory.open({ kind: FIGURES_KIND_SUBSCRIBER, port: number, rows, latencies: true });
    const port = new SubscriberPort({
      maxBorrowed: settings.maxBorrowed,
      loop,
      figures,
      onMissed: ({ peer }, samples) => this.core.addLoss({ kind: 'publisher', port: number, peer, samples }),
      onGone: (inlet, lie) => {
        this.core.lost(number, 'publisher', inlet.peer, lie);
        this.#degraded(number, inlet);
        bell.ring();
      },
    });
    const subscriber = new Subscriber(number, port, bell, () => this.core.remove(number));
    this.core.add({
      kind: 'subscriber',
      number,
      options: { ...settings },
      figures,
      close: () => subscriber.close(),
      connector: this.#connector(number, port, bell, settings, luggage),
    });
    return { subscriber, port };
  }

  /** A subscriber could not go on with a publisher. */
  #degraded(number: number, { peer: { node, port }, failure }: Inlet): void {
    if (failure !== undefined) this.core.degraded(number, { node, port, kind: 'publisher' }, failure);
  }

  #makePublisher(
    settings: PublisherSettings,
    segments: Segments,
    luggage: OutboundLuggage | undefined,
  ): PublisherWithPort {
    const { host } = this.core;
    const number = host.nextPort();
    const bell = new Doorbell('the publisher');
    const { history, overflow, payload, maxSubscribers: rows } = this.settings;
    const kind = FIGURES_KIND_PUBLISHER;
    const figures = host.observatory.open({ kind, port: number, rows, latencies: false });
    const port = new PublisherPort({
      segments,
      minBytes: payload === 'fixed' ? settings.maxBytes : 0,
      maxBytes: settings.maxBytes,
      maxBytesName: payload === 'growing' && settings.strategy === 'static' ? 'initialBytes' : 'maxBytes',
      history,
      overflow,
      loop: host.loop,
      figures,
      maxLoaned: luggage?.slots ?? settings.maxLoaned,
      whenFull: settings.whenFull,
      timestamps: settings.timestamps,
      onSent: settings.onSent,
      isLocal: (node) => host.isLocal(node),
      onLost: ({ peer }, samples) => this.core.addLoss({ kind: 'subscriber', port: number, peer, samples }),
      onGone: (outlet) => {
        this.core.lost(number, 'subscriber', outlet.peer, outlet.lie);
        bell.ring();
      },
    });
    const publisher = new Publisher(number, port, bell, () => {
      this.core.remove(number);
      luggage?.close();
    });
    const own = { number, port, settings, bell, luggage };
    this.core.add({
      kind: 'publisher',
      number,
      options: announced(settings),
      figures,
      close: () => publisher.close(),
      accept: (request, socket) => this.#accept(own, request, socket),
    });
    return { publisher, port };
  }

  /** A subscriber wants to connect to a publisher of this node. Takes the socket, or says why not. */
  #accept(own: OwnPublisher, request: SubscribeRequest, socket: UnixSocket): Refusal {
    const { number, port, bell } = own;
    const refusal = this.#refusal(own, request, socket.peer.pid);
    if (refusal !== undefined) return refusal;
    const outlet: Outlet | undefined = offerPair({
      request,
      socket,
      port,
      luggage: own.luggage,
      loop: this.core.host.loop,
      events: {
        onWake: () => port.onRoom(),
        onEnd: (problem) => {
          if (outlet === undefined) return;
          outlet.lie ??= problem;
          port.remove(outlet);
        },
      },
    });
    if (outlet === undefined) return { reason: 'exhausted', text: 'too many descriptors are under way' };
    this.core.connected(number, outlet.peer);
    bell.ring();
    return undefined;
  }

  #refusal(own: OwnPublisher, request: SubscribeRequest, pid: number): Refusal {
    const { bufferSize, maxBorrowed, history, maxSubscribers } = this.settings;
    if (!own.settings.ownProcess && pid === process.pid)
      return { reason: 'own-process', text: 'it does not send to its own process' };
    if ((request.buffers === true) !== (own.luggage !== undefined))
      return { reason: 'bad-request', text: own.luggage === undefined ? PLAIN : BUFFERS };
    if (request.bufferSize > bufferSize || request.maxBorrowed > maxBorrowed || request.history > history)
      return { reason: 'bad-request', text: 'it asks for more than the service allows' };
    if (own.port.outlets.length >= maxSubscribers)
      return { reason: 'too-many', text: `it has ${maxSubscribers} subscribers, which is maxSubscribers` };
    return undefined;
  }

  #connector(
    number: number,
    port: SubscriberPort,
    bell: Doorbell,
    { bufferSize, maxBorrowed, history }: SubscriberSettings,
    luggage: InboundLuggage | undefined,
  ): AnyConnector {
    const { id: service, host } = this.core;
    const rules = this.settings;
    const wish = luggage === undefined ? {} : { buffers: true as const };
    const request = { service, node: host.id, receiver: number, bufferSize, maxBorrowed, history, ...wish };
    return this.core.connector(number, {
      request: (sender) => encodeConnect({ ...request, messaging: 'publish-subscribe', sender }),
      decode: decodeAccepted,
      descriptors: PAIR_DESCRIPTORS,
      pair: (accepted) => {
        const events = {
          onWake: () => port.wake(),
          onEnd: (problem: string | undefined) => port.end(inlet, problem),
        };
        const inlet: Inlet = acceptPair({
          ...accepted,
          bufferSize,
          maxBorrowed,
          rules,
          loop: host.loop,
          events,
          luggage,
        });
        port.add(inlet);
        this.core.connected(number, inlet.peer);
        bell.ring();
      },
    });
  }
}

const PLAIN = 'it sends samples without descriptors: receive them with subscriber()';
const BUFFERS = 'it sends buffers: receive them with bufferSubscriber()';

/** The memory of a publisher, as it begins. Throws ERR_SEALANE_EXHAUSTED, ERR_SEALANE_LIMIT_EXCEEDED. */
function segmentsOf(service: ServiceSettings, settings: PublisherSettings, slots?: number): Segments {
  const { bufferSize, maxBorrowed, history } = service;
  const { maxLoaned } = settings;
  return new Segments({
    ...settings,
    shape: (maxBytes) => shapeOf({ ...service, maxBytes, maxLoaned }, slots),
    warmSlots: slots ?? bufferSize + maxBorrowed + history + maxLoaned,
    pages: settings,
  });
}

/** The slots of a segment, with room for payloads of `maxBytes`. */
function shapeOf(settings: ServiceSettings, slots = slotCount(settings)): SlotShape {
  return {
    slots,
    strideBytes: slotStride(settings),
    payloadOffset: payloadOffset(settings),
    maxBytes: settings.maxBytes,
    userHeaderBytes: settings.userHeaderBytes,
  };
}

/** What a publisher's file tells others. */
function announced(publisher: PublisherSettings): Record<string, number | boolean | string> {
  const { whenFull, onSent, ...settings } = publisher;
  const notifies = onSent === undefined ? {} : { notifies: true };
  return { ...settings, ...notifies, whenFull: typeof whenFull === 'function' ? 'handler' : whenFull };
}
