/**
 * A node that exists as files and a listening socket only, and speaks the publisher's side of the handshake itself, so that it can lie.
 * Owns its node, its announcement, and what it hands out.
 */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import {
  beginChannel,
  CHANNEL_TAIL_AT,
  CONTROL_SEALS,
  type ConnectRequest,
  channelBytes,
  channelShape,
  type Domain,
  decodeConnect,
  encodeAccepted,
  encodeSegment,
  Memfd,
  NodeServices,
  POOL_SEALS,
  PUBLISH_SUBSCRIBE,
  type PublishedNode,
  publishNode,
  SharedMemory,
  SLOT_BYTES_AT,
  SLOT_SEQUENCE_AT,
  type SlotShape,
  type UnixSocket,
} from 'sealane/internal';
import { nextPacket } from './liar.test.helper.js';

/** What an honest publisher could offer. */
export const SHAPE: SlotShape = {
  slots: 8,
  strideBytes: 256,
  payloadOffset: 64,
  maxBytes: 192,
  userHeaderBytes: 0,
};

/** A subscriber that asks the impostor. */
export interface Asker {
  readonly socket: UnixSocket;
  readonly request: ConnectRequest;
}

export class Impostor implements Disposable {
  readonly #published: PublishedNode;
  readonly #services: NodeServices;

  constructor(domain: Domain) {
    this.#published = publishNode(domain, 'impostor');
    this.#services = new NodeServices(domain, this.#published.id);
    this.#services.openOrCreate(PUBLISH_SUBSCRIBE, 'stage').announcePort('publisher', 1);
  }

  get id(): string {
    return this.#published.id;
  }

  /** The next one that asks to be connected. */
  async asked(): Promise<Asker> {
    for (;;) {
      const socket = this.#published.listener.accept();
      const packet = socket === undefined ? undefined : await nextPacket(socket, new Uint8Array(100));
      if (socket !== undefined && packet !== undefined)
        return { socket, request: decodeConnect(packet.bytes) };
      await turn();
    }
  }

  [Symbol.dispose](): void {
    this.#services.close();
    this.#published.close();
  }
}

/** What an impostor hands out to one subscriber: as an honest publisher's, for a start. */
export class Bait implements Disposable {
  readonly slots: SharedMemory;
  readonly control: SharedMemory;
  readonly words: Int32Array;
  readonly answer: Uint8Array;
  readonly cells: number;
  readonly tail = CHANNEL_TAIL_AT / 4;
  readonly #others: Memfd[] = [];
  readonly #segments: SharedMemory[] = [];

  constructor(request: ConnectRequest) {
    assert(request.messaging === 'publish-subscribe');
    const channel = channelShape(request.bufferSize, SHAPE.slots);
    this.cells = channel.submissionCells;
    this.slots = SharedMemory.create('bait-samples', SHAPE.slots * SHAPE.strideBytes, POOL_SEALS);
    this.control = SharedMemory.create('bait-control', channelBytes(channel), CONTROL_SEALS);
    this.words = new Int32Array(this.control.buffer);
    beginChannel(this.words, channel);
    this.answer = encodeAccepted({ sequenceBefore: 0, segment: 0, shape: SHAPE, ...channel });
  }

  get descriptors(): [number, number] {
    return [this.slots.descriptor, this.control.descriptor];
  }

  /** Other memory that could be handed out, with these seals: its descriptor, which stays this object's. */
  memory(bytes: number, seals: number): number {
    const memfd = Memfd.create('bait', bytes);
    this.#others.push(memfd);
    if (seals !== 0) memfd.seal(seals);
    return memfd.fd;
  }

  /** Sends a slot with a sample of that sequence number and length, as an honest publisher does. */
  send(slot: number, sequence = 1, bytes = 16): void {
    if (slot >= 0 && slot < SHAPE.slots) this.write(this.slots, slot, sequence, bytes);
    this.sendCell(slot);
  }

  /** Writes the header of a sample. */
  write({ buffer }: SharedMemory, slot: number, sequence: number, bytes: number): void {
    const view = new DataView(buffer, slot * (buffer.byteLength / SHAPE.slots));
    view.setBigUint64(SLOT_SEQUENCE_AT, BigInt(sequence), true);
    view.setBigUint64(SLOT_BYTES_AT, BigInt(bytes), true);
  }

  /** Puts anything into the ring. */
  sendCell(slot: number): void {
    const tail = Atomics.load(this.words, this.tail);
    Atomics.store(this.words, this.tail + 1 + (tail & (this.cells - 1)), slot);
    Atomics.store(this.words, this.tail, (tail + 1) | 0);
  }

  /** Hands out a segment, as an honest publisher that grows: of the shape of the first, with changes. */
  addSegment(socket: UnixSocket, segment: number, changes: Partial<SlotShape> = {}): SharedMemory {
    const shape = { ...SHAPE, ...changes };
    const memory = SharedMemory.create('bait-samples', SHAPE.slots * shape.strideBytes, POOL_SEALS);
    this.#segments.push(memory);
    socket.send(encodeSegment({ segment, ...shape }), [memory.descriptor]);
    return memory;
  }

  [Symbol.dispose](): void {
    this.slots.close();
    this.control.close();
    for (const segment of this.#segments) segment.close();
    for (const memfd of this.#others) memfd.close();
  }
}
