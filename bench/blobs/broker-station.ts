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

export class BrokerStation implements AsyncDisposable {
  readonly #station: Station;
  readonly socket: string;

  private constructor(station: Station, socket: string) {
    this.#station = station;
    this.socket = socket;
  }

  static async start({ place = 'broker' }: { place?: Place } = {}): Promise<BrokerStation> {
    const module = new URL('./broker-role.js', import.meta.url);
    const station = Station.start(module, { place, nodeFlags: ['--expose-gc'] });
    try {
      return new BrokerStation(station, await station.call<string>('start'));
    } catch (error) {
      await station.close();
      throw error;
    }
  }

  memory(): Promise<BrokerMemory> {
    return this.#station.call<BrokerMemory>('memory');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#station.close();
  }
}
