// A process that sends all bytes of frames through a Unix socket of node:net, and reads those of the other side into one array.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { serve } from '../harness/station.js';
import { FRAME_BYTES } from './frames.js';

const ours = new Uint8Array(FRAME_BYTES).fill(1);
const theirs = new Uint8Array(FRAME_BYTES).fill(1);

/** Whoever connects is written to; read is from the connection that this side made, for only that one can read into memory of its choice. */
let accepted: Socket | undefined;
let dialled: Socket | undefined;
const server = createServer((socket) => {
  accepted = socket;
});

let filled = 0;
/** Frames that came and were not asked for yet. */
let whole = 0;
let arrived: () => void = () => undefined;

function took(bytes: number): boolean {
  filled = (filled + bytes) % FRAME_BYTES;
  if (filled === 0) {
    whole += 1;
    arrived();
  }
  return true;
}

async function listen(path: string): Promise<void> {
  server.listen(path);
  await once(server, 'listening');
}

async function dial(path: string): Promise<void> {
  dialled = connect({ path, onread: { buffer: () => theirs.subarray(filled), callback: took } });
  await once(dialled, 'connect');
}

async function receive(): Promise<void> {
  while (whole === 0) {
    await new Promise<void>((resolve) => {
      arrived = resolve;
    });
  }
  whole -= 1;
}

/** Nanoseconds of each round trip. */
async function trips({ count }: { readonly count: number }): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    accepted?.write(ours);
    await receive();
    times.push((performance.now() - start) * 1e6);
  }
  return times;
}

async function echo({ count }: { readonly count: number }): Promise<void> {
  for (let index = 0; index < count; index++) {
    await receive();
    accepted?.write(ours);
  }
}

serve({ listen, dial, trips, echo }, () => {
  dialled?.destroy();
  accepted?.destroy();
  server.close();
});
