// A peer of the services' tests, in a process or a thread of its own: what it does is its role. It says what happens in lines, also
// while its event loop does not turn.
import { subscribe as subscribeChannel } from 'node:diagnostics_channel';
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Node, type PubSubService, type Sample, type Subscriber, WaitSet } from 'sealane';
import { bytesOf, type PeerOptions, text, WorkerPeer } from './nodes.test.helper.js';

const options: PeerOptions = isMainThread ? JSON.parse(process.argv[2] ?? '{}') : workerData;

function say(line: string): void {
  if (isMainThread) writeSync(1, `${line}\n`);
  else parentPort?.postMessage(line);
}

/** What the peer is told, line by line. */
async function* told(): AsyncGenerator<string> {
  if (isMainThread) yield* createInterface({ input: process.stdin });
  else while (true) yield await new Promise<string>((resolve) => parentPort?.once('message', resolve));
}

async function open(): Promise<{ node: Node; service: PubSubService }> {
  const node = await Node.create({ name: options.role, directory: options.directory });
  const service = await node.service(options.service).publishSubscribe(options.settings ?? {});
  return { node, service };
}

const number = (name: string, initial = 0) => (options[name] as number | undefined) ?? initial;
const flag = (name: string) => existsSync(String(options[name]));

const parent = process.ppid;

/** Ends a process whose test is gone: nobody else does. */
function endIfOrphaned(): void {
  if (isMainThread && process.ppid !== parent) process.exit();
}

setInterval(endIfOrphaned, 1_000).unref();

/** Keeps the thread without a turn of the event loop. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** A publisher that sends each line it is told, and says how many got it. */
async function publish(): Promise<void> {
  const { node, service } = await open();
  const publisher = await service.publisher(options.publisher ?? {});
  say(node.id);
  for await (const line of told()) {
    if (line === 'connected') await publisher.connected().then(() => say('connected'));
    else say(String(publisher.sendCopy(bytesOf(line))));
  }
}

/** A subscriber that says its node, then answers: `receive`, `hold` (keeps what comes), `release`, `connected`. */
async function subscribe(): Promise<void> {
  const { node, service } = await open();
  const subscriber = await service.subscriber(options.subscriber ?? {});
  const held: Sample[] = [];
  say(node.id);
  for await (const line of told()) {
    if (line === 'connected') await subscriber.connected().then(() => say('connected'));
    else if (line === 'receive') say(text(subscriber.receive()) ?? 'nothing');
    else if (line === 'next') say(text(await subscriber.next()) ?? 'nothing');
    else if (line === 'hold') say(String(held.push(await subscriber.next())));
    else {
      for (const sample of held.splice(0)) sample.release();
      say('released');
    }
  }
}

/** A publisher that says when it is there, sends as soon as anybody is connected, and leaves. */
async function sendAndLeave(): Promise<void> {
  const { node, service } = await open();
  const publisher = await service.publisher();
  say(node.id);
  await publisher.connected();
  publisher.sendCopy(bytesOf('sent'));
  node.close();
}

/** Polls without a turn of the event loop until a sample says `end`. */
async function busyPoll(): Promise<void> {
  const { node, service } = await open();
  const subscriber = await service.subscriber();
  say(node.id);
  for (let line: string | undefined; line !== 'end'; ) {
    endIfOrphaned();
    line = text(subscriber.receive());
    if (line !== undefined && line !== '') say(line);
  }
  say('done');
}

/** Receives without a turn of the event loop, more slowly than samples come: a receive always finds one. */
async function slowPoll(): Promise<void> {
  const { node, service } = await open();
  const subscriber = await service.subscriber();
  say(node.id);
  while (true) {
    endIfOrphaned();
    const line = text(subscriber.receive());
    if (line !== undefined && line !== '') say(line);
    if (line === 'end') return;
    pause(1);
  }
}

/** Blocks in receiveBlocking until a sample says `end`. */
async function block(): Promise<void> {
  const { node, service } = await open();
  const subscriber = await service.subscriber();
  say(node.id);
  for (let line: string | undefined; line !== 'end'; ) {
    endIfOrphaned();
    line = text(subscriber.receiveBlocking(isMainThread ? { timeoutMs: 1_000 } : {}));
    if (line !== undefined) say(line);
  }
}

/** Waits in a set, and says what comes, until a sample says `end`. */
async function waitInSet(): Promise<void> {
  const { node, service } = await open();
  const subscriber = await service.subscriber();
  using set = new WaitSet();
  set.attach(subscriber);
  say(node.id);
  set.run(() => {
    const line = text(subscriber.receive());
    if (line !== undefined) say(line);
    if (line === 'end') set.stop();
  });
}

/** Sends without a turn of the event loop until the file `stop` appears, then says how many subscribers it has. */
async function sendLoop(): Promise<void> {
  const { node, service } = await open();
  const publisher = await service.publisher(options.publisher ?? {});
  say(node.id);
  for (let count = 1; !flag('stop'); count++) {
    endIfOrphaned();
    publisher.sendCopy(bytesOf(count));
    if (options.slow === true) pause(1);
  }
  say(`stopped ${publisher.figures.subscribers.length}`);
}

/** Sends what its subscriber is to ignore, as fast as it can, until the file `stop` appears. */
async function flood(): Promise<void> {
  const { node, service } = await open();
  const publisher = await service.publisher();
  await publisher.connected();
  for (let count = 0; !flag('stop'); count++) {
    endIfOrphaned();
    publisher.sendCopy(bytesOf(''));
    if (count === 1_000) say(node.id);
  }
  say('stopped');
}

