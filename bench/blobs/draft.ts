// Draft-and-put from populated memory against put, through the same connection to the same broker. Both sides end
// with the same sealed object in the broker and start from the same bytes in ordinary memory; the copy is included.
import { interleave } from '../harness/interleave.js';
import { makeRow, type Row } from '../harness/row.js';
import { Station } from '../harness/station.js';
import type { Context, Measurement } from '../harness/suite.js';
import { BrokerStation } from './broker-station.js';
import type { Batch } from './put-role.js';

const ID = 'blobs.draft.1MiB';
// A batch takes what the pool holds, so that every draft finds populated memory. Four are the pool's default.
const BATCH: Batch = { size: 2 ** 20, count: 4 };
// Enough that the pool runs dry unless its thread keeps up.
const SUSTAINED = 8 * BATCH.count;

const ABOUT = `
Ours: \`bus.draft(size, { pool })\`, a copy of 1 MiB into \`draft.bytes\`, \`draft.put()\`, waited for. Compared with:
\`bus.put(bytes)\` of the same bytes, waited for. Both through one connection to one broker; batches alternate. The pool
holds as many pieces as a batch has drafts and is full when the batch starts; what its thread does meanwhile to fill it
up again is in the figures as far as it is in the way. Nothing is pinned, for the pool's thread needs a core that its
owner does not use. Ratio: put / draft, larger is better. "sustained" is a draft in a row of eight times as many, without
waiting for the pool.
`;

async function run(context: Context): Promise<Row[]> {
  await using broker = await BrokerStation.start({ place: 'anywhere' });
  await using client = Station.start(new URL('./put-role.js', import.meta.url));
  await client.call('open', { socket: broker.socket });
  await client.call('openPool', BATCH);
  const sides = [
    { name: 'draft', run: () => client.call<number[]>('draft', { ...BATCH, full: true }) },
    { name: 'put', run: () => client.call<number[]>('put', BATCH) },
    {
      name: 'sustained',
      run: () => client.call<number[]>('draft', { ...BATCH, count: SUSTAINED, full: false }),
    },
  ];
  const result = await interleave(sides, {
    rounds: context.quick ? 20 : 150,
    warmup: 20,
    onRound: (round, rounds) => context.progress(`round ${round} of ${rounds}`),
  });
  const draft = result.summary('draft');
  const row = makeRow({
    id: ID,
    value: draft.p50,
    unit: 'us',
    ratio: result.ratio('put', 'draft'),
    to: 'put of 1 MiB',
    target: { atLeast: 2 },
    more: {
      p99: draft.p99,
      p999: draft.p999,
      peer: result.summary('put').p50,
      sustained: result.summary('sustained').p50,
    },
  });
  return [row];
}

export const draft: Measurement = { ids: [ID], about: ABOUT, run };
