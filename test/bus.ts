// What whole-system tests share: a broker on a private socket, buses on it, and counts of what this process holds.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker, type BrokerOptions, type Bus, type ConnectOptions, connect } from 'sealane';

/** A broker of this process on a socket of its own, and a way to connect to it. Disposal ends all of it. */
export class TestBroker implements AsyncDisposable {
  readonly folder: string;
  readonly broker: Broker;
  readonly #buses: Bus[] = [];

  private constructor(folder: string, broker: Broker) {
    this.folder = folder;
    this.broker = broker;
  }

  static async start(options: BrokerOptions = {}): Promise<TestBroker> {
    const folder = mkdtempSync(join(tmpdir(), 'sealane-test-'));
    return new TestBroker(folder, await Broker.start({ socket: join(folder, 'broker.sock'), ...options }));
  }

  get socket(): string {
    return this.broker.socket;
  }

  async connect(options: ConnectOptions = {}): Promise<Bus> {
    const bus = await connect({ socket: this.socket, ...options });
    this.#buses.push(bus);
    return bus;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const bus of this.#buses) await bus.close();
    await this.broker.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** How many descriptors a process has open. */
export function countDescriptors(pid: number | 'self' = 'self'): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** How many mappings a process has. */
export function countMappings(pid: number | 'self' = 'self'): number {
  return readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').length;
}

/** Mappings of memfds in this process: without those with which the heap grows. */
export function countMappedMemfds(): number {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return lines.filter((line) => line.includes('/memfd:')).length;
}

/** Bytes that differ from place to place, so that a wrong offset shows. */
export function patternBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** All items of an asynchronous iterable. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
