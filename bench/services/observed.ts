// What it costs to be observed: ping-pong of nodes whose figures somebody looks at, against those of which nobody does.
import { makeRow, type Row } from '../harness/row.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { ours } from './ours/index.js';
import { alternate, batchesOf } from './pingpong.js';
import type { PingPong } from './sides.js';
import { Started } from './started.js';

const ID = 'services.observed';
const PAYLOAD_BYTES = 8192;
const TARGET = { atMost: 1.02 };
const OBSERVED = 'observed';
const UNOBSERVED = 'not observed';

const ABOUT = `
The turns of services.pingpong, ours alone in the hot tier, of two pairs of processes: while a third process looks at the figures of both nodes
every second (as \`sealane top\` does), and while nobody looks. Batches of both alternate in one run. Ratio: observed / not observed, of the means
of batches without the clock's share, smaller is better.
`;

async function run(context: Context): Promise<Row[]> {
  if (ours.pingPong === undefined) throw new Skipped('our side is not there');
  await using started = new Started<PingPong>();
  const options = { payloadBytes: PAYLOAD_BYTES, tier: 'hot', timestamps: true } as const;
  started.add(OBSERVED, await ours.pingPong({ ...options, observed: true }));
  started.add(UNOBSERVED, await ours.pingPong(options));
  const batches = batchesOf(context);
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
      ratio: means.ratio(OBSERVED, UNOBSERVED),
      to: 'nobody observes',
      target: TARGET,
      more: {
        ...{ p99, p999, peer: result.summary(UNOBSERVED).p50 },
        'mean ns': means.summary(OBSERVED).p50 * 1_000,
        'peer mean ns': means.summary(UNOBSERVED).p50 * 1_000,
        'ratio of medians': result.ratio(OBSERVED, UNOBSERVED),
      },
    }),
  ];
}

export const observed: Measurement = { ids: [ID], about: ABOUT, run };
