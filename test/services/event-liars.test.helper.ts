/**
 * Peers of an event service that speak the handshake themselves, so that they can lie: a listener with the event set in hand, and a node
 * that is files, a socket and a notifier's answers. Each owns what it made, and gives it back when it is disposed.
 */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import {
  beginEventSet,
  CONTROL_SEALS,
  closeDescriptor,
  type Domain,
  decodeAnswer,
  decodeConnect,
  decodeListenAccepted,
  EVENT,
  encodeConnect,
  encodeListenAccepted,
  eventSetBytes,
  Mapping,
  NodeServices,
  type PublishedNode,
  publishNode,
  SharedMemory,
  serviceFolderName,
  UnixSocket,
} from 'sealane/internal';
import { nextPacket } from './liar.test.helper.js';

/** The node of a listener that does not exist. */
const LIAR = 'badbadbadbadbad1';

/** A listener that a notifier accepted, and that does what it likes. */
export class LyingListener implements Disposable {
  readonly words: Int32Array;

  private constructor(
    readonly socket: UnixSocket,
    private readonly memory: Mapping,
  ) {
    this.words = new Int32Array(memory.buffer);
  }

  static async connect(domain: Domain, node: string, sender: number): Promise<LyingListener> {
    const socket = UnixSocket.connect(domain.nodeSocket(node));
    assert.ok(socket !== undefined);
    const parties = { service: serviceFolderName('x'), sender, node: LIAR, receiver: 1 };
    socket.send(encodeConnect({ messaging: 'event', ...parties }));
    const packet = await nextPacket(socket, new Uint8Array(1_024));
    assert.ok(packet !== undefined);
    const answer = decodeAnswer(packet.bytes, decodeListenAccepted);
    const [fd] = packet.descriptors;
    assert.ok(answer.type === 'accepted' && fd !== undefined && packet.descriptors.length === 1);
    const memory = Mapping.shared(fd, 0, eventSetBytes(answer.eventIds));
    closeDescriptor(fd);
    return new LyingListener(socket, memory);
  }

  [Symbol.dispose](): void {
    this.socket.close();
    this.memory.close();
  }
}

/** What a lying notifier hands out to one listener: as an honest one's, for a start. */
export class FalseEvents implements Disposable {
  readonly memory: SharedMemory;
  readonly words: Int32Array;

  constructor(readonly eventIds: number) {
    this.memory = SharedMemory.create('false-events', eventSetBytes(eventIds), CONTROL_SEALS);
    this.words = new Int32Array(this.memory.buffer);
    beginEventSet(this.words, eventIds);
  }

  [Symbol.dispose](): void {
    this.memory.close();
  }
}

/** A node whose notifier lies. */
export class LyingNotifier implements Disposable {
  readonly #published: PublishedNode;
  readonly #services: NodeServices;

  constructor(domain: Domain) {
    this.#published = publishNode(domain, 'liar');
    this.#services = new NodeServices(domain, this.#published.id);
    this.#services.openOrCreate(EVENT, 'x').announcePort('notifier', 1);
  }

  get id(): string {
    return this.#published.id;
  }

  /** The next listener that asks. */
  async asked(): Promise<UnixSocket> {
    for (;;) {
      const socket = this.#published.listener.accept();
      const packet = socket === undefined ? undefined : await nextPacket(socket, new Uint8Array(100));
      if (socket !== undefined && packet !== undefined) {
        assert.equal(decodeConnect(packet.bytes).messaging, 'event');
        return socket;
      }
      await turn();
    }
  }

  /** Accepts the next listener, with these descriptors in place of those of the memory. */
  async accept(events: FalseEvents, descriptors = [events.memory.descriptor]): Promise<UnixSocket> {
    const socket = await this.asked();
    assert.equal(socket.send(encodeListenAccepted(events), descriptors), 'sent');
    return socket;
  }

  [Symbol.dispose](): void {
    this.#services.close();
    this.#published.close();
  }
}
