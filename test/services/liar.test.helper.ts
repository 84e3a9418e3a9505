/**
 * A peer that speaks the handshake itself, so that it can lie: the subscriber's side of a pair, with both memories in hand. Owns the
 * socket and the mappings.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { PubSubService } from 'sealane';
import {
  CHANNEL_HEAD_AT,
  CHANNEL_SUBSCRIBER_WAITING_AT,
  CHANNEL_TAIL_AT,
  type ConnectAccepted,
  type ConnectRefused,
  type ConnectRequest,
  channelBytes,
  closeDescriptor,
  completionTailAt,
  type Domain,
  decodeAccepted,
  decodeAnswer,
  disposeDescriptors,
  encodeConnect,
  Mapping,
  serviceFolderName,
  UnixSocket,
} from 'sealane/internal';

/** Whom it lies to: a publisher of the service `stage`. */
export interface Target {
  readonly domain: Domain;
  readonly publisherNode: { readonly id: string };
  readonly publisherService: PubSubService;
  readonly publisher: { readonly port: number };
}

/** A node that does not exist. */
export const LIAR = 'badbadbadbadbad0';

/** Connects to the socket of a node; waits while its backlog is full. */
export async function dial(stage: Target, node: string): Promise<UnixSocket> {
  for (;;) {
    const socket = UnixSocket.connect(stage.domain.nodeSocket(node));
    if (socket !== undefined) return socket;
    await turn();
  }
}

/** The next packet, with its descriptors; undefined: the connection has ended. */
export async function nextPacket(
  socket: UnixSocket,
  into: Uint8Array,
): Promise<{ bytes: Uint8Array; descriptors: readonly number[] } | undefined> {
  for (;;) {
    const packet = socket.receive(into);
    if (packet === 'end') return undefined;
    if (packet !== 'empty') return { bytes: into.subarray(0, packet.bytes), descriptors: packet.descriptors };
    await turn();
  }
}

/** What an honest subscriber of the stage's service asks for, with changes. */
export function requestFor(stage: Target, changes: Partial<ConnectRequest> = {}): ConnectRequest {
  const { bufferSize, maxBorrowed } = stage.publisherService.settings;
  const service = serviceFolderName('stage');
  const parties = { service, sender: stage.publisher.port, node: LIAR, receiver: 1 };
  return { messaging: 'publish-subscribe', ...parties, bufferSize, maxBorrowed, history: 0, ...changes };
}

/** Sends a packet to the honest publisher's node, and returns the answer, if one comes. The connection ends with it. */
export async function answerTo(
  stage: Target,
  packet: Uint8Array,
): Promise<ConnectAccepted | ConnectRefused | undefined> {
  using socket = await dial(stage, stage.publisherNode.id);
  socket.send(packet);
  const answer = await nextPacket(socket, new Uint8Array(1_024));
  disposeDescriptors(answer?.descriptors ?? []);
  return answer === undefined ? undefined : decodeAnswer(answer.bytes, decodeAccepted);
}

/** A subscriber that was accepted by the honest publisher, and does what it likes. */
export class Liar implements Disposable {
  readonly words: Int32Array;
  /** Indices of words. */
  readonly head = CHANNEL_HEAD_AT / 4;
  readonly tail = CHANNEL_TAIL_AT / 4;
  readonly waiting = CHANNEL_SUBSCRIBER_WAITING_AT / 4;
  readonly completionTail: number;

  private constructor(
    readonly socket: UnixSocket,
    readonly answer: ConnectAccepted,
    private readonly control: Mapping,
    private readonly slots: Mapping,
  ) {
    this.words = new Int32Array(control.buffer);
    this.completionTail = completionTailAt(answer) / 4;
  }

  static async connect(stage: Target, changes: Partial<ConnectRequest> = {}): Promise<Liar> {
    const socket = await dial(stage, stage.publisherNode.id);
    socket.send(encodeConnect(requestFor(stage, changes)));
    const packet = await nextPacket(socket, new Uint8Array(1_024));
    if (packet === undefined) throw new Error('the publisher hung up');
    const answer = decodeAnswer(packet.bytes, decodeAccepted);
    const [slotsFd, controlFd] = packet.descriptors;
    if (answer.type !== 'accepted' || slotsFd === undefined || controlFd === undefined)
      throw new Error(`the publisher answers ${JSON.stringify(answer)}`);
    const control = Mapping.shared(controlFd, 0, channelBytes(answer));
    const slots = Mapping.sharedReadOnly(slotsFd, 0, answer.shape.slots * answer.shape.strideBytes);
    for (const fd of packet.descriptors) closeDescriptor(fd);
    return new Liar(socket, answer, control, slots);
  }

  /** Takes the oldest sample, as an honest subscriber does: its slot, or undefined. */
  take(): number | undefined {
    const head = Atomics.load(this.words, this.head);
    if (head === Atomics.load(this.words, this.tail)) return undefined;
    const slot = Atomics.load(this.words, this.tail + 1 + (head & (this.answer.submissionCells - 1)));
    const taken = Atomics.compareExchange(this.words, this.head, head, (head + 1) | 0) === head;
    return taken ? slot : undefined;
  }

  /** Says that these slots come back, whatever they are. */
  complete(...slots: number[]): void {
    const mask = this.answer.completionCells - 1;
    for (const slot of slots) {
      const tail = Atomics.load(this.words, this.completionTail);
      Atomics.store(this.words, this.completionTail + 1 + (tail & mask), slot);
      Atomics.store(this.words, this.completionTail, (tail + 1) | 0);
    }
  }

  [Symbol.dispose](): void {
    this.socket.close();
    this.control.close();
    this.slots.close();
  }
}
