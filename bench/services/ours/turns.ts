// Ping-pong between two of our processes: polling in either tier, asleep with the thread blocked, or in the event loop.
import type { ServiceOptions } from 'sealane';
import type { Station } from '../../harness/station.js';
import type { ObservedPingPong, PingPongOptions, Turns } from '../sides.js';
import { Group } from './group.js';
import type { Tier } from './index.js';
import { Observation } from './observation.js';
import type { Batch } from './role.js';

/** As the peer: one sample waits, a newer one replaces it. */
const SETTINGS: ServiceOptions = {
  ...{ bufferSize: 1, overflow: true, maxPublishers: 1, maxSubscribers: 1, maxNodes: 2 },
  ...{ maxBorrowed: 2, maxLoaned: 2 },
};

/** How the two sides wait for each other. */
export type Waiting = 'poll' | 'block' | 'loop';

export interface TurnsOptions extends PingPongOptions {
  readonly tier: Tier;
  readonly waiting: Waiting;
  readonly timestamps: boolean;
  /** In a service whose memory grows: to the payload, with the first sample, and there is room for much more. */
  readonly growing?: boolean;
}

export class OurTurns implements ObservedPingPong {
  readonly #group: Group;
  readonly #ping: Station;
  readonly #echo: Station;
  readonly #batch: Omit<Batch, 'count'>;
  readonly #loop: boolean;
  #observation: Observation | undefined;

  private constructor(group: Group, ping: Station, echo: Station, options: TurnsOptions) {
    this.#group = group;
    this.#ping = ping;
    this.#echo = echo;
    this.#loop = options.waiting === 'loop';
    this.#batch = { payloadBytes: options.payloadBytes, sleeps: options.waiting === 'block' };
  }

  static start(options: TurnsOptions): Promise<OurTurns> {
    const group = new Group();
    const { tier, timestamps, payloadBytes, growing = false } = options;
    const size: ServiceOptions = growing
      ? { payload: 'growing', maxBytes: 2 ** 32 }
      : { maxBytes: payloadBytes };
    const ports = { tier, timestamps, prefault: true, settings: { ...SETTINGS, ...size } };
    return group.build(async () => {
      const echo = await group.start('broker', { ...ports, sendsTo: 'back', receivesFrom: 'there' });
      const ping = await group.start('client', { ...ports, sendsTo: 'there', receivesFrom: 'back' });
      await Promise.all([ping, echo].map((station) => station.call('connected', { subscribers: 1 })));
      return new OurTurns(group, ping, echo, options);
    });
  }

  /** Has somebody look at the figures of both nodes from now on, or nobody. */
  async setObserved(observed: boolean): Promise<void> {
    if (observed === (this.#observation !== undefined)) return;
    const former = this.#observation;
    this.#observation = observed ? await Observation.start(this.#group.directory, 2) : undefined;
    await former?.[Symbol.asyncDispose]();
  }

  async trips(count: number): Promise<readonly number[]> {
    const [ping, echo] = this.#loop ? ['loopTrips', 'loopEcho'] : ['trips', 'echo'];
    return this.#both<number[]>(ping as string, echo as string, count);
  }

  total(count: number): Promise<number> {
    return this.#both('total', 'echo', count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.setObserved(false);
    await this.#group[Symbol.asyncDispose]();
  }

  async #both<Output>(ping: string, echo: string, count: number): Promise<Output> {
    const batch = { ...this.#batch, count };
    const [output] = await Promise.all([this.#ping.call<Output>(ping, batch), this.#echo.call(echo, batch)]);
    return output;
  }
}

/** The smallest samples: what is measured is the waking. */
export function startTurns(waiting: Waiting): Promise<Turns> {
  return OurTurns.start({ payloadBytes: 8, tier: 'hot', waiting, timestamps: true });
}
