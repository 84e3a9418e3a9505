// Put and get through the memfdbus socket by a C program that speaks it, and what of a put is the digest: the same content
// hashed by the same function alone, and the put of the same bytes by a native client, which needs none.
import { createHash } from 'node:crypto';
import { type Interleaved, interleave, type Side } from '../harness/interleave.js';
import { buildPeers, Peer } from '../harness/peers.js';
import { makeRow, type Row } from '../harness/row.js';
import { Station } from '../harness/station.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { BrokerStation } from './broker-station.js';

interface Case {
  readonly label: string;
  readonly size: number;
  /** Objects in one batch; they are held together, so this bounds memory. */
  readonly count: number;
  readonly rounds: number;
  readonly quickRounds: number;
  readonly warmup: number;
}

const CASES: readonly Case[] = [
  { label: '4KiB', size: 4096, count: 50, rounds: 60, quickRounds: 6, warmup: 10 },
  { label: '1MiB', size: 2 ** 20, count: 16, rounds: 40, quickRounds: 4, warmup: 4 },
  { label: '64MiB', size: 64 * 2 ** 20, count: 2, rounds: 15, quickRounds: 2, warmup: 1 },
];

const ABOUT = `
A C program speaks memfdbus to a broker in another process, a core each (bench/peers/memfdbus_client.c): a connection for every
request, as that protocol wants it. A put is timed from bytes in memory to the answer: memfd_create, write, F_ADD_SEALS, connect,
request, answer, close; the digest that it states was computed before. The broker verifies it before it answers. A get is
timed from connect to the descriptor and the text of the digest. blobs.memfdbus.SIZE is the put, compared with \`bus.put(bytes)\`
of a native Node.js client to the same broker, which states no digest. Ratio: memfdbus / native, smaller is better.
"digest alone" is the same hash of as many bytes in a memfd just written, by a process on the broker's core that does nothing
else; "digest %" is its share of the put, by round; what is left of the put is "without digest".
blobs.memfdbus.SIZE.get is the get. Batches of all of them alternate.
`;

/** Digests of the contents of one batch, as the C program makes them: 0x5a, and the object's number in the first 8 bytes. */
function digestsOf({ size, count }: Case): string[] {
  const bytes = Buffer.alloc(size, 0x5a);
  return Array.from({ length: count }, (_, index) => {
    bytes.writeBigUInt64LE(BigInt(index));
    return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  });
}

interface Stations {
  readonly peer: Peer;
  readonly client: Station;
  readonly hasher: Station;
}

/** One round of the C program gives the samples of two sides. */
function sidesOf(which: Case, { peer, client, hasher }: Stations): Side[] {
  const { size, count } = which;
  const line = ['round', size, count, ...digestsOf(which)].join(' ');
  let gets: number[] = [];
  const run = async (): Promise<number[]> => {
    const samplesUs = (await peer.ask(line)).map((nanoseconds) => nanoseconds / 1000);
    gets = samplesUs.slice(count);
    return samplesUs.slice(0, count);
  };
  return [
    { name: 'put', run },
    { name: 'get', run: async () => gets },
    { name: 'native', run: () => client.call<number[]>('put', { size, count }) },
    { name: 'digest', run: () => hasher.call<number[]>('digest', { size, count }) },
  ];
}

function rowsOf(which: Case, result: Interleaved): Row[] {
  const [put, get, native, digest] = ['put', 'get', 'native', 'digest'].map((name) => result.summary(name));
  if (put === undefined || get === undefined || native === undefined || digest === undefined) return [];
  const share = result.ratio('digest', 'put');
  const id = `blobs.memfdbus.${which.label}`;
  return [
    makeRow({
      id,
      value: put.p50,
      unit: 'us',
      ratio: result.ratio('put', 'native'),
      to: 'native put, no digest',
      more: {
        p99: put.p99,
        p999: put.p999,
        peer: native.p50,
        'digest alone': digest.p50,
        'digest %': 100 * share,
        'without digest': put.p50 * (1 - share),
      },
    }),
    makeRow({ id: `${id}.get`, value: get.p50, unit: 'us', more: { p99: get.p99, p999: get.p999 } }),
  ];
}

async function measure(which: Case, stations: Stations, context: Context): Promise<Row[]> {
  const result = await interleave(sidesOf(which, stations), {
    rounds: context.quick ? which.quickRounds : which.rounds,
    warmup: which.warmup,
    onRound: (round, rounds) => context.progress(`${which.label}, round ${round} of ${rounds}`),
  });
  return rowsOf(which, result);
}

async function run(context: Context): Promise<Row[]> {
  const failure = buildPeers();
  if (failure !== undefined) throw new Skipped(failure);
  await using broker = await BrokerStation.start({ memfdbus: true });
  await using client = Station.start(new URL('./put-role.js', import.meta.url), { place: 'client' });
  await client.call('open', { socket: broker.socket });
  await using hasher = Station.start(new URL('./digest-role.js', import.meta.url), { place: 'broker' });
  await using peer = Peer.start('memfdbus_client', [broker.memfdbusSocket, 'bench'], 'client');
  const rows: Row[] = [];
  for (const which of CASES) {
    if (context.wants(`blobs.memfdbus.${which.label}`))
      rows.push(...(await measure(which, { peer, client, hasher }, context)));
  }
  return rows;
}

export const memfdbus: Measurement = {
  ids: CASES.map((which) => `blobs.memfdbus.${which.label}`),
  about: ABOUT,
  run,
};
