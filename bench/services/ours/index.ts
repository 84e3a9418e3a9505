// Our side of each measurement. What is not here is not measured: its rows show the peer alone, or are left out.
import type { Context } from '../../harness/suite.js';
import type {
  ObservedPingPong,
  PingPong,
  PingPongOptions,
  StartExchange,
  Stream,
  StreamOptions,
  Turns,
} from '../sides.js';
import { measureDiscovery } from './discovery.js';
import { OurEvents } from './events.js';
import { OurExchange } from './exchange.js';
import { measureIdle } from './idle.js';
import { measureScale } from './scale.js';
import { OurStream } from './stream.js';
import { OurTurns, startTurns } from './turns.js';

/** A figure that is compared with nothing. */
export interface OwnFigure {
  /** What it is called within its measurement, where that has several. */
  readonly part?: string;
  readonly value: number;
  readonly unit: string;
  readonly more?: Readonly<Record<string, number>>;
}

/** The two tiers of samples: `hot` reuses one object a slot, `checked` is disposable and watched. */
export type Tier = 'hot' | 'checked';

export interface OurPingPongOptions extends PingPongOptions {
  readonly tier: Tier;
  /** Whether samples carry the time at which they were sent. */
  readonly timestamps: boolean;
  /** Whether the memory of the service grows. */
  readonly growing?: boolean;
}

export interface Ours {
  readonly pingPong?: (options: OurPingPongOptions) => Promise<PingPong>;
  /** In the hot tier, with timestamps. */
  readonly observedPingPong?: (options: PingPongOptions) => Promise<ObservedPingPong>;
  /** Each side sleeps until the other's sample wakes it: with its thread blocked, or in its event loop. */
  readonly wake?: (waiting: 'block' | 'loop') => Promise<Turns>;
  /** Each side waits for the other's event: asleep at once, after a moment of looking, or in its event loop. */
  readonly events?: (waiting: 'block' | 'spin' | 'loop') => Promise<Turns>;
  readonly stream?: (options: StreamOptions) => Promise<Stream>;
  /** Called in the producer's process, which is pinned already; the consumer is to run on the core it is told. */
  readonly exchange?: StartExchange;
  /** Bytes of memory that a service takes that nobody uses. */
  readonly idle?: (context: Context) => Promise<readonly OwnFigure[]>;
  /** Time from the second of two peers' creation until both are connected: a figure for each order and way of waiting. */
  readonly discovery?: (context: Context) => Promise<readonly OwnFigure[]>;
  /** 500 services and 100 nodes in one domain. */
  readonly scale?: (context: Context) => Promise<readonly OwnFigure[]>;
}

export const ours: Ours = {
  pingPong: (options) => OurTurns.start({ ...options, waiting: 'poll' }),
  observedPingPong: (options) =>
    OurTurns.start({ ...options, tier: 'hot', timestamps: true, waiting: 'poll' }),
  wake: (waiting) => startTurns(waiting),
  events: (waiting) => OurEvents.start(waiting),
  stream: (options) => OurStream.start(options),
  exchange: (consumers) => OurExchange.start(consumers),
  idle: measureIdle,
  discovery: measureDiscovery,
  scale: measureScale,
};
