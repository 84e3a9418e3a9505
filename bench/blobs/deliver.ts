// Delivery of one payload to several consumers, until each of them has looked at every byte: through the bus and
// through what Node.js programs use today. One producer process per way; each consumer is a process, or a worker.
import { interleave, type Side } from '../harness/interleave.js';
import { makeRow, type Row } from '../harness/row.js';
import { Station } from '../harness/station.js';
import type { Context, Measurement } from '../harness/suite.js';
import { BrokerStation } from './broker-station.js';
import type { Setup, Way } from './deliver/ways.js';

interface Case {
  readonly label: string;
  readonly size: number;
  readonly rounds: number;
  readonly quickRounds: number;
  readonly warmup: number;
}

const MIB = 2 ** 20;
const LARGEST_BYTES = 256 * MIB;
const CASES: readonly Case[] = [
  { label: '1MiB', size: MIB, rounds: 30, quickRounds: 5, warmup: 3 },
  { label: '16MiB', size: 16 * MIB, rounds: 10, quickRounds: 1, warmup: 1 },
  { label: '256MiB', size: LARGEST_BYTES, rounds: 3, quickRounds: 1, warmup: 0 },
];
const CONSUMERS: readonly number[] = [1, 2, 8];

const OURS: Way = 'bus';
const PEERS: Readonly<Record<Exclude<Way, 'bus'>, string>> = {
  child: 'child_process (advanced)',
  socket: 'node:net, Unix socket',
  stream: 'node:net, nothing kept',
  worker: 'worker_threads postMessage',
};

const ABOUT = `
The producer has the payload in ordinary memory. The clock starts when it begins to deliver, and stops when it has
the answers of all consumers that they have the payload as one Uint8Array and have looked at every byte of it (all do
the same: Buffer.indexOf of a byte that stands only at the end, which is memchr at the speed of memory). Ours:
\`bus.put(bytes)\`, consumers watch its name, and each maps the object. child_process: \`child.send(bytes)\` with
serialization 'advanced' to each child. node:net: \`write\` of the same bytes to each consumer's Unix stream socket; the
consumer is told the size and reads straight into one array (\`onread\`), without a copy of its own. worker_threads:
\`postMessage(bytes)\` to each worker, copied, since a transferred buffer reaches only one.

"Nothing kept" is the same socket with a consumer that does less than the others: it looks at each piece in one small
buffer and forgets it, so that the bytes never leave the processor's cache. It is what a program can use that needs
the bytes once, in order, and never as a whole.

Answers go each way's own way back; ours, whose bus has none, over the child's IPC channel. All ways alternate within
a round; nothing is pinned. Dropping ours is not timed, nor is the collection of the peers' garbage. Ratio: peer /
ours, larger is better. With more consumers than cores everything waits for a core.
`;

/** The producers, one for each way, with their consumers. */
class Deliverers implements AsyncDisposable {
  readonly stations = new Map<Way, Station>();

  async setup(setup: Omit<Setup, 'way'>): Promise<void> {
    for (const way of [OURS, ...Object.keys(PEERS)] as Way[]) {
      const station = Station.start(new URL('./deliver/producer.js', import.meta.url));
      this.stations.set(way, station);
      await station.call('setup', { ...setup, way } satisfies Setup);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const station of this.stations.values()) await station.close();
  }
}

function sidesFor(deliverers: Deliverers, size: number): Side[] {
  return [...deliverers.stations].map(([way, station]) => ({
    name: way,
    run: async () => [await station.call<number>('deliver', { size })],
  }));
}

async function measure(
  which: Case,
  consumers: number,
  deliverers: Deliverers,
  context: Context,
): Promise<Row[]> {
  const id = `blobs.deliver.${which.label}.${consumers}`;
  const result = await interleave(sidesFor(deliverers, which.size), {
    rounds: context.quick ? which.quickRounds : which.rounds,
    warmup: which.warmup,
    onRound: (round, rounds) =>
      context.progress(`${which.label} to ${consumers}, round ${round} of ${rounds}`),
  });
  const ours = result.summary(OURS);
  return Object.entries(PEERS).map(([way, name]) =>
    makeRow({
      id,
      value: ours.p50,
      unit: 'us',
      ratio: result.ratio(way, OURS),
      to: name,
      more: { peer: result.summary(way).p50 },
    }),
  );
}

/** A quick run leaves out the largest payload to several consumers, where the peers take seconds. */
function casesFor(consumers: number, context: Context): Case[] {
  return CASES.filter((which) => {
    if (context.quick && consumers > 1 && which.size === LARGEST_BYTES) return false;
    return context.wants(`blobs.deliver.${which.label}.${consumers}`);
  });
}

async function run(context: Context): Promise<Row[]> {
  await using broker = await BrokerStation.start({ place: 'anywhere' });
  const rows: Row[] = [];
  for (const consumers of CONSUMERS) {
    const wanted = casesFor(consumers, context);
    if (wanted.length === 0) continue;
    context.progress(`starting ${consumers} consumers`);
    await using deliverers = new Deliverers();
    await deliverers.setup({ consumers, socket: broker.socket });
    for (const which of wanted) rows.push(...(await measure(which, consumers, deliverers, context)));
  }
  return rows;
}

export const deliver: Measurement = {
  ids: CASES.flatMap((which) => CONSUMERS.map((count) => `blobs.deliver.${which.label}.${count}`)),
  about: ABOUT,
  run,
};
