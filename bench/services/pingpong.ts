// Ping-pong between two processes that poll: our two tiers against iceoryx2, and our smallest payload against our
// largest.
import { type Interleaved, type InterleaveOptions, interleave, type Side } from '../harness/interleave.js';
import { makeRow, type Row } from '../harness/row.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { Iceoryx2PingPong } from './iceoryx2.js';
import { addIceoryx2, ICEORYX2, ICEORYX2_TITLE } from './iceoryx2-sides.js';
import { latencyRow, OURS, oneWayUs } from './latency.js';
import { ours } from './ours/index.js';
import type { PingPong } from './sides.js';
import { Started } from './started.js';

const HOT_ID = 'services.pingpong';
const CHECKED_ID = 'services.pingpong.checked';
const PLAIN_ID = 'services.pingpong.plain';
const FLAT_ID = 'services.flat';
const GROW_ID = 'services.grow';
const PAYLOAD_BYTES = 8192;
const SMALL_BYTES = 64;
const LARGE_BYTES = 64 * 2 ** 20;
/** The tiers are sides of one run; the hot one carries the simple name. */
const CHECKED = 'sealane, checked';
const PLAIN = 'sealane, no timestamps';
const SIDES = [
  [HOT_ID, OURS, { tier: 'hot', timestamps: true }],
  [CHECKED_ID, CHECKED, { tier: 'checked', timestamps: true }],
  [PLAIN_ID, PLAIN, { tier: 'hot', timestamps: false }],
] as const;
const TARGET = { atMost: 1.25 };
const FLAT_TARGET = { atMost: 1.1 };
const GROW_TARGET = { atMost: 1.05 };

const ABOUT = `
Two processes, a core each, both busy-polling. One loans a sample of 8 KiB, writes a counter into its first 8 bytes and
sends it; the other receives it, reads the counter, releases the sample, and answers with a sample made the same way.
Theirs: a Rust program of ours (bench/peers/iceoryx2) on iceoryx2's publish-subscribe with a buffer of one sample and
safe overflow, as in iceoryx2's own benchmark; loans are part of the round trip on both sides. A figure is half a round
trip. The clock is read once before and once after each; \`mean ns\` and \`peer mean ns\` come from batches that read it only at
their ends. Our samples carry the time at which they were sent, a look at the clock each, which iceoryx2's header has no
place for; services.pingpong.plain is the hot tier with \`timestamps: false\`. Batches of all sides alternate, and whoever's turn it isn't sleeps. Ratio: ours / theirs, smaller is better.
`;

const FLAT_ABOUT = `
The same turns, ours alone in the hot tier, with samples of 64 MiB and of 64 bytes, of which 8 bytes are written and read.
Ratio: 64 MiB / 64 bytes, smaller is better.
`;

const GROW_ABOUT = `
The same turns, ours alone in the hot tier, with samples of 8 KiB: in a service whose memory grows, after the first sample made a
segment for its size, and in one that is bounded to it. Ratio: growing / bounded, smaller is better.
`;

/** The sides of services.grow. */
const GROWING = 'growing';
const BOUNDED = 'bounded';

export interface Batches extends InterleaveOptions {
  /** Round trips in one. */
  readonly count: number;
}

export function batchesOf(context: Context): Batches {
  return {
    count: context.quick ? 2_000 : 20_000,
    rounds: context.quick ? 4 : 40,
    warmup: context.quick ? 2 : 8,
    onRound: (round, rounds) => context.progress(`round ${round} of ${rounds}`),
  };
}

type Batch = (side: PingPong) => Promise<readonly number[]>;

/** One-way times of all sides, batch by batch in turns. */
export function alternate(started: Started<PingPong>, batches: Batches, batch: Batch): Promise<Interleaved> {
  const sides: Side[] = [...started.sides].map(([name, side]) => ({
    name,
    run: async () => (await batch(side)).map(oneWayUs),
  }));
  return interleave(sides, batches);
}

