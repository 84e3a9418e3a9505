// Processes of ours with many nodes or services, and the directory in which they find each other.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Place } from '../../harness/pinning.js';
import { Station } from '../../harness/station.js';
import type { NodesToMake, PortToOpen } from './crowd-role.js';
import { type Cost, sum } from './memory.js';

export class Crowd implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
  readonly #stations: Station[] = [];

  /** A process with that many nodes. */
  async start(place: Place, nodes: number): Promise<Station> {
    const module = new URL('./crowd-role.js', import.meta.url);
    const station = Station.start(module, { place, nodeFlags: ['--expose-gc'] });
    this.#stations.push(station);
    const { directory } = this;
    await station.call('makeNodes', { directory, count: nodes } satisfies NodesToMake);
    return station;
  }

  /** What all of them cost together. */
  async cost(): Promise<Cost> {
    return sum(await Promise.all(this.#stations.map((station) => station.call<Cost>('cost'))));
  }

  async connected(): Promise<void> {
    await Promise.all(this.#stations.map((station) => station.call('connected')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#stations.map((station) => station.close()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function openPorts(station: Station, ports: readonly PortToOpen[]): Promise<void> {
  return station.call('openPorts', ports);
}
