/**
 * A process of the tests of growing memory: sends samples of random sizes that prove themselves, or verifies those that come, when they
 * come and just before it gives them back. Says in lines what it does.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Node, type Publisher, type PubSubService, type Sample, type Subscriber } from 'sealane';
import { closeDescriptor, UnixSocket } from 'sealane/internal';
import {
  between,
  fillPayload,
  MIN_PAYLOAD_BYTES,
  payloadProblem,
  randomFrom,
} from './payload.test.helper.js';

export interface GrowthPeer {
  readonly directory: string;
  readonly role: 'send' | 'receive' | 'starve' | 'crowd';
  readonly seed: number;
  /** Samples to send, or the number of the last one to receive. */
  readonly count: number;
  readonly overflow: boolean;
  /** How it receives: as it comes, in a blocked thread, with pauses, or keeping what came for as long as it may. */
  readonly manner?: 'loop' | 'block' | 'slow' | 'hold';
}

export const MAX_BYTES = 300_000;

const plan = (isMainThread ? JSON.parse(process.argv[2] ?? '{}') : workerData) as GrowthPeer;
const random = randomFrom(plan.seed);
const parent = process.ppid;
setInterval(() => {
  if (isMainThread && process.ppid !== parent) process.exit();
}, 500).unref();

function say(line: string): void {
  if (isMainThread) writeSync(1, `${line}\n`);
  else parentPort?.postMessage(line);
}

async function open(): Promise<{ node: Node; service: PubSubService }> {
  const { directory, overflow } = plan;
  const node = await Node.create({ name: plan.role, directory });
  const service = await node.service('growing').publishSubscribe({
    ...{ payload: 'growing', maxBytes: MAX_BYTES, overflow, bufferSize: 4, maxBorrowed: 3, history: 2 },
  });
  return { node, service };
}

/** Mostly small; larger ones the longer it goes on. */
function nextBytes(sequence: number): number {
  const most = Math.min(MAX_BYTES, 200 + sequence * 300);
  return between(random, MIN_PAYLOAD_BYTES, random() < 0.3 ? most : 200);
}

function sendOne(publisher: Publisher, sequence: number): ReturnType<Publisher['loan']> {
  const loan = publisher.loan(nextBytes(sequence));
  fillPayload(loan.bytes, plan.seed, sequence);
  return loan;
}

/** Sends, in turns with the event loop and without. */
async function send(): Promise<void> {
  const { node, service } = await open();
  const strategy = random() < 0.5 ? 'bestFit' : 'powerOfTwo';
  const publisher = await service.publisher({
    strategy,
    initialBytes: 64,
    maxSegments: between(random, 2, 8),
  });
  await publisher.connected();
  say(node.id);
  for (let sequence = 1; sequence <= plan.count; sequence++) {
    using loan = sendOne(publisher, sequence);
    if (random() < 0.5) loan.send();
    else await loan.sendAsync();
    if (random() < 0.1) await pause(1);
  }
  say(`sent ${plan.count}`);
  await new Promise(() => setInterval(() => undefined, 1_000));
}

function verify(sample: Sample): void {
  const problem = payloadProblem(sample.bytes, sample.header.sequence);
  if (problem === undefined) return;
  say(`sample ${sample.header.sequence} is torn: ${problem}`);
  process.exit(1);
}

function next(subscriber: Subscriber): Promise<Sample> | Sample {
  if (plan.manner !== 'block') return subscriber.next();
  const sample = subscriber.receiveBlocking();
  if (sample === undefined) throw new Error('the wait ended');
  return sample;
}

async function receive(): Promise<void> {
  const { node, service } = await open();
  const subscriber = await service.subscriber();
  say(node.id);
  const held: Sample[] = [];
  let [last, missed] = [0, 0];
  while (last < plan.count) {
    const sample = await next(subscriber);
    verify(sample);
    const { sequence } = sample.header;
    if (last > 0 && sequence !== last + 1 + sample.missed)
      say(`after ${last} came ${sequence}, missed ${sample.missed}`);
    if (last > 0) missed += sample.missed;
    last = sequence;
    held.push(sample);
    if (plan.manner === 'slow') await pause(between(random, 0, 2));
    if (plan.manner !== 'hold' || held.length === 3)
      for (const one of held.splice(0, plan.manner === 'hold' ? 1 : 3)) giveBack(one);
  }
  held.forEach(giveBack);
  say(plan.overflow ? 'done' : `done, ${missed} missed`);
  await new Promise(() => setInterval(() => undefined, 1_000));
}

function giveBack(sample: Sample): void {
  verify(sample);
  sample.release();
}

/** All descriptors that there are. */
function takeDescriptors(): number[] {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    return taken;
  }
}

/** A subscriber that is connected, and then has no descriptor for another segment; once it was told so, it has. */
async function starve(): Promise<void> {
  const { service } = await open();
  const events = service.events();
  const subscriber = await service.subscriber();
  await subscriber.connected();
  const taken = takeDescriptors();
  say('starved');
  for await (const event of events) {
    if (event.type !== 'degraded') continue;
    say(event.error.code);
    break;
  }
  for (const fd of taken) closeSync(fd);
  await subscriber.connected();
  say('connected');
  giveBack(await subscriber.next());
  say('received');
}

/** Until they are taken they are under way, also for a while after the socket is closed: a thread does that. */
function takeAll(socket: UnixSocket): void {
  const into = new Uint8Array(1);
  for (let packet = socket.receive(into); typeof packet === 'object'; packet = socket.receive(into))
    for (const fd of packet.descriptors) closeDescriptor(fd);
}

/** Sends packets with descriptors that nobody receives, until the kernel allows this user no more. */
function crowd(): { readonly relieve: () => void } {
  const pairs: UnixSocket[] = [];
  for (let result = 'sent'; result !== 'in-flight'; ) {
    const [one, other] = UnixSocket.pair();
    pairs.push(one, other);
    do result = one.send(Uint8Array.of(1), [0, 0, 0, 0, 0]);
    while (result === 'sent');
  }
  return {
    relieve: () => {
      for (const socket of pairs) takeAll(socket);
      for (const socket of pairs) socket.close();
    },
  };
}

/** What happens to samples of a new segment while no descriptor can be sent, for each way to meet a full subscriber. */
async function sendInCrowd(): Promise<void> {
  const { service } = await open();
  const results: unknown[] = [];
  for (const whenFull of ['drop', 'fail', 'wait'] as const) {
    const publisher = await service.publisher({ whenFull });
    const subscriber = await service.subscriber();
    await Promise.all([publisher.connected(), subscriber.connected()]);
    const crowded = crowd();
    results.push(await tryInCrowd(publisher));
    const waiting = plan.overflow || whenFull !== 'wait' ? undefined : sendOne(publisher, 2).sendAsync();
    await turn();
    crowded.relieve();
    if (waiting !== undefined) results.push(await waiting);
    results.push(publisher.sendCopy(new Uint8Array(9_000)));
    subscriber.close();
    publisher.close();
  }
  say(JSON.stringify(results));
}

async function tryInCrowd(publisher: Publisher): Promise<unknown> {
  using loan = publisher.loan(9_000);
  try {
    return loan.send();
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

await { send, receive, starve, crowd: sendInCrowd }[plan.role]();
if (plan.role === 'crowd' || plan.role === 'starve') process.exit();
