// What it costs to be observed: ping-pong of nodes whose figures somebody looks at, against those of which nobody does.
import { setTimeout } from 'node:timers/promises';
import { makeRow, type Row } from '../harness/row.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { ours } from './ours/index.js';
import { alternate, batchesOf } from './pingpong.js';
import type { ObservedPingPong, PingPong } from './sides.js';
import { Started } from './started.js';

const ID = 'services.observed';
const PAYLOAD_BYTES = 8192;
const TARGET = { atMost: 1.02 };
const SETTLE_MS = 200;
const OBSERVED = 'observed';
const UNOBSERVED = 'not observed';

const ABOUT = `
The turns of services.pingpong, ours alone in the hot tier, of one pair of processes: while a third process looks at the figures of both nodes
every second (as \`sealane top\` does), and while nobody looks, batch by batch in turns. Ratio: observed / not observed, smaller is better.
`;

/** Turns of two processes that everybody shares, each batch of which is observed or not. */
class Looked implements PingPong {
  readonly #turns: ObservedPingPong;
  readonly #observed: boolean;

  constructor(turns: ObservedPingPong, observed: boolean) {
    this.#turns = turns;
    this.#observed = observed;
  }

  async trips(count: number): Promise<readonly number[]> {
    await this.#prepare();
    return this.#turns.trips(count);
  }

  async total(count: number): Promise<number> {
    await this.#prepare();
    return this.#turns.total(count);
  }

  /** Beginning and ending to look is work of its own, and what follows it is measured: not the beginning. */
  async #prepare(): Promise<void> {
    await this.#turns.setObserved(this.#observed);
    await setTimeout(SETTLE_MS);
  }

  /** The turns belong to whoever made them. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

async function run(context: Context): Promise<Row[]> {
  if (ours.observedPingPong === undefined) throw new Skipped('our side is not there');
  await using turns = await ours.observedPingPong({ payloadBytes: PAYLOAD_BYTES });
  await using started = new Started<PingPong>();
  started.add(OBSERVED, new Looked(turns, true));
  started.add(UNOBSERVED, new Looked(turns, false));
  // It takes a second until somebody looks: fewer batches, and longer ones.
  const usual = batchesOf(context);
  const batches = { ...usual, count: 4 * usual.count, rounds: Math.ceil(usual.rounds / 3), warmup: 2 };
  const means = await alternate(started, batches, async (side) => [
    (await side.total(batches.count)) / batches.count,
  ]);
  const result = await alternate(started, batches, (side) => side.trips(batches.count));
  const { p50, p99, p999 } = result.summary(OBSERVED);
  return [
    makeRow({
      id: ID,
      value: p50,
      unit: 'us',
      ratio: result.ratio(OBSERVED, UNOBSERVED),
      to: 'nobody observes',
      target: TARGET,
      more: {
        ...{ p99, p999, peer: result.summary(UNOBSERVED).p50 },
        'mean ns': means.summary(OBSERVED).p50 * 1_000,
        'peer mean ns': means.summary(UNOBSERVED).p50 * 1_000,
        'ratio of means': means.ratio(OBSERVED, UNOBSERVED),
      },
    }),
  ];
}

export const observed: Measurement = { ids: [ID], about: ABOUT, run };
