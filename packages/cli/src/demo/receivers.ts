/**
 * The consumers' side of the three ways. Each ends with all bytes of all parcels in this process, ready to be
 * read.
 */
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import type { Parcel, ToConsumer, Way } from './protocol.js';

/** Received bytes: for each parcel its parts in order. */
export type Received = Uint8Array[][];

/** Waits for the parcels. Made before the demo begins to deliver. */
export type Receiver = () => Promise<Received>;

/** A mapped part: Node.js 20 makes no ArrayBuffer over 4 GiB, and hashes less than 2 GiB at a time. */
const PART_BYTES = 2 ** 30;
/** What one read of a socket takes at most. */
const READ_BYTES = 1_048_576;

/** Prepares to receive; resolves once nothing but the bytes is missing. */
export function prepare(way: Way, address: string, parcels: readonly Parcel[]): Promise<Receiver> {
  if (way === 'sealane') return prepareSealane(address, parcels);
  return way === 'socket' ? prepareSocket(address, parcels) : prepareMessages(parcels);
}

async function prepareSealane(address: string, parcels: readonly Parcel[]): Promise<Receiver> {
  const { connect } = await import('sealane');
  const bus = await connect({ socket: address });
  return async () => {
    const blobs = await Promise.all(parcels.map(({ name }) => bus.wait(name)));
    return blobs.map((blob) => partsOf(blob.size).map(([offset, length]) => blob.view(offset, length)));
  };
}

function partsOf(size: number): [offset: number, length: number][] {
  const parts: [number, number][] = [];
  for (let offset = 0; offset < size; offset += PART_BYTES)
    parts.push([offset, Math.min(PART_BYTES, size - offset)]);
  return parts;
}

async function prepareMessages(parcels: readonly Parcel[]): Promise<Receiver> {
  const received: Received = parcels.map(() => []);
  let left = parcels.length;
  const complete = new Promise<void>((resolve) => {
    process.on('message', (message: ToConsumer) => {
      if (message.kind !== 'parcel') return;
      received[message.index] = [message.bytes];
      if (--left === 0) resolve();
    });
  });
  return async () => {
    await complete;
    return received;
  };
}

async function prepareSocket(address: string, parcels: readonly Parcel[]): Promise<Receiver> {
  const buffers = parcels.map(({ size }) => Buffer.allocUnsafeSlow(size));
  const filler = new Filler(buffers);
  // One buffer for all reads: what a program that cares about speed does with node:net.
  const scratch = {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback: (count: number) => filler.take(scratch.buffer, count),
  };
  const socket: Socket = connectSocket({ path: address, onread: scratch });
  await once(socket, 'connect');
  return async () => {
    await filler.full;
    return buffers.map((buffer) => [buffer]);
  };
}

/** Copies a stream of bytes into buffers, one after the other. */
class Filler {
  readonly full: Promise<void>;
  #resolve: () => void = () => undefined;
  readonly #buffers: readonly Uint8Array[];
  #index = 0;
  #offset = 0;

  constructor(buffers: readonly Uint8Array[]) {
    this.#buffers = buffers;
    this.full = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#skipFull();
  }

  /** Takes the first `count` bytes. Returns true: the socket goes on reading. */
  take(bytes: Uint8Array, count: number): boolean {
    let taken = 0;
    while (taken < count) {
      const buffer = this.#buffers[this.#index];
      if (buffer === undefined) throw new Error(`${count - taken} bytes more than were announced`);
      const length = Math.min(count - taken, buffer.length - this.#offset);
      buffer.set(bytes.subarray(taken, taken + length), this.#offset);
      this.#offset += length;
      taken += length;
      this.#skipFull();
    }
    return true;
  }

  #skipFull(): void {
    while (this.#index < this.#buffers.length && this.#offset === this.#buffers[this.#index]?.length) {
      this.#index++;
      this.#offset = 0;
    }
    if (this.#index === this.#buffers.length) this.#resolve();
  }
}
