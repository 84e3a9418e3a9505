/**
 * The publisher's side of the three ways. Each starts from files and hands all their bytes to all consumers.
 */
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Broker, type Bus, connect } from 'sealane';
import type { ConsumerProcess } from './consumer-process.js';
import { nowMs, type Parcel, type Way } from './protocol.js';

/** A file to deliver. */
export interface Shipment extends Parcel {
  path: string;
}

/** One way, ready to deliver. Disposing frees what it holds. */
export interface Delivery extends AsyncDisposable {
  /** What consumers connect to. */
  readonly address: string;
  /** Called when all consumers are ready. */
  connected(consumers: number): Promise<void>;
  /**
   * Hands over all files; resolves with the time at which the last of them was in memory, ready to be had.
   */
  deliver(shipments: readonly Shipment[], consumers: readonly ConsumerProcess[]): Promise<number>;
}

/** Opens a way. Sockets are made in `directory`, which is private to this user. */
export function openDelivery(way: Way, directory: string, signal: AbortSignal): Promise<Delivery> {
  if (way === 'sealane') return SealaneDelivery.open(directory, signal);
  return way === 'socket' ? SocketDelivery.open(directory) : Promise.resolve(new MessageDelivery());
}

/** Put once, mapped by everyone: the broker runs in this process and hands out descriptors only. */
class SealaneDelivery implements Delivery {
  readonly #broker: Broker;
  readonly #bus: Bus;
  readonly #signal: AbortSignal;

  private constructor(broker: Broker, bus: Bus, signal: AbortSignal) {
    this.#broker = broker;
    this.#bus = bus;
    this.#signal = signal;
  }

  static async open(directory: string, signal: AbortSignal): Promise<SealaneDelivery> {
    const broker = await Broker.start({ socket: join(directory, 'broker.sock') });
    try {
      return new SealaneDelivery(broker, await connect({ socket: broker.socket, signal }), signal);
    } catch (error) {
      await broker.stop();
      throw error;
    }
  }

  get address(): string {
    return this.#broker.socket;
  }

  async connected(): Promise<void> {}

  async deliver(shipments: readonly Shipment[]): Promise<number> {
    for (const { path, name } of shipments) await this.#bus.put(path, { name, signal: this.#signal });
    return nowMs();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus.close();
    await this.#broker.stop();
  }
}

/** Every byte is written to one Unix stream socket for each consumer. */
class SocketDelivery implements Delivery {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets: Socket[] = [];

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
    server.on('connection', (socket) => {
      // A consumer that died is reported by its process, not by its socket.
      socket.on('error', () => undefined);
      this.#sockets.push(socket);
    });
  }

  static async open(directory: string): Promise<SocketDelivery> {
    const delivery = new SocketDelivery(createServer(), join(directory, 'stream.sock'));
    delivery.#server.listen(delivery.address);
    await once(delivery.#server, 'listening');
    return delivery;
  }

  async connected(consumers: number): Promise<void> {
    while (this.#sockets.length < consumers) await once(this.#server, 'connection');
  }

  async deliver(shipments: readonly Shipment[]): Promise<number> {
    let publishedMs = nowMs();
    for (const { path, size } of shipments) {
      const bytes = await readWhole(path, size);
      publishedMs = nowMs();
      for (const socket of this.#sockets) socket.write(bytes);
    }
    return publishedMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Every byte is serialized into a message for each consumer. */
class MessageDelivery implements Delivery {
  readonly address = '';

  async connected(): Promise<void> {}

  async deliver(shipments: readonly Shipment[], consumers: readonly ConsumerProcess[]): Promise<number> {
    let publishedMs = nowMs();
    for (const [index, { path, size }] of shipments.entries()) {
      const bytes = await readWhole(path, size);
      publishedMs = nowMs();
      for (const consumer of consumers) consumer.send({ kind: 'parcel', index, bytes });
    }
    return publishedMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/**
 * The first `size` bytes of a file, in one buffer of that size: faster than readFile, which reads in small
 * steps.
 */
async function readWhole(path: string, size: number): Promise<Uint8Array> {
  await using file = await open(path, 'r');
  const bytes = Buffer.allocUnsafeSlow(size);
  for (let offset = 0; offset < size; ) {
    const { bytesRead } = await file.read(bytes, offset, size - offset, offset);
    if (bytesRead === 0) throw new Error(`${path} became shorter while it was read`);
    offset += bytesRead;
  }
  return bytes;
}