/** Sends `count` numbered samples in a row; says when it begins and when it is done. */
async function sendMany(): Promise<void> {
  const { node, service } = await open();
  const publisher = await service.publisher(options.publisher ?? {});
  say(node.id);
  await publisher.connected();
  for (let count = 1; count <= number('count'); count++) publisher.sendCopy(bytesOf(count));
  say('sent');
  for await (const _ of told()) return;
}

/** Has samples borrowed and on loan, connected to itself and others, and stays. */
async function holdAll(): Promise<void> {
  const { node, service } = await open();
  const publisher = await service.publisher();
  const subscriber = await service.subscriber();
  await publisher.connected(number('subscribers', 1));
  await subscriber.connected(number('publishers', 1));
  publisher.sendCopy(bytesOf('own'));
  const held = [publisher.loan(10), await subscriber.next()];
  say(node.id);
  for await (const _ of told()) break;
  for (const sample of held) sample.release();
}

/** Has a node, its event loop alive only for as long as that asks for. */
async function onlyNode(): Promise<void> {
  const { node, service } = await open();
  await service.publisher();
  await service.subscriber();
  if (options.unref === true) node.unref();
  if (options.ref === true) node.ref();
  say(node.id);
}

/** Forgets samples, and lets the garbage collector find them. */
async function forget(): Promise<void> {
  const { service } = await open();
  const publisher = await service.publisher();
  const subscriber = await service.subscriber();
  await publisher.connected();
  await subscriber.connected();
  process.on('warning', ({ name, message }) => say(`${name}: ${message}`));
  const collect = Reflect.get(globalThis, 'gc') as () => void;
  takeAndForget(publisher, subscriber);
  for (const take of [() => publisher.loan(1), () => subscriber.receive()]) {
    while (!succeeds(take)) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  say('all came back');
  process.exit();
}

/** Whether as many samples may be out as are. */
function succeeds(take: () => { release(): void } | undefined): boolean {
  try {
    take()?.release();
    return true;
  } catch {
    return false;
  }
}

function takeAndForget(publisher: Awaited<ReturnType<PubSubService['publisher']>>, from: Subscriber): void {
  for (const word of ['a', 'b', 'c']) publisher.sendCopy(bytesOf(word));
  for (let count = 0; count < number('most'); count++) {
    from.receive();
    publisher.loan(1);
  }
}

/** A publisher in a process that has few descriptors left, or none. Told to `measure`, it says how busy it is; else it has them again. */
async function exhausted(): Promise<void> {
  const { node, service } = await open();
  await service.publisher();
  const lines = told();
  const first = lines.next();
  const taken = takeDescriptors();
  for (let left = number('left', 1); left > 0; left--) closeSync(taken.pop() ?? -1);
  say(node.id);
  for (let line = await first; line.done !== true; line = await lines.next()) {
    if (line.value === 'measure') say(String(await busyShare(500)));
    else for (const fd of taken.splice(0)) closeSync(fd);
  }
}

/** Without a descriptor, closes its node when it is told that it can admit nobody, and ends: with an error if something threw. */
async function closeWhenExhausted(): Promise<void> {
  const { node, service } = await open();
  await service.publisher();
  subscribeChannel('sealane:degraded', () => node.close());
  takeDescriptors();
  say(node.id);
}

/** A subscriber in a process that has one descriptor left, for a connection but not for its memory. Says why it is degraded; told something, it has them again. */
async function starvedSubscriber(): Promise<void> {
  const { node, service } = await open();
  const events = service.events();
  const subscriber = await service.subscriber();
  const lines = told();
  const line = lines.next();
  const taken = takeDescriptors();
  closeSync(taken.pop() ?? -1);
  say(node.id);
  for await (const event of events) {
    if (event.type !== 'degraded') continue;
    say(event.error.code);
    break;
  }
  await line;
  for (const fd of taken) closeSync(fd);
  await subscriber.connected();
  say('connected');
}

/** All that there are. */
function takeDescriptors(): number[] {
  const taken: number[] = [];
  try {
    while (true) taken.push(openSync('/dev/null', 'r'));
  } catch {
    return taken;
  }
}

/** Sends without a descriptor, and goes on so for a while once the file `relieve` appears; then with all, until the file `stop` does. */
async function sendStarved(): Promise<void> {
  const { node, service } = await open();
  const publisher = await service.publisher();
  const taken = takeDescriptors();
  say(node.id);
  for (let left = 100; !flag('stop'); pause(1)) {
    endIfOrphaned();
    publisher.sendCopy(bytesOf('a'));
    if (flag('relieve') && left-- === 0) for (const fd of taken) closeSync(fd);
  }
}

/** Which part of a processor this process uses for some milliseconds, in which it has nothing to do. */
async function busyShare(ms: number): Promise<number> {
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / ms;
}

/** Starts workers that never let their event loops turn, then leaves. */
async function exitWithWorkers(): Promise<void> {
  for (const role of ['busyPoll', 'block', 'sendLoop']) {
    const peer = new WorkerPeer({ ...options, role, stop: '' });
    await peer.line();
  }
  say('leaving');
  process.exit(7);
}

const ROLES: Record<string, () => Promise<void>> = {
  ...{ publish, subscribe, busyPoll, slowPoll, block, waitInSet, sendLoop, sendMany, flood },
  ...{
    holdAll,
    onlyNode,
    forget,
    exhausted,
    closeWhenExhausted,
    sendStarved,
    starvedSubscriber,
    exitWithWorkers,
    sendAndLeave,
  },
};

await ROLES[options.role]?.();
