// A broker in a process of its own, by default on the broker's core, with a socket in a directory that only this run uses.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  readonly #directory: string;
  readonly socket: string;

  private constructor(station: Station, directory: string, socket: string) {
    this.#station = station;
    this.#directory = directory;
    this.socket = socket;
  }

  static async start({ place = 'broker' }: { place?: Place } = {}): Promise<BrokerStation> {
    const directory = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
    const socket = join(directory, 'broker.sock');
    const module = new URL('./broker-role.js', import.meta.url);
    const station = Station.start(module, { place, nodeFlags: ['--expose-gc'] });
    const broker = new BrokerStation(station, directory, socket);
    try {
      await station.call('start', { socket });
      return broker;
    } catch (error) {
      await broker[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#station.pid;
  }

  memory(): Promise<BrokerMemory> {
    return this.#station.call<BrokerMemory>('memory');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#station.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
