// One payload to one other process and an answer back, written and read in full: ours against what Node.js users have.
import { type Interleaved, interleave, type Side } from '../harness/interleave.js';
import { fetchPeer } from '../harness/peers.js';
import { coreOf } from '../harness/pinning.js';
import { makeRow, type Row } from '../harness/row.js';
import { Station } from '../harness/station.js';
import type { Context, Measurement } from '../harness/suite.js';
import { OURS } from './latency.js';
import { ours } from './ours/index.js';
import { Started } from './started.js';
import type { Batch, Setup, Way } from './vs-ways.js';

interface Case {
  readonly label: string;
  readonly size: number;
  /** Deliveries in one batch. */
  readonly count: number;
  readonly rounds: number;
  readonly quickRounds: number;
  readonly warmup: number;
}

const KIB = 1024;
const MIB = 2 ** 20;
const CASES: readonly Case[] = [
  { label: '1KiB', size: KIB, count: 200, rounds: 30, quickRounds: 3, warmup: 5 },
  { label: '1MiB', size: MIB, count: 10, rounds: 30, quickRounds: 3, warmup: 4 },
  { label: '16MiB', size: 16 * MIB, count: 2, rounds: 15, quickRounds: 2, warmup: 2 },
];

const PEERS: Readonly<Record<Exclude<Way, 'sealane'>, string>> = {
  child_process: 'child_process (advanced)',
  net: 'node:net, Unix socket',
  zeromq: 'zeromq.js, ipc',
};

const ABOUT = `
A producer and a consumer, a process and a core each. The clock starts before the producer writes the payload (a fill of
all of it with the round's value, and a mark at the end), and stops when it has the consumer's answer that it has the
payload as one Uint8Array and has looked at every byte of it (Buffer.indexOf of the mark, which is memchr at the speed of
memory). Ours writes into a loaned sample and answers with a sample. The peers write into one array of ordinary memory.
child_process: \`child.send(bytes)\` with serialization 'advanced', answered by a message. node:net: the size and the bytes
over a Unix stream socket, read straight into one array (\`onread\`). zeromq.js: a pair of sockets over ipc, one message
each way. All alternate. Ratio: peer / ours, larger is better.
`;

function idOf(peer: string, which: Case): string {
  return `services.vs.${peer}.${which.label}`;
}

function peersWanted(context: Context, which: Case): Exclude<Way, 'sealane'>[] {
  const names = Object.keys(PEERS) as Exclude<Way, 'sealane'>[];
  return names.filter((peer) => context.wants(idOf(peer, which)));
}

async function startWay(way: Way, started: Started<Station>): Promise<void> {
  const station = Station.start(new URL('./vs-producer.js', import.meta.url), { place: 'client' });
  started.add(way, station);
  await station.call('setup', { way, core: coreOf('broker') } satisfies Setup);
}

async function startWays(context: Context, started: Started<Station>): Promise<void> {
  if (ours.exchange !== undefined) await startWay(OURS, started);
  const wanted = new Set(CASES.flatMap((which) => peersWanted(context, which)));
  for (const peer of wanted) {
    const failure = peer === 'zeromq' ? fetchPeer(peer) : undefined;
    if (failure === undefined) await startWay(peer, started);
    else context.leaveOut(PEERS[peer], failure);
  }
}

function rowOf(result: Interleaved, peer: Exclude<Way, 'sealane'>, which: Case): Row {
  const theirs = result.summary(peer);
  const mine = result.has(OURS) ? result.summary(OURS) : undefined;
  return makeRow({
    id: idOf(peer, which),
    value: mine?.p50 ?? Number.NaN,
    unit: 'us',
    ...(mine === undefined ? {} : { ratio: result.ratio(peer, OURS) }),
    to: PEERS[peer],
    more: {
      ...(mine === undefined ? {} : { p99: mine.p99, p999: mine.p999 }),
      ...{ peer: theirs.p50, peerP99: theirs.p99, peerP999: theirs.p999 },
    },
    histograms: {
      ...(mine === undefined ? {} : { [OURS]: result.histogram(OURS) }),
      [peer]: result.histogram(peer),
    },
  });
}

async function measure(context: Context, started: Started<Station>, which: Case): Promise<Row[]> {
  const batch: Batch = { size: which.size, count: which.count };
  const sides: Side[] = [...started.sides].map(([name, station]) => ({
    name,
    run: () => station.call<number[]>('deliver', batch),
  }));
  const result = await interleave(sides, {
    rounds: context.quick ? which.quickRounds : which.rounds,
    warmup: which.warmup,
    onRound: (round, rounds) => context.progress(`${which.label}, round ${round} of ${rounds}`),
  });
  return peersWanted(context, which)
    .filter((peer) => result.has(peer))
    .map((peer) => rowOf(result, peer, which));
}

async function run(context: Context): Promise<Row[]> {
  await using started = new Started<Station>();
  await startWays(context, started);
  const rows: Row[] = [];
  for (const which of CASES) {
    if (peersWanted(context, which).length > 0) rows.push(...(await measure(context, started, which)));
  }
  return rows;
}

export const vs: Measurement = {
  ids: Object.keys(PEERS).flatMap((peer) => CASES.map((which) => idOf(peer, which))),
  about: ABOUT,
  run,
};
