// A process of ours in a measurement: one node with the ports that it is told to make, and the loops that are timed.
import {
  Node,
  type Publisher,
  type PubSubService,
  type SampleReceiver,
  type SampleSender,
  type ServiceOptions,
  type Subscriber,
} from 'sealane';
import { serve } from '../../harness/station.js';

/** Which ports a process has: it sends to one service and receives from the other. */
export interface Ports {
  readonly directory: string;
  readonly sendsTo?: string;
  readonly receivesFrom?: string;
  readonly settings: ServiceOptions;
  /** Makes the publisher's pages before anything is timed. */
  readonly prefault: boolean;
  readonly timestamps: boolean;
  /** The objects that the loops work with. */
  readonly tier: 'hot' | 'checked';
}

export interface Batch {
  readonly count: number;
  readonly payloadBytes: number;
  /** Sleeps until a sample comes, in place of polling; a stream's subscriber after a moment. */
  readonly sleeps?: boolean;
}

let node: Node | undefined;
let publisher: Publisher | undefined;
let subscriber: Subscriber | undefined;
let sender: SampleSender | undefined;
let receiver: SampleReceiver | undefined;
let sequence = 0;

async function open(ports: Ports): Promise<void> {
  node = await Node.create({ name: 'bench', directory: ports.directory });
  const hot = ports.tier === 'hot';
  const service = (name: string): Promise<PubSubService> | undefined =>
    node?.service(name).publishSubscribe(ports.settings);
  if (ports.sendsTo !== undefined) {
    const { prefault, timestamps } = ports;
    publisher = await (await service(ports.sendsTo))?.publisher({ prefault, timestamps });
    sender = hot ? publisher?.hot : publisher;
  }
  if (ports.receivesFrom !== undefined) {
    subscriber = await (await service(ports.receivesFrom))?.subscriber();
    receiver = hot ? subscriber?.hot : subscriber;
  }
}

async function connected({ subscribers }: { readonly subscribers: number }): Promise<void> {
  await publisher?.connected(subscribers);
  await subscriber?.connected();
}

function ends(): { readonly sends: SampleSender; readonly receives: SampleReceiver } {
  if (sender === undefined || receiver === undefined) throw new Error('call open first');
  return { sends: sender, receives: receiver };
}

/** As much of the first word as counts. */
function writeWord(bytes: Uint8Array, value: number): void {
  bytes[0] = value;
  bytes[1] = value >> 8;
  bytes[2] = value >> 16;
  bytes[3] = value >> 24;
}

function readWord(bytes: Uint8Array): number {
  return (
    (bytes[0] as number) |
    ((bytes[1] as number) << 8) |
    ((bytes[2] as number) << 16) |
    ((bytes[3] as number) << 24)
  );
}

function send(sends: SampleSender, payloadBytes: number, value: number): void {
  const loan = sends.loan(payloadBytes);
  writeWord(loan.bytes, value);
  loan.send();
}

function poll(receives: SampleReceiver): number {
  for (;;) {
    const sample = receives.receive();
    if (sample === undefined) continue;
    const value = readWord(sample.bytes);
    sample.release();
    return value;
  }
}

/** Sleeps at once: what is measured is the waking. */
function sleep(receives: SampleReceiver): number {
  return block(receives, 0);
}

/** As a user's worker waits. */
function wait(receives: SampleReceiver): number {
  return block(receives);
}

function block(receives: SampleReceiver, spinMs?: number): number {
  const sample = receives.receiveBlocking({ spinMs });
  if (sample === undefined) throw new Error('nothing came');
  const value = readWord(sample.bytes);
  sample.release();
  return value;
}

function roundTrip(
  { sends, receives }: ReturnType<typeof ends>,
  payloadBytes: number,
  take: typeof poll,
): void {
  const value = ++sequence | 0;
  send(sends, payloadBytes, value);
  const answer = take(receives);
  if (answer !== value) throw new Error(`${value} was answered with ${answer}`);
}

/** Nanoseconds of each round trip. */
function trips({ count, payloadBytes, sleeps = false }: Batch): number[] {
  const both = ends();
  const take = sleeps ? sleep : poll;
  const times = new Array<number>(count);
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    roundTrip(both, payloadBytes, take);
    times[index] = (performance.now() - start) * 1e6;
  }
  return times;
}

/** Nanoseconds of all round trips together. */
function total({ count, payloadBytes }: Batch): number {
  const both = ends();
  const start = performance.now();
  for (let index = 0; index < count; index++) roundTrip(both, payloadBytes, poll);
  return (performance.now() - start) * 1e6;
}

function echo({ count, payloadBytes, sleeps = false }: Batch): void {
  const { sends, receives } = ends();
  const take = sleeps ? sleep : poll;
  for (let index = 0; index < count; index++) send(sends, payloadBytes, take(receives));
}

/** Nanoseconds of each round trip through the event loop, in which both sides sleep. */
async function loopTrips({ count, payloadBytes }: Batch): Promise<number[]> {
  const { sends } = ends();
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    send(sends, payloadBytes, ++sequence | 0);
    const sample = await subscriber?.next();
    sample?.release();
    times.push((performance.now() - start) * 1e6);
  }
  return times;
}

async function loopEcho({ count, payloadBytes }: Batch): Promise<void> {
  const { sends } = ends();
  for (let index = 0; index < count; index++) {
    const sample = await subscriber?.next();
    if (sample === undefined) throw new Error('nothing came');
    const value = readWord(sample.bytes);
    sample.release();
    send(sends, payloadBytes, value);
  }
}

/** Nanoseconds in which that many samples were sent. */
function stream({ count, payloadBytes }: Batch): number {
  if (sender === undefined) throw new Error('call open first');
  const start = performance.now();
  for (let index = 0; index < count; index++) send(sender, payloadBytes, ++sequence | 0);
  return (performance.now() - start) * 1e6;
}

/** Nanoseconds from the first sample to the last, each checked for being the next. */
function count({ count: samples, sleeps = false }: Batch): number {
  if (receiver === undefined) throw new Error('call open first');
  const take = sleeps ? wait : poll;
  let last = take(receiver);
  const start = performance.now();
  for (let index = 1; index < samples; index++) {
    const value = take(receiver);
    if (value !== ((last + 1) | 0)) throw new Error(`${value} came after ${last}`);
    last = value;
  }
  return (performance.now() - start) * 1e6;
}

serve({ open, connected, trips, total, echo, loopTrips, loopEcho, stream, count }, () => node?.close());
