// The processes of one measurement of ours, and the directory in which they find each other.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceOptions } from 'sealane';
import type { Place } from '../../harness/pinning.js';
import { Station } from '../../harness/station.js';
import type { Ports } from './role.js';

export class Group implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
  readonly #stations: Station[] = [];

  /** Ends what was started already when the rest can't be. */
  async build<Side>(build: () => Promise<Side>): Promise<Side> {
    try {
      return await build();
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  async start(place: Place, ports: Partial<Ports> & { readonly settings: ServiceOptions }): Promise<Station> {
    const station = Station.start(new URL('./role.js', import.meta.url), { place });
    this.#stations.push(station);
    const { directory } = this;
    await station.call('open', { directory, prefault: false, timestamps: true, tier: 'hot', ...ports });
    return station;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#stations.map((station) => station.close()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}
