// What the broker's process needs for each object that it keeps, besides the object's own bytes: resident memory
// before and after 10,000 small named objects, and what the kernel needs for their files.
import { readFileSync } from 'node:fs';
import { makeRow, type Row } from '../harness/row.js';
import { Station } from '../harness/station.js';
import type { Context, Measurement } from '../harness/suite.js';
import { type BrokerMemory, BrokerStation } from './broker-station.js';

const ID = 'blobs.memory';
const OBJECTS = 10_000;
const WARMUP_OBJECTS = 1000;
const OBJECT_BYTES = 4096;
const MIB = 2 ** 20;

const ABOUT = `
The broker's resident set (VmRSS, after a forced garbage collection) with 10,000 named objects of 4 KiB, less the same
before; 1,000 objects are put and dropped first, so that code and buffers are there already. The objects' own bytes
are kernel memory and in nobody's resident set: they are shown as shmem. slab: the kernel's own structures (inode, file,
page cache index), for the whole machine, so other activity shows. On a machine whose descriptor limit is lower than
that, fewer objects are put and the figure is scaled.
`;

interface KernelMemory {
  readonly slabBytes: number;
  readonly shmemBytes: number;
}

function kernelMemory(): KernelMemory {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024;
  return { slabBytes: field('Slab'), shmemBytes: field('Shmem') };
}

interface Reading {
  readonly broker: BrokerMemory;
  readonly kernel: KernelMemory;
}

async function readMemory(broker: BrokerStation): Promise<Reading> {
  return { broker: await broker.memory(), kernel: kernelMemory() };
}

function rowFrom(before: Reading, after: Reading, count: number): Row {
  const scaled = (bytes: number) => (bytes / MIB) * (OBJECTS / count);
  const { broker, kernel } = after;
  return makeRow({
    id: ID,
    value: scaled(broker.residentBytes - before.broker.residentBytes),
    unit: 'MiB per 10,000 objects',
    more: {
      'heap MiB': scaled(broker.heapBytes - before.broker.heapBytes),
      'slab MiB': scaled(kernel.slabBytes - before.kernel.slabBytes),
      'shmem MiB': scaled(kernel.shmemBytes - before.kernel.shmemBytes),
      'descriptors per object': (broker.descriptors - before.broker.descriptors) / count,
      'objects put': count,
      'resident MiB when empty': before.broker.residentBytes / MIB,
    },
  });
}

async function run(context: Context): Promise<Row[]> {
  await using broker = await BrokerStation.start();
  await using client = Station.start(new URL('./memory-role.js', import.meta.url), { place: 'client' });
  const room = await client.call<number>('open', { socket: broker.socket });
  const count = Math.min(OBJECTS, room);
  context.progress('warming up');
  await client.call('fill', { count: WARMUP_OBJECTS, size: OBJECT_BYTES });
  await client.call('empty');
  const before = await readMemory(broker);
  context.progress(`putting ${count} objects`);
  await client.call('fill', { count, size: OBJECT_BYTES });
  const after = await readMemory(broker);
  await client.call('empty');
  return [rowFrom(before, after, count)];
}

export const memory: Measurement = { ids: [ID], about: ABOUT, run };
