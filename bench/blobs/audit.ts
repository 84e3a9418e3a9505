// Requests a second of a broker that records each of them in a file, against one that records none. Both brokers are alive
// throughout, on the same core; the load goes to one and the other in turn.
import { interleave, type Side } from '../harness/interleave.js';
import { buildPeers } from '../harness/peers.js';
import { makeRow, type Row } from '../harness/row.js';
import { Station } from '../harness/station.js';
import { median } from '../harness/statistics.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { BrokerStation } from './broker-station.js';
import { RequestLoad } from './request-load.js';
import type { RequestPackets } from './requests-role.js';

const CONNECTIONS: readonly number[] = [1, 16, 128];

/** Short, so that what else goes on meets both sides alike. */
const RUN_MS = 100;

const ABOUT = `
The load of blobs.requests (stat and get of an object of 4 KiB by name, in turn, one outstanding on each connection) at two
brokers that differ in one option: one writes its audit, a line of some 250 bytes for each request, to a file in the
directory for temporary files. The load goes to one and the other in turn. Ratio: audited / not audited, larger is better. The threads that write the file share the core of their broker. Processor time is that of all threads of the
broker for each request; unlike the rate it hardly depends on what else the machine does.
`;

/** A broker, and the packets that ask it for the object that was put there. */
interface Subject {
  readonly broker: BrokerStation;
  readonly packets: readonly string[];
}

async function prepare(client: Station, broker: BrokerStation): Promise<Subject> {
  const { hello, stat, get } = await client.call<RequestPackets>('prepare', { socket: broker.socket });
  return { broker, packets: [hello, stat, get] };
}

/** One side of the comparison: rates for the harness, and the processor time of each round beside them. */
class LoadedBroker implements Side {
  readonly processorTimes: number[] = [];

  constructor(
    readonly name: string,
    private readonly broker: BrokerStation,
    private readonly load: RequestLoad,
  ) {}

  async run(): Promise<number[]> {
    const before = await this.broker.processorTime();
    const { answered, perSecond } = await this.load.run();
    this.processorTimes.push(((await this.broker.processorTime()) - before) / answered);
    return [perSecond];
  }
}

async function measure(
  connections: number,
  plain: Subject,
  audited: Subject,
  context: Context,
): Promise<Row> {
  const start = ({ broker, packets }: Subject) =>
    RequestLoad.start(broker.socket, connections, packets, RUN_MS);
  await using plainLoad = await start(plain);
  await using auditedLoad = await start(audited);
  const sides = [
    new LoadedBroker('plain', plain.broker, plainLoad),
    new LoadedBroker('audited', audited.broker, auditedLoad),
  ] as const;
  const result = await interleave(sides, {
    rounds: context.quick ? 5 : 45,
    warmup: 5,
    onRound: (round, all) => context.progress(`${connections} connections, round ${round} of ${all}`),
  });
  const [plainTime, auditedTime] = sides.map(({ processorTimes }) => median(processorTimes));
  return makeRow({
    id: `blobs.audit.${connections}`,
    value: result.summary('audited').p50,
    unit: 'requests/s',
    ratio: result.ratio('audited', 'plain'),
    to: 'without audit',
    target: { atLeast: 0.8 },
    more: {
      peer: result.summary('plain').p50,
      'us of processor a request': auditedTime ?? Number.NaN,
      'us without audit': plainTime ?? Number.NaN,
    },
  });
}

async function run(context: Context): Promise<Row[]> {
  const failure = buildPeers();
  if (failure !== undefined) throw new Skipped(failure);
  await using plain = await BrokerStation.start();
  await using audited = await BrokerStation.start({ audit: true });
  await using client = Station.start(new URL('./requests-role.js', import.meta.url));
  const subjects = [await prepare(client, plain), await prepare(client, audited)] as const;
  const rows: Row[] = [];
  for (const connections of CONNECTIONS) {
    if (context.wants(`blobs.audit.${connections}`))
      rows.push(await measure(connections, ...subjects, context));
  }
  return rows;
}

export const audit: Measurement = {
  ids: CONNECTIONS.map((connections) => `blobs.audit.${connections}`),
  about: ABOUT,
  run,
};
