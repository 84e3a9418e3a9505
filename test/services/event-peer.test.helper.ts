// A peer of the tests of events, in a process or a thread of its own: what it does is its role. It says what happens in lines, also while
// its event loop does not turn.
import { subscribe } from 'node:diagnostics_channel';
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { type EventOptions, type EventService, Node } from 'sealane';
import type { PeerOptions } from './nodes.test.helper.js';

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

const parent = process.ppid;

/** Ends a process whose test is gone: nobody else does. */
function endIfOrphaned(): void {
  if (isMainThread && process.ppid !== parent) process.exit();
}

setInterval(endIfOrphaned, 1_000).unref();

async function open(): Promise<{ node: Node; service: EventService }> {
  const node = await Node.create({ name: options.role, directory: options.directory });
  const service = await node.service(options.service).event((options.settings ?? {}) as EventOptions);
  return { node, service };
}

/** A notifier that notifies each id that it is told, and says how many that told; `close` closes it. */
async function notify(): Promise<void> {
  const { node, service } = await open();
  const notifier = await service.notifier();
  say(node.id);
  for await (const line of told()) {
    if (line === 'close') notifier.close();
    else if (line === 'connected') await notifier.connected();
    if (/^\d+$/.test(line)) say(String(notifier.notify(Number(line))));
    else say(line);
  }
}

/** Has a notifier, and when a listener is connected takes almost all descriptors that there are, by other means than Sealane's. */
async function hoard(): Promise<void> {
  const { node, service } = await open();
  await service.notifier();
  const taken: number[] = [];
  subscribe('sealane:connected', () => {
    try {
      while (true) taken.push(openSync('/dev/null', 'r'));
    } catch {
      for (const fd of taken.splice(-20)) closeSync(fd);
    }
  });
  say(node.id);
}

/** Notifies without a turn of the event loop, and writes down after each time how often it did. */
async function notifyForEver(): Promise<void> {
  const { node, service } = await open();
  const notifier = await service.notifier();
  say(node.id);
  await notifier.connected();
  const file = openSync(String(options.file), 'w');
  const done = new BigUint64Array(1);
  for (let count = 1n; ; count++) {
    endIfOrphaned();
    notifier.notify(Number(count % 50n));
    done[0] = count;
    writeSync(file, new Uint8Array(done.buffer), 0, 8, 0);
  }
}

/** Notifies so many ids, without a turn of the event loop; pauses now and then, so that listeners fall asleep. */
async function notifyMany(): Promise<void> {
  const { node, service } = await open();
  const notifier = await service.notifier();
  say(node.id);
  await notifier.connected();
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let count = 0; count < Number(options.count); count++) {
    endIfOrphaned();
    notifier.notify((count * 7) % 1_024);
    if (count % 500 === 499) Atomics.wait(sleeper, 0, 0, 2);
  }
  say('done');
  for await (const line of told()) say(line);
}

/** A listener that says what it receives when it is told `receive`, or waits for it on `next`. */
async function listen(): Promise<void> {
  const { node, service } = await open();
  const listener = await service.listener();
  say(node.id);
  for await (const line of told()) {
    if (line === 'connected') {
      await listener.connected();
      say(line);
    } else {
      const notice = line === 'next' ? await listener.next() : listener.receive();
      say(notice?.type === 'event' ? `${notice.id} ${notice.count}` : (notice?.type ?? 'nothing'));
    }
  }
}

/** Blocks, and says what comes, without a turn of the event loop. */
async function block(): Promise<void> {
  const { node, service } = await open();
  const listener = await service.listener();
  say(node.id);
  while (!existsSync(String(options.stop))) {
    endIfOrphaned();
    const notice = listener.receiveBlocking(isMainThread ? { timeoutMs: 500 } : {});
    if (notice?.type === 'event') say(`${notice.id} ${notice.count}`);
  }
}

/** Answers each event with the same id, in the service `back`, asleep or not. */
async function echo(): Promise<void> {
  const { node, service } = await open();
  const listener = await service.listener();
  const back = await (await node.service('back').event({})).notifier();
  say(node.id);
  await listener.connected();
  for (;;) {
    endIfOrphaned();
    listener.drainBlocking((id) => back.notify(id), { timeoutMs: 500 });
  }
}

/** A process that has no descriptor left when the listener is to get its event set; told anything, it has them again. */
async function starvedListener(): Promise<void> {
  const { node, service } = await open();
  const events = service.events();
  const listener = await service.listener();
  const lines = told();
  const line = lines.next();
  const taken: number[] = [];
  try {
    while (true) taken.push(openSync('/dev/null', 'r'));
  } catch {
    closeSync(taken.pop() ?? -1);
  }
  say(node.id);
  for await (const event of events) {
    if (event.type !== 'degraded') continue;
    say(event.error.code);
    break;
  }
  await line;
  for (const fd of taken) closeSync(fd);
  await listener.connected();
  say('connected');
}

const ROLES: Record<string, () => Promise<void>> = {
  ...{ notify, hoard, notifyForEver, notifyMany, listen, block, echo, starvedListener },
};

await ROLES[options.role]?.();
