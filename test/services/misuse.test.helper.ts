/** A process of the test of misuse: a subscriber that writes into what it receives, and says what comes of it, a line of JSON each time. */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { isSealaneError, Node, type Sample, type Subscriber } from 'sealane';
import { holdings, slotInodes } from './kernel.test.helper.js';
import type { PeerOptions } from './nodes.test.helper.js';

const options: PeerOptions = isMainThread ? JSON.parse(process.argv[2] ?? '{}') : workerData;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value: unknown) => writeSync(1, `${JSON.stringify(value)}\n`);
const told = async () => (await lines.next()).value as string;

setInterval(() => {
  if (isMainThread && process.ppid === 1) process.exit();
}, 1_000).unref();

/** What a receive does: the number of the error, or of the sample, whose payload must be all that number; or nothing. */
export interface Outcome {
  readonly modified?: number;
  readonly received?: number;
  readonly nothing?: true;
}

function receive({ receive }: { receive: () => Sample | undefined }): Outcome {
  try {
    using sample = receive();
    return sample === undefined ? { nothing: true } : { received: verified(sample) };
  } catch (error) {
    return modified(error);
  }
}

function modified(error: unknown): Outcome {
  if (!isSealaneError(error, 'ERR_SEALANE_SAMPLE_MODIFIED') || error.sequence === undefined) throw error;
  return { modified: error.sequence };
}

/** The number of a sample that is as it was sent: each byte is the number, or all of them are its text. */
function verified({ bytes, userHeader, header: { sequence } }: Sample): number {
  if (options.text === true && Buffer.from(bytes).toString() === String(sequence)) return sequence;
  for (const view of [bytes, userHeader]) {
    const wrong = view.findIndex((byte) => byte !== (sequence & 0xff));
    if (wrong !== -1) throw new Error(`byte ${wrong} of sample ${sequence} is ${view[wrong]}`);
  }
  return sequence;
}

const outcomesOf = (subscriber: Subscriber, count: number) =>
  Array.from({ length: count }, () => receive({ receive: () => subscriber.receive() }));

/** Mappings and descriptors of publishers' memory. */
const memory = () => [holdings().slotMappings, slotInodes().length];

