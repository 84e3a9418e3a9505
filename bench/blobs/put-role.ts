// The client process of the put and draft measurements: puts one object after the other, each timed from the call
// to the broker's answer, and drops them again outside of the timed part.
import { type Bus, connect, DraftPool } from 'sealane';
import { serve } from '../harness/station.js';

export interface Batch {
  readonly size: number;
  readonly count: number;
}

let bus: Bus | undefined;
let pool: DraftPool | undefined;
const sources = new Map<number, Uint8Array>();

function connected(): Bus {
  if (bus === undefined) throw new Error('call open first');
  return bus;
}

/** Bytes to put, faulted in before anything is timed; the same value that the C peer fills its buffer with. */
function sourceOf(size: number): Uint8Array {
  const source = sources.get(size) ?? new Uint8Array(size).fill(0x5a);
  sources.set(size, source);
  return source;
}

async function open({ socket }: { socket: string }): Promise<void> {
  bus = await connect({ socket });
}

async function dropAll(ids: readonly number[]): Promise<void> {
  for (const id of ids) await connected().drop(id);
}

async function put({ size, count }: Batch): Promise<number[]> {
  const source = sourceOf(size);
  const samplesUs: number[] = [];
  const ids: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    const info = await connected().put(source);
    samplesUs.push((performance.now() - start) * 1000);
    ids.push(info.id);
  }
  await dropAll(ids);
  return samplesUs;
}

async function openPool({ size, count }: Batch): Promise<void> {
  pool?.[Symbol.dispose]();
  pool = new DraftPool({ bytes: size, count });
  await pool.ready();
}

/** With `full`, the pool is full before the first draft; without, drafts are put as fast as it goes. */
async function draft({ size, count, full }: Batch & { full: boolean }): Promise<number[]> {
  if (pool === undefined) throw new Error('call openPool first');
  const source = sourceOf(size);
  const samplesUs: number[] = [];
  const ids: number[] = [];
  if (full) await pool.ready();
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    const fresh = connected().draft(size, { pool });
    fresh.bytes.set(source);
    const info = await fresh.put();
    samplesUs.push((performance.now() - start) * 1000);
    ids.push(info.id);
  }
  await dropAll(ids);
  return samplesUs;
}

serve({ open, put, openPool, draft }, async () => {
  pool?.[Symbol.dispose]();
  await bus?.close();
});
