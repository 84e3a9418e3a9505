// A process that hands frames over or takes them: its ports, and the loops that are timed.
import { Node, type ServiceOptions } from 'sealane';
import { serve } from '../harness/station.js';
import { META_BYTES } from './frames.js';
import { openReceiver, openSender, type Receiver, type Sender, type Way } from './ports.js';

/** Which ports a process has. */
export interface Ports {
  readonly directory: string;
  readonly sends?: Stream;
  readonly receives?: Stream & { readonly subscribers: number };
}

/** What goes from one process to the other. */
export interface Stream {
  readonly way: Way;
  readonly service: string;
  readonly settings: ServiceOptions;
  /** Buffers of a pool. */
  readonly buffers: number;
}

/** How a process waits for what comes: it looks for ever, its thread is blocked at once, or its event loop turns. */
export type Waiting = 'poll' | 'block' | 'loop';

export interface Batch {
  readonly count: number;
  readonly waiting: Waiting;
}

let node: Node | undefined;
let sender: Sender | undefined;
let receivers: readonly Receiver[] = [];
let sent = 0;

async function open({ directory, sends, receives }: Ports): Promise<void> {
  const made = await Node.create({ name: 'bench', directory });
  node = made;
  const service = ({ service: name, settings }: Stream) =>
    made.service(name).publishSubscribe({ maxBytes: META_BYTES, ...settings });
  if (sends !== undefined) sender = await openSender(sends.way, await service(sends), sends.buffers);
  if (receives === undefined) return;
  const { way, subscribers } = receives;
  const from = await service(receives);
  receivers = await Promise.all(Array.from({ length: subscribers }, () => openReceiver(way, from)));
}

async function connected({ subscribers }: { readonly subscribers: number }): Promise<void> {
  await sender?.connected(subscribers);
  await Promise.all(receivers.map((receiver) => receiver.connected()));
}

function ends(): { readonly sends: Sender; readonly receives: Receiver } {
  const [receives] = receivers;
  if (sender === undefined || receives === undefined) throw new Error('call open first');
  return { sends: sender, receives };
}

function takePolling(receives: Receiver): number {
  for (;;) {
    const value = receives.poll();
    if (value !== undefined) return value;
  }
}

function takeAsleep(receives: Receiver): number {
  return receives.block(0);
}

function taking(waiting: Waiting): (receives: Receiver) => number {
  return waiting === 'poll' ? takePolling : takeAsleep;
}

function check(answer: number, value: number): void {
  if (answer !== value) throw new Error(`${value} was answered with ${answer}`);
}

/** Nanoseconds of each round trip. */
function trips({ count, waiting }: Batch): number[] {
  const { sends, receives } = ends();
  const take = taking(waiting);
  const times = new Array<number>(count);
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    const value = ++sent | 0;
    sends.send(value);
    check(take(receives), value);
    times[index] = (performance.now() - start) * 1e6;
  }
  return times;
}

/** Nanoseconds of all round trips together. */
function total({ count, waiting }: Batch): number {
  const { sends, receives } = ends();
  const take = taking(waiting);
  const start = performance.now();
  for (let index = 0; index < count; index++) {
    const value = ++sent | 0;
    sends.send(value);
    check(take(receives), value);
  }
  return (performance.now() - start) * 1e6;
}

function echo({ count, waiting }: Batch): void {
  const { sends, receives } = ends();
  const take = taking(waiting);
  for (let index = 0; index < count; index++) sends.send(take(receives));
}

/** Nanoseconds of each round trip through the event loops, in which both sides sleep. */
async function loopTrips({ count }: Batch): Promise<number[]> {
  const { sends, receives } = ends();
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    const value = ++sent | 0;
    sends.send(value);
    check(await receives.next(), value);
    times.push((performance.now() - start) * 1e6);
  }
  return times;
}

async function loopEcho({ count }: Batch): Promise<void> {
  const { sends, receives } = ends();
  for (let index = 0; index < count; index++) sends.send(await receives.next());
}

/** Answers each frame once all subscribers of this process have it. */
function gather({ count }: Batch): void {
  if (sender === undefined) throw new Error('call open first');
  for (let index = 0; index < count; index++) {
    let value = 0;
    for (const receiver of receivers) value = takePolling(receiver);
    sender.send(value);
  }
}

/** Nanoseconds in which that many frames were sent. */
function stream({ count }: Batch): number {
  if (sender === undefined) throw new Error('call open first');
  const start = performance.now();
  for (let index = 0; index < count; index++) sender.send(++sent | 0);
  return (performance.now() - start) * 1e6;
}

/** Nanoseconds from the first frame of all subscribers to the last. None may be missing. */
function drain({ count }: Batch): number {
  const left = receivers.map(() => count);
  let start = 0;
  for (let open = receivers.length; open > 0; ) {
    for (const [index, receiver] of receivers.entries()) {
      if (left[index] === 0 || receiver.poll() === undefined) continue;
      if (start === 0) start = performance.now();
      left[index] = (left[index] as number) - 1;
      if (left[index] === 0) open -= 1;
    }
  }
  return (performance.now() - start) * 1e6;
}

serve({ open, connected, trips, total, echo, loopTrips, loopEcho, gather, stream, drain }, () =>
  node?.close(),
);