/** What is done to a sample. */
const DEEDS: Record<string, (sample: Sample) => unknown> = {
  store: ({ bytes }) => {
    bytes[5] = 0;
  },
  'user header': ({ userHeader }) => userHeader.fill(0),
  'own header': ({ bytes, userHeader }) =>
    new Uint8Array(bytes.buffer, userHeader.byteOffset - 64, 64).fill(0xff),
  fill: ({ bytes }) => bytes.fill(0),
  set: ({ bytes }) => bytes.set(Buffer.alloc(bytes.length)),
  copyWithin: ({ bytes }) => bytes.copyWithin(5, 1),
  DataView: ({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).setUint32(1, 0),
  Atomics: ({ bytes }) => Atomics.add(bytes, 0, 1),
  'released view': (sample) => {
    const { bytes } = sample;
    sample.release();
    bytes.fill(0);
  },
};

async function connected(name = options.service): Promise<Subscriber> {
  const node = await Node.create({ name: 'misuser', directory: options.directory });
  const service = await node.service(name).publishSubscribe(options.settings ?? {});
  const subscriber = await service.subscriber();
  await subscriber.connected();
  return subscriber;
}

/** Does to each sample what it is told, and says the outcomes of the next two receives; what it holds must be whole again then. */
async function deeds(): Promise<void> {
  const subscriber = await connected();
  say('connected');
  for (let deed = await told(); deed !== undefined; deed = await told()) {
    using sample = await subscriber.next();
    const { sequence } = sample.header;
    await DEEDS[deed]?.(sample);
    say(outcomesOf(subscriber, 2));
    if (deed !== 'released view') say({ received: verified(sample) });
    else say({ received: sequence });
  }
}

/** The ways to receive: each throws, once, and goes on. */
async function ways(): Promise<void> {
  const subscriber = await connected();
  const { hot } = subscriber;
  const calls: Record<string, () => unknown> = {
    receive: () => subscriber.receive(),
    'hot.receive': () => hot.receive(),
    receiveBatch: () => subscriber.receiveBatch(9),
    'hot.receiveBatch': () => hot.receiveBatch(9),
    receiveBlocking: () => subscriber.receiveBlocking({ timeoutMs: 0 }),
    'hot.receiveBlocking': () => hot.receiveBlocking(),
    next: () => subscriber.next(),
    iterator: () => subscriber[Symbol.asyncIterator]().next(),
  };
  say('connected');
  for (const [name, call] of Object.entries(calls)) {
    const sample = await subscriber.next();
    sample.bytes.fill(0);
    sample.release();
    try {
      await call();
      say(`${name} threw nothing`);
    } catch (error) {
      say({ [name]: modified(error).modified });
    }
    say(outcomesOf(subscriber, 1));
  }
}

/** Two subscribers, in one thread: what one does the other one neither sees nor hears of. */
async function two(): Promise<void> {
  const [one, other] = [await connected(), await connected()];
  say('connected');
  using sample = await one.next();
  using same = await other.next();
  sample.bytes.fill(0);
  say(verified(same));
  say([outcomesOf(other, 1), outcomesOf(one, 2), outcomesOf(other, 1)].flat());
  say([verified(sample), verified(same)]);
}

/** Writes into one sample of each page's worth, told by lines how many samples come. */
async function shared(): Promise<void> {
  const subscriber = await connected();
  say('connected');
  for (let line = await told(); line !== undefined; line = await told()) {
    const sample = await subscriber.next();
    sample.bytes[0] = 0;
    const { sequence } = sample.header;
    sample.release();
    say(sequence);
    await told();
    say(outcomesOf(subscriber, Number(line) + 2));
  }
}

/** Keeps the view of the first sample, and writes through it while its slot holds others, which it borrows then, or not. */
async function retained(): Promise<void> {
  const subscriber = await connected();
  say('connected');
  const first = await subscriber.next();
  const { bytes } = first;
  first.release();
  say('released');
  for (let line = await told(); line !== undefined; line = await told()) {
    using later = line === 'held' ? await subscriber.next() : undefined;
    bytes.fill(0);
    const outcomes = outcomesOf(subscriber, 2);
    say({ outcomes, same: later === undefined || later.bytes.byteOffset === bytes.byteOffset });
    if (later !== undefined) say(verified(later));
  }
}

/** Many times, with what the kernel says at the end. */
async function often(): Promise<void> {
  const subscriber = await connected();
  const before = holdings();
  say('connected');
  let errors = 0;
  for (let round = 0; round < Number(options.rounds); round++) {
    const sample = subscriber.hot.receiveBlocking();
    if (sample === undefined) throw new Error('no sample');
    sample.bytes[round % sample.bytes.length] = 1;
    sample.release();
    try {
      subscriber.hot.receive()?.release();
    } catch (error) {
      modified(error);
      errors += 1;
    }
  }
  say({ errors, before, after: holdings() });
}

/** Of a large sample only what is written to is copied: kilobytes of private memory in the mapping of the slots. */
async function large(): Promise<void> {
  const subscriber = await connected();
  say('connected');
  using sample = await subscriber.next();
  for (let at = 0; at < sample.bytes.length; at += 4 << 20) sample.bytes[at] = 0;
  const ranges = readFileSync('/proc/self/smaps', 'latin1').split(/\n(?=[0-9a-f]+-)/);
  const own = ranges.filter((range) => range.includes('/memfd:sealane-samples'));
  const kilobytes = own.map((range) => Number(range.match(/Anonymous:\s+(\d+) kB/)?.[1]));
  say(kilobytes.reduce((sum, one) => sum + one, 0));
  say(outcomesOf(subscriber, 2));
  say(verified(sample));
}

/** A system call that would write into a sample. */
async function read(): Promise<void> {
  const subscriber = await connected();
  say('connected');
  using sample = await subscriber.next();
  const fd = openSync('/dev/zero', 'r');
  try {
    readSync(fd, sample.bytes, 0, 8, null);
  } catch (error) {
    say(String((error as NodeJS.ErrnoException).code));
  }
  closeSync(fd);
  say(outcomesOf(subscriber, 1));
  say(verified(sample));
}

/** When the publisher is dead, holding a sample of it and with another in the buffer; told so by a line. */
async function orphan(): Promise<void> {
  const subscriber = await connected();
  say('connected');
  const sample = await subscriber.next();
  await told();
  while (subscriber.figures.publishers.length > 0) await new Promise((resolve) => setImmediate(resolve));
  sample.bytes.fill(0);
  say(outcomesOf(subscriber, 2));
  verified(sample);
  sample.bytes.fill(0);
  sample.release();
  say(outcomesOf(subscriber, 2));
  subscriber.close();
  say(memory());
}

/** Closes with samples that were written into, again and again; in the end nothing may be left. */
async function close(): Promise<void> {
  const node = await Node.create({ name: 'misuser', directory: options.directory });
  const service = await node.service(options.service).publishSubscribe(options.settings ?? {});
  const before = memory();
  for (let round = 0; round < 5; round++) {
    const subscriber = await service.subscriber();
    const sample = await subscriber.next();
    new Uint8Array(sample.bytes.buffer).fill(0);
    subscriber.close();
  }
  say([before, memory()]);
}

/** A worker that is terminated with what it wrote into; then another subscriber in this thread. */
async function worker(): Promise<void> {
  const before = memory();
  const worker = new Worker(new URL(import.meta.url), { workerData: { ...options, role: 'written' } });
  await new Promise((resolve) => worker.once('message', resolve));
  await worker.terminate();
  const after = memory();
  const subscriber = await connected();
  say([before, after]);
  using sample = await subscriber.next();
  say(verified(sample));
}

async function written(): Promise<void> {
  const { parentPort } = await import('node:worker_threads');
  const sample = await (await connected()).next();
  new Uint8Array(sample.bytes.buffer).fill(0);
  parentPort?.postMessage('written');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const ROLES: Record<string, () => Promise<void>> = {
  ...{ deeds, ways, two, shared, retained, often, large, read, orphan, close, worker, written },
};

await ROLES[options.role]?.();
if (isMainThread) process.exit();
