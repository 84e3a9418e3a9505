// Get of a large object against get of a small one, and what a large object costs afterwards: reading all of it, and
// holding a view of it while garbage is collected. Client and broker are the same two processes throughout.
import { interleave, type Side } from '../harness/interleave.js';
import { makeRow, type Row, type Target } from '../harness/row.js';
import { Station } from '../harness/station.js';
import type { Context, Measurement } from '../harness/suite.js';
import { BrokerStation } from './broker-station.js';
import type { Access } from './get-role.js';

const LARGE_BYTES = 2 ** 30;
const SMALL_BYTES = 4096;
const LIVE_OBJECTS = 2_000_000;
const GETS_A_BATCH = 20;

const ABOUT = `
blobs.get.flat: \`await bus.get(id)\` and the first byte of \`blob.view(0, 4096)\`, for an object of 1 GiB against one of
4 KiB, both put before; same client, same broker, a core each, batches alternate; closing is not timed. Ratio: 1 GiB /
4 KiB. blobs.get.bytes is the same with \`blob.bytes\`, a view of all of it. V8 counts the bytes of a view as memory of its
own, whatever they really cost: a view of 1 GiB makes it start a garbage collection, and that is most of the figure. A
program that opens large objects often does better with views of the parts that it reads.

blobs.get.read: get and one pass over the whole 1 GiB (a search for the last byte, memchr), page faults included;
compared with the same pass over ordinary memory of the process. "populated" is with \`populate: true\`.

blobs.get.held: making a view of 1 GiB in a process that has 2,000,000 live objects, compared with a view of 4 KiB;
what is paid is a garbage collection. The two other figures are a forced full collection in the same process while a
view of 1 GiB is held, and while none is.
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

interface Flat {
  readonly id: string;
  readonly access: Access;
  readonly target?: Target;
}

const FLATS: readonly Flat[] = [
  { id: 'blobs.get.flat', access: 'view', target: { atMost: 1.2 } },
  { id: 'blobs.get.bytes', access: 'bytes' },
];

async function flat(which: Flat, client: Station, objects: Objects, context: Context): Promise<Row> {
  const { access } = which;
  const side = (name: string, object: number): Side => ({
    name,
    run: () => client.call<number[]>('get', { id: object, count: GETS_A_BATCH, access }),
  });
  const result = await interleave([side('large', objects.large), side('small', objects.small)], {
    rounds: context.quick ? 6 : 60,
    warmup: 10,
    onRound: (round, rounds) => context.progress(`${access}, round ${round} of ${rounds}`),
  });
  const large = result.summary('large');
  const small = result.summary('small');
  return makeRow({
    ...which,
    value: large.p50,
    unit: 'us',
    ratio: result.ratio('large', 'small'),
    to: 'get of 4 KiB',
    more: { p99: large.p99, p999: large.p999, peer: small.p50, peerP99: small.p99, peerP999: small.p999 },
  });
}

async function readAll(client: Station, objects: Objects, context: Context): Promise<Row> {
  context.progress('reading all of it');
  const read = (populate: boolean) => () => client.call<number[]>('read', { id: objects.large, populate });
  const sides = [
    { name: 'mapped', run: read(false) },
    { name: 'populated', run: read(true) },
    { name: 'ordinary', run: () => client.call<number[]>('readOrdinary', { size: LARGE_BYTES }) },
  ];
  const result = await interleave(sides, { rounds: context.quick ? 2 : 9, warmup: 1 });
  const us = result.summary('mapped').p50;
  return makeRow({
    id: 'blobs.get.read',
    value: us,
    unit: 'us',
    ratio: result.ratio('mapped', 'ordinary'),
    to: 'the same pass over ordinary memory',
    more: {
      peer: result.summary('ordinary').p50,
      populated: result.summary('populated').p50,
      'GiB a second': 1e6 / us,
    },
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
  const hold = async (object: number): Promise<number[]> => {
    const samples = await client.call<number[]>('hold', { id: object });
    await client.call('release');
    return samples;
  };
  // The collection that making the view has begun is finished before the one that is timed.
  const collectHeld = async (): Promise<number[]> => {
    await client.call('hold', { id: objects.large });
    await client.call('collect');
    const samples = await client.call<number[]>('collect');
    await client.call('release');
    return samples;
  };
  const sides = [
    { name: 'large', run: () => hold(objects.large) },
    { name: 'small', run: () => hold(objects.small) },
    { name: 'collection, held', run: collectHeld },
    { name: 'collection, none held', run: () => client.call<number[]>('collect') },
  ];
  const result = await interleave(sides, { rounds: context.quick ? 3 : 11, warmup: 1 });
  const p50 = (name: string) => result.summary(name).p50;
  return makeRow({
    id: 'blobs.get.held',
    value: p50('large'),
    unit: 'us',
    ratio: result.ratio('large', 'small'),
    to: 'a view of 4 KiB',
    more: {
      peer: p50('small'),
      'full collection, 1 GiB held': p50('collection, held'),
      'full collection, none held': p50('collection, none held'),
    },
  });
}

async function run(context: Context): Promise<Row[]> {
  await using broker = await BrokerStation.start();
  context.progress('publishing 1 GiB');
  const objects = await publishObjects(broker.socket);
  const rows: Row[] = [];
  await using client = Station.start(new URL('./get-role.js', import.meta.url), { place: 'client' });
  await client.call('open', { socket: broker.socket });
  for (const which of FLATS) {
    if (context.wants(which.id)) rows.push(await flat(which, client, objects, context));
  }
  if (context.wants('blobs.get.read')) rows.push(await readAll(client, objects, context));
  if (context.wants('blobs.get.held')) rows.push(await heldView(broker.socket, objects, context));
  return rows;
}

export const get: Measurement = {
  ids: [...FLATS.map((which) => which.id), 'blobs.get.read', 'blobs.get.held'],
  about: ABOUT,
  run,
};
