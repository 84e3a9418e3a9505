// The client process of the get measurements: publishes objects, gets them, reads them, and holds them.
import { type Blob, type Bus, connect } from 'sealane';
import { serve } from '../harness/station.js';
import { makePayload, Pass } from '../peers/node/pass.js';

/** `bytes`: one view over the whole object. `view`: a view of its first 4 KiB. */
export type Access = 'bytes' | 'view';

export interface GetBatch {
  readonly id: number;
  readonly count: number;
  readonly access: Access;
}

const VIEW_BYTES = 4096;

let bus: Bus | undefined;
let held: Blob | undefined;
let ordinary: Uint8Array | undefined;
let live: object[] = [];

function connected(): Bus {
  if (bus === undefined) throw new Error('call open first');
  return bus;
}

async function open({ socket }: { socket: string }): Promise<void> {
  bus = await connect({ socket });
}

async function publish({ size }: { size: number }): Promise<number> {
  const info = await connected().put(makePayload(size));
  return info.id;
}

function expectFirstByte(first: number | undefined): void {
  if (first !== 0) throw new Error(`the first byte is ${first}, 0 was put`);
}

/** Times each get until the first byte is read; closing is not timed. */
async function get({ id, count, access }: GetBatch): Promise<number[]> {
  const samplesUs: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    const blob = await connected().get(id);
    const first = access === 'bytes' ? blob.bytes[0] : blob.view(0, VIEW_BYTES)[0];
    samplesUs.push((performance.now() - start) * 1000);
    expectFirstByte(first);
    blob.close();
  }
  return samplesUs;
}

/** Times a get and one pass over every byte. */
async function read({ id, populate }: { id: number; populate: boolean }): Promise<number[]> {
  const start = performance.now();
  const blob = await connected().get(id, { populate });
  new Pass().take(blob.bytes);
  const samples = [(performance.now() - start) * 1000];
  blob.close();
  return samples;
}

/** Times the same pass over memory of this process's own. */
function readOrdinary({ size }: { size: number }): number[] {
  ordinary ??= makePayload(size);
  const start = performance.now();
  new Pass().take(ordinary);
  return [(performance.now() - start) * 1000];
}

function makeLive({ count }: { count: number }): void {
  live = Array.from({ length: count }, (_, index) => ({ index, next: null }));
}

/** Times one full, forced garbage collection; needs --expose-gc. */
function collect(): number[] {
  if (globalThis.gc === undefined) throw new Error('start this station with --expose-gc');
  const start = performance.now();
  globalThis.gc();
  return [(performance.now() - start) * 1000];
}

/** Gets an object and makes a view of all of it, which is held until release(). Times the view alone. */
async function hold({ id }: { id: number }): Promise<number[]> {
  if (live.length === 0) throw new Error('call makeLive first');
  held = await connected().get(id);
  const start = performance.now();
  expectFirstByte(held.bytes[0]);
  return [(performance.now() - start) * 1000];
}

/** Closes what hold() holds and collects it, so that the next sample does not pay for it. */
function release(): void {
  held?.close();
  held = undefined;
  globalThis.gc?.();
}

serve({ open, publish, get, read, readOrdinary, makeLive, collect, hold, release }, async () => {
  held?.close();
  await bus?.close();
});
