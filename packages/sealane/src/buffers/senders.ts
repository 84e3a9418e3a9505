/**
 * What a publisher of buffers sends ahead of its samples to one subscriber: the descriptors of each frame, or those of the buffers of its
 * pool, each once. Own nothing: the descriptors are the publisher's. Never block.
 */

import type { PairSocket } from '../services/pairs/pair-socket.js';
import type { OutboundCompanion } from '../services/samples/companion.js';
import type { DescriptorStore } from './descriptor-store.js';
import { Flight, fitting } from './flight.js';
import { DescriptorsWriter, encodeBuffer } from './packets.js';
import type { SideChannelSender } from './side-channel.js';

/** The side channel on the socket of a pair: the token of a frame is the sequence number of its sample. */
export class DescriptorSender implements OutboundCompanion, SideChannelSender {
  readonly done = false;
  readonly #store: DescriptorStore;
  readonly #flight: Flight;
  readonly #writer = new DescriptorsWriter();

  constructor(socket: PairSocket, store: DescriptorStore) {
    this.#store = store;
    this.#flight = new Flight(socket);
  }

  hasRoom(): boolean {
    this.#store.requireHope();
    return this.#flight.hasRoom();
  }

  latest(slots: readonly number[], last: number): number {
    const first = last - slots.length + 1;
    return fitting(slots.map((_, index) => this.#store.of(first + index)?.length ?? 0));
  }

  send(sequence: number): boolean {
    const descriptors = this.#store.of(sequence);
    if (descriptors === undefined) return false;
    if (this.sendDescriptors(sequence, descriptors)) return true;
    if (this.#store.failed(sequence)) this.#flight.resume();
    return false;
  }

  sendDescriptors(token: number, descriptors: readonly number[]): boolean {
    return this.#flight.send(this.#writer.write(token, descriptors.length), descriptors);
  }
}

/** The buffers of a pool, of which each is a slot. */
export class PoolSender implements OutboundCompanion {
  readonly #buffers: readonly (readonly number[])[];
  readonly #flight: Flight;
  /** 1 for each buffer that the subscriber has. */
  readonly #given: Uint8Array;
  #left: number;

  constructor(socket: PairSocket, buffers: readonly (readonly number[])[]) {
    this.#buffers = buffers;
    this.#flight = new Flight(socket);
    this.#given = new Uint8Array(buffers.length);
    this.#left = buffers.length;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  hasRoom(): boolean {
    return this.#left === 0 || this.#flight.hasRoom();
  }

  latest(slots: readonly number[]): number {
    return fitting(slots.map((slot) => this.#buffers[slot]?.length ?? 0));
  }

  send(_sequence: number, slot: number): boolean {
    return this.#given[slot] === 1 || this.#give(slot);
  }

  #give(index: number): boolean {
    const descriptors = this.#buffers[index] ?? [];
    if (!this.#flight.send(encodeBuffer({ index, count: descriptors.length }), descriptors)) return false;
    this.#given[index] = 1;
    this.#left -= 1;
    return true;
  }
}
