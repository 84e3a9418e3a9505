/**
 * The turns of memfdbus clients, at computing digests and at other long work: a process has one of each, however many connections it
 * has, because it needs one for each request. Owns the lanes.
 */
import { DigestLane } from '../digests.js';
import { WorkLane } from '../work.js';
import type { Holder } from './greed.js';

/** Where the work for one process waits for its turn. */
export interface Turns {
  readonly digests: DigestLane;
  readonly work: WorkLane;
}

export class TurnsByProcess {
  readonly #processes = new Map<string, Turns & { connections: number }>();

  /** The turns of a process, for one more connection. Undone by {@link leave}. */
  enter(client: Holder): Turns {
    const { uid } = client;
    const turns = this.#processes.get(keyOf(client)) ?? {
      digests: new DigestLane(uid),
      work: new WorkLane(uid),
      connections: 0,
    };
    turns.connections++;
    this.#processes.set(keyOf(client), turns);
    return turns;
  }

  /** Connections of a process. */
  connections(client: Holder): number {
    return this.#processes.get(keyOf(client))?.connections ?? 0;
  }

  leave(client: Holder): void {
    const turns = this.#processes.get(keyOf(client));
    if (turns !== undefined && --turns.connections === 0) this.#processes.delete(keyOf(client));
  }
}

function keyOf({ uid, pid }: Holder): string {
  return `${uid}/${pid}`;
}
