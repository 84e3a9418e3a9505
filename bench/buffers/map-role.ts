// The process of windows.map: a blob, and the memory of a WebAssembly guest into which it is mapped or copied.
import { type Blob, type Bus, connect, type WasmMemory, Window } from 'sealane';
import { serve } from '../harness/station.js';
import { makePayload, Pass } from '../peers/node/pass.js';

export interface MapBatch {
  readonly way: 'map' | 'populate' | 'copy';
  /** Whether all of it is read in the guest's memory. */
  readonly reads: boolean;
  readonly count: number;
}

/** WebAssembly as this file needs it: the types of Node.js don't tell of it. */
interface Wasm {
  readonly Memory: new (limits: { initial: number }) => WasmMemory;
}

const GUEST_PAGE = 65_536;

interface Open {
  readonly bus: Bus;
  readonly blob: Blob;
  readonly memory: WasmMemory;
  /** The upper half of the memory; the lower one is copied to. */
  readonly window: Window;
}

let opened: Open | undefined;

async function open({ socket, bytes }: { socket: string; bytes: number }): Promise<void> {
  const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
  const bus = await connect({ socket });
  const blob = await bus.get(await bus.put(makePayload(bytes)));
  const memory = new wasm.Memory({ initial: (2 * bytes) / GUEST_PAGE });
  opened = { bus, blob, memory, window: Window.over(memory, { offset: bytes, bytes }) };
  // So that the copy finds everything there.
  new Uint8Array(memory.buffer, 0, bytes).set(blob.bytes);
}

function readAll(memory: WasmMemory, offset: number, bytes: number): void {
  const seen = new Pass().take(new Uint8Array(memory.buffer, offset, bytes));
  if (seen !== bytes) throw new Error(`the guest's memory has not the ${bytes} bytes of the blob`);
}

function mapOnce({ blob, memory, window }: Open, { way, reads }: MapBatch): void {
  window.map(0, blob, { populate: way === 'populate' });
  if (reads) readAll(memory, blob.size, blob.size);
  window.unmap(0);
}

function copyOnce({ blob, memory }: Open, { reads }: MapBatch): void {
  new Uint8Array(memory.buffer, 0, blob.size).set(blob.bytes);
  if (reads) readAll(memory, 0, blob.size);
}

/** Times each delivery of the blob, in microseconds. */
function deliver(batch: MapBatch): number[] {
  if (opened === undefined) throw new Error('call open first');
  const once = batch.way === 'copy' ? copyOnce : mapOnce;
  const samplesUs: number[] = [];
  for (let index = 0; index < batch.count; index++) {
    const start = performance.now();
    once(opened, batch);
    samplesUs.push((performance.now() - start) * 1_000);
  }
  return samplesUs;
}

serve({ open, deliver }, async () => {
  opened?.window.close();
  opened?.blob.close();
  await opened?.bus.close();
});
