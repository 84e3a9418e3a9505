/** An event service as one node has it open: makes its ports, and pairs of them. Owns nothing that its core and ports don't. */
import { checkOptions } from '../base/check.js';
import type { UnixSocket } from '../os/index.js';
import { FIGURES_KIND_LISTENER, FIGURES_KIND_NOTIFIER } from '../shm/layout.js';
import type { EventInlet } from './events/event-inlet.js';
import type { EventOutlet } from './events/event-outlet.js';
import { acceptEvents, EVENT_DESCRIPTORS, offerEvents } from './events/event-pairing.js';
import { Listener } from './events/listener.js';
import { ListenerPort } from './events/listener-port.js';
import { Notifier, type NotifierOptions, toNotifierId } from './events/notifier.js';
import { NotifierPort } from './events/notifier-port.js';
import type { Refusal } from './pairs/acceptor.js';
import type { AnyConnector } from './pairs/connector.js';
import { Doorbell } from './pairs/doorbell.js';
import { decodeListenAccepted, encodeConnect, type ListenRequest } from './pairs/handshake.js';
import { Service } from './service.js';

/** Events among all nodes that have the service open: ids that are counted, and carry nothing else. Made by {@link Node.service}. */
export class EventService extends Service<'event'> {
  /**
   * Makes a notifier; listeners connect to it by themselves. Rejects with ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_LIMIT_EXCEEDED (as many
   * notifiers as the service allows), ERR_SEALANE_CLOSED.
   */
  async notifier(options: NotifierOptions = {}): Promise<Notifier> {
    this.core.check();
    const { eventIds } = this.settings;
    const id = toNotifierId(options, eventIds);
    const number = this.core.host.nextPort();
    const { loop, observatory } = this.core.host;
    const figures = observatory.open({
      kind: FIGURES_KIND_NOTIFIER,
      port: number,
      rows: 0,
      latencies: false,
    });
    const port = new NotifierPort({
      loop,
      figures,
      onGone: ({ peer, lie }) => this.core.lost(number, 'listener', peer, lie),
    });
    const notifier = new Notifier(number, id, eventIds, port, () => this.core.remove(number));
    this.core.add({
      kind: 'notifier',
      number,
      options: { id },
      figures,
      close: () => notifier.close(),
      accept: (request, socket) => this.#accept(number, port, request, socket),
    });
    return notifier;
  }

  /**
   * Makes a listener, which connects to all notifiers by itself, to those of the future as well. What was notified before they were
   * connected it does not get. Rejects with ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_LIMIT_EXCEEDED (as many listeners as the service
   * allows), ERR_SEALANE_CLOSED.
   */
  async listener(options: Readonly<Record<string, never>> = {}): Promise<Listener> {
    this.core.check();
    checkOptions('options', options, []);
    const { host } = this.core;
    const number = host.nextPort();
    const bell = new Doorbell('the listener');
    const kind = FIGURES_KIND_LISTENER;
    const figures = host.observatory.open({ kind, port: number, rows: 0, latencies: false });
    const port = new ListenerPort({
      figures,
      settings: this.settings,
      loop: host.loop,
      onGone: ({ peer, lie }) => {
        this.core.lost(number, 'notifier', peer, lie);
        bell.ring();
      },
    });
    const listener = new Listener(number, port, bell, () => this.core.remove(number));
    this.core.add({
      kind: 'listener',
      number,
      options: {},
      figures,
      close: () => listener.close(),
      connector: this.#connector(number, port, bell),
    });
    return listener;
  }

  /** A listener wants to connect to a notifier of this node. Takes the socket, or says why not. */
  #accept(number: number, port: NotifierPort, request: ListenRequest, socket: UnixSocket): Refusal {
    const { maxListeners, eventIds } = this.settings;
    if (port.outlets.length >= maxListeners)
      return { reason: 'too-many', text: `it has ${maxListeners} listeners, which is maxListeners` };
    const outlet: EventOutlet | undefined = offerEvents({
      request,
      socket,
      eventIds,
      loop: this.core.host.loop,
      events: {
        onWake: () => undefined,
        onEnd: (problem) => {
          if (outlet === undefined) return;
          outlet.lie ??= problem;
          port.remove(outlet);
        },
      },
    });
    if (outlet === undefined) return { reason: 'exhausted', text: 'too many descriptors are under way' };
    port.add(outlet);
    this.core.connected(number, outlet.peer);
    return undefined;
  }

  #connector(number: number, port: ListenerPort, bell: Doorbell): AnyConnector {
    const { id: service, host } = this.core;
    const request = { messaging: 'event', service, node: host.id, receiver: number } as const;
    return this.core.connector(number, {
      request: (sender) => encodeConnect({ ...request, sender }),
      decode: decodeListenAccepted,
      descriptors: EVENT_DESCRIPTORS,
      pair: (accepted) => {
        const { eventIds } = this.settings;
        const events = {
          onWake: () => port.wake(),
          onEnd: (problem: string | undefined) => port.end(inlet, problem),
        };
        const inlet: EventInlet = acceptEvents({ ...accepted, eventIds, loop: host.loop, events });
        port.add(inlet);
        this.core.connected(number, inlet.peer);
        bell.ring();
      },
    });
  }
}
