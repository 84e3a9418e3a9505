// Put against the bare system calls. Both sides: one client and one broker process, client on one core and broker on
// the other; the client creates a memfd, writes the bytes, seals it, sends the descriptor over SOCK_SEQPACKET; the
// broker receives and validates it (file type, file system, size, seals), keeps it and answers; the client waits.
import { interleave, type Side } from '../harness/interleave.js';
import { buildPeers, Peer } from '../harness/peers.js';
import { coreOf } from '../harness/pinning.js';
import { makeRow, type Row, type Target } from '../harness/row.js';
import { Station } from '../harness/station.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { BrokerStation } from './broker-station.js';

interface Case {
  readonly label: string;
  readonly size: number;
  /** Puts in one batch; their objects are held together, so this bounds memory. */
  readonly count: number;
  readonly rounds: number;
  readonly quickRounds: number;
  /** Rounds until the code of both processes is compiled. */
  readonly warmup: number;
  readonly target: Target;
}

const CASES: readonly Case[] = [
  { label: '4KiB', size: 4096, count: 100, rounds: 80, quickRounds: 8, warmup: 10, target: { atMost: 3 } },
  { label: '1MiB', size: 2 ** 20, count: 16, rounds: 60, quickRounds: 6, warmup: 4, target: { atMost: 1.3 } },
  {
    label: '64MiB',
    size: 64 * 2 ** 20,
    count: 2,
    rounds: 20,
    quickRounds: 3,
    warmup: 1,
    target: { atMost: 1.3 },
  },
];

const PEER = 'C client and broker';

const ABOUT = `
Ours: a Node.js client calls \`bus.put(bytes)\` and waits for it, a Node.js broker answers. Theirs: two C processes that
do the bare system calls (bench/peers/put_pair.c): memfd_create, write, F_ADD_SEALS, sendmsg with the descriptor,
recvmsg, fstat, fstatfs, F_GET_SEALS, an answer of 16 bytes, close. Both put the same bytes from memory that is
already there, without a digest, one after the other; client and broker have a core each, the same two cores for
both sides; batches of both sides alternate. Objects are dropped one by one after each batch, which is not timed, so
that both find the kernel's free pages in the same state. Ratio: ours / theirs, smaller is better.
`;

async function compare(which: Case, client: Station, peer: Peer, context: Context): Promise<Row> {
  const ours: Side = {
    name: 'ours',
    run: () => client.call<number[]>('put', { size: which.size, count: which.count }),
  };
  const theirs: Side = {
    name: 'theirs',
    run: async () =>
      (await peer.ask(`put ${which.size} ${which.count}`)).map((nanoseconds) => nanoseconds / 1000),
  };
  const result = await interleave([ours, theirs], {
    rounds: context.quick ? which.quickRounds : which.rounds,
    warmup: which.warmup,
    onRound: (round, rounds) => context.progress(`${which.label}, round ${round} of ${rounds}`),
  });
  const mine = result.summary('ours');
  const other = result.summary('theirs');
  return makeRow({
    id: `blobs.put.${which.label}`,
    value: mine.p50,
    unit: 'us',
    ratio: result.ratio('ours', 'theirs'),
    to: PEER,
    target: which.target,
    more: { p99: mine.p99, p999: mine.p999, peer: other.p50, peerP99: other.p99, peerP999: other.p999 },
  });
}

async function run(context: Context): Promise<Row[]> {
  const failure = buildPeers();
  if (failure !== undefined) throw new Skipped(failure);
  await using broker = await BrokerStation.start();
  await using client = Station.start(new URL('./put-role.js', import.meta.url), { place: 'client' });
  await client.call('open', { socket: broker.socket });
  await using peer = Peer.start('put_pair', [coreOf('client'), coreOf('broker')]);
  const rows: Row[] = [];
  for (const which of CASES) {
    if (context.wants(`blobs.put.${which.label}`)) rows.push(await compare(which, client, peer, context));
  }
  return rows;
}

export const put: Measurement = { ids: CASES.map((which) => `blobs.put.${which.label}`), about: ABOUT, run };
