// The two processes of a measurement of buffers, a core each, and the directory in which they find each other.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceOptions } from 'sealane';
import { Station } from '../harness/station.js';
import type { PingPong } from '../services/sides.js';
import type { Batch, Ports, Waiting } from './frames-role.js';
import type { Way } from './ports.js';

/** One frame waits, a newer one replaces it. */
const SETTINGS: ServiceOptions = {
  ...{ bufferSize: 1, overflow: true, maxPublishers: 1, maxSubscribers: 1, maxNodes: 2, maxBorrowed: 2 },
};

/** Of a pool: one to fill, one that waits, and those that the subscriber may hold. */
const BUFFERS = 4;

/** A process that begins and is timed, and one that answers. */
export class TwoProcesses implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
  readonly #first = Station.start(new URL('./frames-role.js', import.meta.url), { place: 'client' });
  readonly #second = Station.start(new URL('./frames-role.js', import.meta.url), { place: 'broker' });

  private constructor() {}

  /** Opens the ports of both, and waits until all are connected; each sender has so many subscribers. */
  static async start(
    first: Omit<Ports, 'directory'>,
    second: Omit<Ports, 'directory'>,
    subscribers: readonly [first: number, second: number] = [1, 1],
  ): Promise<TwoProcesses> {
    const both = new TwoProcesses();
    const directory = both.#directory;
    const stations = [both.#first, both.#second];
    try {
      await both.#first.call('open', { ...first, directory });
      await both.#second.call('open', { ...second, directory });
      await Promise.all(
        stations.map((station, index) => station.call('connected', { subscribers: subscribers[index] })),
      );
      return both;
    } catch (error) {
      await both[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Has each do its part of a batch at the same time; resolves with what the first one measured. */
  async run<Output>(first: string, second: string, batch: Batch): Promise<Output> {
    const [output] = await this.runBoth<Output>(first, second, batch);
    return output;
  }

  runBoth<Output>(first: string, second: string, batch: Batch): Promise<[Output, Output]> {
    return Promise.all([this.#first.call<Output>(first, batch), this.#second.call<Output>(second, batch)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#first.close(), this.#second.close()]);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Frames that go to and fro, each answered with one that is handed over in the same way. */
export class FrameTurns implements PingPong {
  readonly #processes: TwoProcesses;
  readonly #waiting: Waiting;

  private constructor(processes: TwoProcesses, waiting: Waiting) {
    this.#processes = processes;
    this.#waiting = waiting;
  }

  static async start(way: Way, waiting: Waiting): Promise<FrameTurns> {
    const there = { way, service: 'there', settings: SETTINGS, buffers: BUFFERS };
    const back = { ...there, service: 'back' };
    const processes = await TwoProcesses.start(
      { sends: there, receives: { ...back, subscribers: 1 } },
      { sends: back, receives: { ...there, subscribers: 1 } },
    );
    return new FrameTurns(processes, waiting);
  }

  trips(count: number): Promise<readonly number[]> {
    const waiting = this.#waiting;
    if (waiting === 'loop') return this.#processes.run('loopTrips', 'loopEcho', { count, waiting });
    return this.#processes.run('trips', 'echo', { count, waiting });
  }

  total(count: number): Promise<number> {
    return this.#processes.run('total', 'echo', { count, waiting: this.#waiting });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#processes[Symbol.asyncDispose]();
  }
}
