// A broker in a process of its own, by default on the broker's core, with a socket in a directory of
// its own, which goes when the process ends.
import type { Place } from '../harness/pinning.js';
import { Station } from '../harness/station.js';

/** What the broker's process occupies; bytes. */
export interface BrokerMemory {
  /** Resident set, from /proc/self/status, after a forced garbage collection. */
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly descriptors: number;
}

/** Where a broker runs, whether it serves memfdbus clients too, and whether it records every operation in a file. */
export interface BrokerPlace {
  readonly place?: Place;
  readonly memfdbus?: boolean;
  readonly audit?: boolean;
}

/** Where a broker listens; without a socket for memfdbus clients, that path is empty. */
export interface BrokerSockets {
  readonly socket: string;
  readonly memfdbusSocket: string;
}

export class BrokerStation implements AsyncDisposable {
  readonly #station: Station;
  readonly socket: string;
  readonly memfdbusSocket: string;

  private constructor(station: Station, { socket, memfdbusSocket }: BrokerSockets) {
    this.#station = station;
    this.socket = socket;
    this.memfdbusSocket = memfdbusSocket;
  }

  static async start({
    place = 'broker',
    memfdbus = false,
    audit = false,
  }: BrokerPlace = {}): Promise<BrokerStation> {
    const module = new URL('./broker-role.js', import.meta.url);
    const station = Station.start(module, { place, nodeFlags: ['--expose-gc'] });
    try {
      return new BrokerStation(station, await station.call<BrokerSockets>('start', { memfdbus, audit }));
    } catch (error) {
      await station.close();
      throw error;
    }
  }

  memory(): Promise<BrokerMemory> {
    return this.#station.call<BrokerMemory>('memory');
  }

  /** Processor time of all its threads so far, in microseconds. */
  processorTime(): Promise<number> {
    return this.#station.call<number>('processorTime');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#station.close();
  }
}
