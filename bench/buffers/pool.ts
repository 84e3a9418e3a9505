// Frames in buffers of a pool, against plain samples of the same length as their metadata.
import type { Row } from '../harness/row.js';
import type { Context, Measurement } from '../harness/suite.js';
import { latencyRow, OURS } from '../services/latency.js';
import { alternate, batchesOf } from '../services/pingpong.js';
import type { PingPong } from '../services/sides.js';
import { Started } from '../services/started.js';
import { FrameTurns } from './processes.js';

const ID = 'buffers.pool';
const PLAIN = 'plain sample';

const ABOUT = `
The turns of buffers.fd, both sides polling, with frames of a pool of 4 buffers: \`pool.acquire()\`, \`buffer.send(meta)\`, and on the other side
\`receiveHot()\`, a look at the metadata and the descriptor, and \`release()\`. Compared with plain samples of the same 64 bytes, encoded and
decoded by the same functions: \`loan\`, \`send\`, \`receive\` and \`release\` of the hot tier. The clock is read once before and once after each round trip;
\`mean ns\` and \`peer mean ns\` come from batches that read it only at their ends. Ratio: pool / plain, smaller is better.
`;

async function run(context: Context): Promise<Row[]> {
  await using started = new Started<PingPong>();
  started.add(OURS, await FrameTurns.start('pool', 'poll'));
  started.add(PLAIN, await FrameTurns.start('plain', 'poll'));
  const batches = batchesOf(context);
  const means = await alternate(started, batches, async (side) => [
    (await side.total(batches.count)) / batches.count,
  ]);
  const result = await alternate(started, batches, (side) => side.trips(batches.count));
  const more = {
    'mean ns': means.summary(OURS).p50 * 1000,
    'peer mean ns': means.summary(PLAIN).p50 * 1000,
    'ratio of means': means.ratio(OURS, PLAIN),
  };
  return [latencyRow({ id: ID, result, ours: OURS, peer: PLAIN, to: PLAIN, target: { atMost: 1.1 }, more })];
}

export const pool: Measurement = { ids: [ID], about: ABOUT, run };
