// Ping-pong with events between two of our processes: asleep at once, after a moment of looking, or in the event loop.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Place } from '../../harness/pinning.js';
import { Station } from '../../harness/station.js';
import type { Turns } from '../sides.js';
import type { EventBatch } from './event-role.js';

/** How a side waits for the other's event. */
export type EventWaiting = 'block' | 'spin' | 'loop';

export class OurEvents implements Turns {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
  readonly #stations: Station[] = [];
  readonly #waiting: EventWaiting;

  private constructor(waiting: EventWaiting) {
    this.#waiting = waiting;
  }

  /** Ends what was started already when the rest can't be. */
  static async start(waiting: EventWaiting): Promise<OurEvents> {
    const events = new OurEvents(waiting);
    try {
      await events.#open('client', 'there', 'back');
      await events.#open('broker', 'back', 'there');
      await Promise.all(events.#stations.map((station) => station.call('connected')));
      return events;
    } catch (error) {
      await events[Symbol.asyncDispose]();
      throw error;
    }
  }

  async trips(count: number): Promise<readonly number[]> {
    const [ping, echo] = this.#waiting === 'loop' ? ['loopTrips', 'loopEcho'] : ['trips', 'echo'];
    const batch: EventBatch = { count, ...(this.#waiting === 'block' ? { spinMs: 0 } : {}) };
    const [client, server] = this.#stations;
    const [times] = await Promise.all([
      client?.call<number[]>(ping as string, batch),
      server?.call(echo as string, batch),
    ]);
    return times ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#stations.map((station) => station.close()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #open(place: Place, notifies: string, listens: string): Promise<void> {
    const station = Station.start(new URL('./event-role.js', import.meta.url), { place });
    this.#stations.push(station);
    await station.call('open', { directory: this.#directory, notifies, listens });
  }
}
