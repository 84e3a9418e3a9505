// Requests a second that the broker answers. The load comes from a C program that sends packets which this program
// encoded beforehand, so that the broker is what limits: it has a core of its own, the generator the other one.
import { buildPeers } from '../harness/peers.js';
import { makeRow, type Row } from '../harness/row.js';
import { Station } from '../harness/station.js';
import { median } from '../harness/statistics.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { BrokerStation } from './broker-station.js';
import { RequestLoad } from './request-load.js';
import type { RequestPackets } from './requests-role.js';

const CONNECTIONS: readonly number[] = [1, 16, 128];

const ABOUT = `
One process holds the connections and keeps one request outstanding on each: stat and get of an object of 4 KiB by
name, in turn. A get's answer carries the object's descriptor, which the generator closes. The packets are those that
the library encodes; the generator (bench/peers/request_load.c) only fills in the request id and checks the id and the
status of each answer, so that nearly all of the work is the broker's. With one connection the figure is that of
a round trip between two sleeping processes; with more it is what the broker's one thread can do. Medians of several
runs; stat and get are the figures for each alone.
`;

type Mix = 'stat and get' | 'stat' | 'get';

function packetsFor(mix: Mix, packets: RequestPackets): string[] {
  if (mix === 'stat') return [packets.stat];
  if (mix === 'get') return [packets.get];
  return [packets.stat, packets.get];
}

/** Requests a second. */
async function rate(
  socket: string,
  connections: number,
  load: readonly string[],
  quick: boolean,
): Promise<number> {
  await using generator = await RequestLoad.start(socket, connections, load, quick ? 150 : 500);
  const rates: number[] = [];
  for (let run = 0; run < (quick ? 3 : 5); run++) rates.push((await generator.run()).perSecond);
  return median(rates);
}

async function measure(
  socket: string,
  connections: number,
  packets: RequestPackets,
  context: Context,
): Promise<Row> {
  const rateOf = (mix: Mix) => {
    context.progress(`${connections} connections, ${mix}`);
    return rate(socket, connections, [packets.hello, ...packetsFor(mix, packets)], context.quick);
  };
  const mixed = await rateOf('stat and get');
  const stat = await rateOf('stat');
  const get = await rateOf('get');
  return makeRow({
    id: `blobs.requests.${connections}`,
    value: mixed,
    unit: 'requests/s',
    more: { 'stat/s': stat, 'get/s': get, 'us per request': 1e6 / mixed },
  });
}

async function run(context: Context): Promise<Row[]> {
  const failure = buildPeers();
  if (failure !== undefined) throw new Skipped(failure);
  await using broker = await BrokerStation.start();
  await using client = Station.start(new URL('./requests-role.js', import.meta.url));
  const packets = await client.call<RequestPackets>('prepare', { socket: broker.socket });
  const rows: Row[] = [];
  for (const connections of CONNECTIONS) {
    if (context.wants(`blobs.requests.${connections}`))
      rows.push(await measure(broker.socket, connections, packets, context));
  }
  return rows;
}

export const requests: Measurement = {
  ids: CONNECTIONS.map((connections) => `blobs.requests.${connections}`),
  about: ABOUT,
  run,
};