async function startSides(context: Context, started: Started<PingPong>): Promise<void> {
  const options = { payloadBytes: PAYLOAD_BYTES };
  if (ours.pingPong !== undefined) {
    for (const [id, name, kind] of SIDES) {
      if (context.wants(id)) started.add(name, await ours.pingPong({ ...options, ...kind }));
    }
  }
  await addIceoryx2(context, started, () => Iceoryx2PingPong.start(options));
  if (started.sides.size === 0) throw new Skipped('neither our side nor the peer is there');
}

/** Nanoseconds one way without the clock's share, of the sides that are there. */
function meansOf(means: Interleaved, side: string): Record<string, number> {
  const figures: Record<string, number> = {};
  if (means.has(side)) figures['mean ns'] = means.summary(side).p50 * 1000;
  if (means.has(ICEORYX2)) figures['peer mean ns'] = means.summary(ICEORYX2).p50 * 1000;
  if (means.has(side) && means.has(ICEORYX2)) figures['ratio of means'] = means.ratio(side, ICEORYX2);
  return figures;
}

async function run(context: Context): Promise<Row[]> {
  await using started = new Started<PingPong>();
  await startSides(context, started);
  const batches = batchesOf(context);
  const means = await alternate(started, batches, async (side) => [
    (await side.total(batches.count)) / batches.count,
  ]);
  const result = await alternate(started, batches, (side) => side.trips(batches.count));
  const shared = { result, peer: ICEORYX2, to: ICEORYX2_TITLE };
  const compare = (id: string, name: string) => ({ ...shared, id, ours: name, more: meansOf(means, name) });
  return [
    latencyRow({ ...compare(HOT_ID, OURS), target: TARGET }),
    latencyRow({ ...compare(CHECKED_ID, CHECKED), target: TARGET }),
    latencyRow(compare(PLAIN_ID, PLAIN)),
  ];
}

async function runFlat(context: Context): Promise<Row[]> {
  if (ours.pingPong === undefined) throw new Skipped('our side is not there');
  await using started = new Started<PingPong>();
  for (const payloadBytes of [SMALL_BYTES, LARGE_BYTES]) {
    started.add(String(payloadBytes), await ours.pingPong({ payloadBytes, tier: 'hot', timestamps: true }));
  }
  const batches = batchesOf(context);
  const result = await alternate(started, batches, (side) => side.trips(batches.count));
  const large = result.summary(String(LARGE_BYTES));
  return [
    makeRow({
      id: FLAT_ID,
      value: large.p50,
      unit: 'us',
      ratio: result.ratio(String(LARGE_BYTES), String(SMALL_BYTES)),
      to: '64 bytes',
      target: FLAT_TARGET,
      more: { p99: large.p99, p999: large.p999, peer: result.summary(String(SMALL_BYTES)).p50 },
    }),
  ];
}

/** The median of the means of each round, too: single trips are measured in steps of the clock. */
async function runGrow(context: Context): Promise<Row[]> {
  if (ours.pingPong === undefined) throw new Skipped('our side is not there');
  await using started = new Started<PingPong>();
  const options = { payloadBytes: PAYLOAD_BYTES, tier: 'hot', timestamps: true } as const;
  started.add(BOUNDED, await ours.pingPong(options));
  started.add(GROWING, await ours.pingPong({ ...options, growing: true }));
  const batches = batchesOf(context);
  const means = await alternate(started, batches, async (side) => [
    (await side.total(batches.count)) / batches.count,
  ]);
  const result = await alternate(started, batches, (side) => side.trips(batches.count));
  const growing = result.summary(GROWING);
  return [
    makeRow({
      id: GROW_ID,
      value: growing.p50,
      unit: 'us',
      ratio: result.ratio(GROWING, BOUNDED),
      to: 'bounded',
      target: GROW_TARGET,
      more: {
        ...{ p99: growing.p99, p999: growing.p999, peer: result.summary(BOUNDED).p50 },
        'ratio of means': means.ratio(GROWING, BOUNDED),
      },
    }),
  ];
}

export const pingPong: Measurement = { ids: [HOT_ID, CHECKED_ID, PLAIN_ID], about: ABOUT, run };

export const flat: Measurement = { ids: [FLAT_ID], about: FLAT_ABOUT, run: runFlat };

export const grow: Measurement = { ids: [GROW_ID], about: GROW_ABOUT, run: runGrow };
