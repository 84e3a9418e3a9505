// Get of a large object against get of a small one, and what a large object costs afterwards: reading all of it, and
// holding a view of it while garbage is collected. Client and broker are the same two processes throughout.
import { interleave, type Side } from '../harness/interleave.js';
import { makeRow, type Row } from '../harness/row.js';
import { Station } from '../harness/station.js';
import type { Context, Measurement } from '../harness/suite.js';
import { BrokerStation } from './broker-station.js';
import type { Access } from './get-role.js';

const LARGE_BYTES = 2 ** 30;
const SMALL_BYTES = 4096;
const LIVE_OBJECTS = 2_000_000;
const GETS_A_BATCH = 20;

const ABOUT = `
blobs.get.flat: \`await bus.get(id)\` and the first byte of \`blob.bytes\`, for an object of 1 GiB against one of 4 KiB,
both put before; same client, same broker, a core each, batches alternate; closing is not timed. Ratio: 1 GiB / 4 KiB.
blobs.get.flat.view is the same with \`blob.view(0, 4096)\`, which maps only what it shows: V8 counts the bytes of a view
as heap, and a view of all of 1 GiB brings the next garbage collection nearer.

blobs.get.read: get and one pass over the whole 1 GiB (a search for the last byte, memchr), page faults included;
compared with the same pass over ordinary memory of the process.

blobs.get.held: a forced full garbage collection in a process with 2,000,000 live objects that holds a view of 1 GiB,
compared with the same collection without the view.
`;

interface Objects {
  readonly large: number;
  readonly small: number;
}

async function publishObjects(socket: string): Promise<Objects> {
  await using publisher = Station.start(new URL('./get-role.js', import.meta.url));
  await publisher.call('open', { socket });
  return {
    large: await publisher.call<number>('publish', { size: LARGE_BYTES }),
    small: await publisher.call<number>('publish', { size: SMALL_BYTES }),
  };
}

async function flat(
  id: string,
  access: Access,
  client: Station,
  objects: Objects,
  context: Context,
): Promise<Row> {
  const side = (name: string, object: number): Side => ({
    name,
    run: () => client.call<number[]>('get', { id: object, count: GETS_A_BATCH, access }),
  });
  const result = await interleave([side('large', objects.large), side('small', objects.small)], {
    rounds: context.quick ? 6 : 60,
    warmup: 2,
    onRound: (round, rounds) => context.progress(`${access}, round ${round} of ${rounds}`),
  });
  const large = result.summary('large');
  const small = result.summary('small');
  return makeRow({
    id,
    value: large.p50,
    unit: 'us',
    ratio: result.ratio('large', 'small'),
    to: 'get of 4 KiB',
    target: { atMost: 1.2 },
    more: { p99: large.p99, p999: large.p999, peer: small.p50, peerP99: small.p99, peerP999: small.p999 },
  });
}

async function readAll(client: Station, objects: Objects, context: Context): Promise<Row> {
  context.progress('reading all of it');
  const sides = [
    { name: 'mapped', run: () => client.call<number[]>('read', { id: objects.large }) },
    { name: 'ordinary', run: () => client.call<number[]>('readOrdinary', { size: LARGE_BYTES }) },
  ];
  const result = await interleave(sides, { rounds: context.quick ? 2 : 9, warmup: 1 });
  const us = result.summary('mapped').p50;
  const peer = result.summary('ordinary').p50;
  return makeRow({
    id: 'blobs.get.read',
    value: us,
    unit: 'us',
    ratio: result.ratio('mapped', 'ordinary'),
    to: 'the same pass over ordinary memory',
    more: { peer, 'GiB a second': 1e6 / us },
  });
}

async function heldView(socket: string, objects: Objects, context: Context): Promise<Row> {
  context.progress('garbage collection with a held view');
  await using client = Station.start(new URL('./get-role.js', import.meta.url), {
    place: 'client',
    nodeFlags: ['--expose-gc'],
  });
  await client.call('open', { socket });
  await client.call('makeLive', { count: LIVE_OBJECTS });
  const withView = async (): Promise<number[]> => {
    await client.call('hold', { id: objects.large });
    const samples = await client.call<number[]>('collect');
    await client.call('release');
    return samples;
  };
  const sides = [
    { name: 'held', run: withView },
    { name: 'free', run: () => client.call<number[]>('collect') },
  ];
  const result = await interleave(sides, { rounds: context.quick ? 3 : 15, warmup: 1 });
  return makeRow({
    id: 'blobs.get.held',
    value: result.summary('held').p50,
    unit: 'us',
    ratio: result.ratio('held', 'free'),
    to: 'the same collection without the view',
    more: { peer: result.summary('free').p50 },
  });
}

async function run(context: Context): Promise<Row[]> {
  await using broker = await BrokerStation.start();
  context.progress('publishing 1 GiB');
  const objects = await publishObjects(broker.socket);
  const rows: Row[] = [];
  await using client = Station.start(new URL('./get-role.js', import.meta.url), { place: 'client' });
  await client.call('open', { socket: broker.socket });
  if (context.wants('blobs.get.flat'))
    rows.push(await flat('blobs.get.flat', 'bytes', client, objects, context));
  if (context.wants('blobs.get.flat.view'))
    rows.push(await flat('blobs.get.flat.view', 'view', client, objects, context));
  if (context.wants('blobs.get.read')) rows.push(await readAll(client, objects, context));
  if (context.wants('blobs.get.held')) rows.push(await heldView(broker.socket, objects, context));
  return rows;
}

export const get: Measurement = {
  ids: ['blobs.get.flat', 'blobs.get.flat.view', 'blobs.get.read', 'blobs.get.held'],
  about: ABOUT,
  run,
};
