/**
 * Runs the demo: each way in turn, fresh consumer processes in each round, times and memory measured, every
 * byte verified. Owns the processes, sockets and the broker of a round, and has released them when the round
 * ends, however it ends.
 */
import { ConsumerProcess } from './consumer-process.js';
import { type Delivery, openDelivery, type Shipment } from './deliveries.js';
import { gained, type MemoryFigures, readAvailableBytes, readMemory } from './memory.js';
import { nowMs, type Way } from './protocol.js';

/** What to run. */
export interface DemoPlan {
  /** The files, with the digests that the consumers must arrive at. */
  shipments: readonly (Shipment & { digest: string })[];
  consumers: number;
  rounds: number;
  /** Private to this user; sockets are made in it. */
  directory: string;
  signal: AbortSignal;
  /** Told what begins now. */
  onStep(way: Way, round: number): void;
}

/** The figures of one way: medians over the rounds. Times are from the start, in milliseconds. */
export interface WayResult {
  way: Way;
  /** Why it was left out; then there are no figures. */
  skipped?: string;
  figures?: WayFigures;
}

/** Times in milliseconds since the start of the delivery, memory summed over the consumers. */
export interface WayFigures {
  /** The last file was in memory, ready to be had. */
  publishedMs: number;
  /** The last consumer had all bytes at hand. */
  inHandMs: number;
  /** The last consumer had read every byte. */
  readMs: number;
  /** What the consumers gained; absent where the kernel does not tell. */
  memory?: MemoryFigures;
  /** Digests that were computed and agreed, and that did not, over all rounds. */
  verified: number;
  wrong: number;
}

export const WAYS: readonly Way[] = ['sealane', 'socket', 'messages'];

/** Largest file for the ways that need it in one buffer and one message. */
const MAX_COMPARED_BYTES = 2 ** 30;

/** Runs all ways. Throws when a process fails or the signal fires; wrong digests are counted, not thrown. */
export async function runDemo(plan: DemoPlan): Promise<WayResult[]> {
  const results = await Promise.all(WAYS.map((way) => toRun(way, plan)));
  const rounds = new Map<Way, WayFigures[]>();
  // Ways take turns: what else the machine does meanwhile then disturbs all of them alike.
  for (let round = 1; round <= plan.rounds; round++) {
    for (const { way } of results.filter(({ skipped }) => skipped === undefined)) {
      plan.signal.throwIfAborted();
      plan.onStep(way, round);
      rounds.set(way, [...(rounds.get(way) ?? []), await runRound(way, plan)]);
    }
  }
  return results.map((result) => {
    const figures = rounds.get(result.way);
    return figures === undefined ? result : { ...result, figures: mediansOf(figures) };
  });
}

async function toRun(way: Way, plan: DemoPlan): Promise<WayResult> {
  const skipped = await reasonToSkip(way, plan);
  return skipped === undefined ? { way } : { way, skipped };
}

/** Copying ways need memory for their copies: a demo must not drive a machine out of memory. */
async function reasonToSkip(way: Way, { shipments, consumers }: DemoPlan): Promise<string | undefined> {
  if (way === 'sealane') return undefined;
  if (shipments.some(({ size }) => size > MAX_COMPARED_BYTES)) return 'a file has more than 1 GiB';
  const totalBytes = shipments.reduce((sum, { size }) => sum + size, 0);
  // A message exists up to three times for each consumer: serialized, as received pieces, and joined.
  const copies = 1 + consumers * (way === 'messages' ? 3 : 1);
  return totalBytes * copies > (await readAvailableBytes())
    ? `${copies} copies do not fit into free memory`
    : undefined;
}

async function runRound(way: Way, plan: DemoPlan): Promise<WayFigures> {
  const delivery = await openDelivery(way, plan.directory, plan.signal);
  const consumers = Array.from({ length: plan.consumers }, () => new ConsumerProcess(plan.signal));
  try {
    await setUp(way, delivery, consumers, plan);
    const figures = await measure(delivery, consumers, plan);
    return { ...figures, ...(await verify(consumers, plan)) };
  } finally {
    await Promise.all(consumers.map((consumer) => consumer[Symbol.asyncDispose]()));
    await delivery[Symbol.asyncDispose]();
  }
}

async function setUp(
  way: Way,
  delivery: Delivery,
  consumers: readonly ConsumerProcess[],
  plan: DemoPlan,
): Promise<void> {
  const parcels = plan.shipments.map(({ name, size }) => ({ name, size }));
  for (const consumer of consumers) consumer.send({ kind: 'setup', way, address: delivery.address, parcels });
  await Promise.all(consumers.map((consumer) => consumer.answer('ready')));
  await delivery.connected(consumers.length);
}

async function measure(delivery: Delivery, consumers: readonly ConsumerProcess[], plan: DemoPlan) {
  const before = await memoryOf(consumers);
  const startMs = nowMs();
  const publishedMs = (await delivery.deliver(plan.shipments, consumers)) - startMs;
  const received = await Promise.all(consumers.map((consumer) => consumer.answer('received')));
  const memory = gained(before, await memoryOf(consumers));
  const inHandMs = Math.max(...received.map((times) => times.inHandMs)) - startMs;
  const readMs = Math.max(...received.map((times) => times.readMs)) - startMs;
  return { publishedMs, inHandMs, readMs, ...(memory === undefined ? {} : { memory }) };
}

function memoryOf(consumers: readonly ConsumerProcess[]): Promise<(MemoryFigures | undefined)[]> {
  return Promise.all(consumers.map(({ pid }) => readMemory(pid)));
}

/** Asks every consumer for its digests. Not part of what is timed. */
async function verify(
  consumers: readonly ConsumerProcess[],
  { shipments }: DemoPlan,
): Promise<{ verified: number; wrong: number }> {
  for (const consumer of consumers) consumer.send({ kind: 'verify' });
  const answers = await Promise.all(consumers.map((consumer) => consumer.answer('verified')));
  const right = answers.flatMap(({ digests }) => shipments.map(({ digest }, i) => digest === digests[i]));
  const verified = right.filter(Boolean).length;
  return { verified, wrong: right.length - verified };
}

function mediansOf(rounds: readonly WayFigures[]): WayFigures {
  const of = (pick: (round: WayFigures) => number) => median(rounds.map(pick));
  const memories = rounds.flatMap(({ memory }) => memory ?? []);
  return {
    publishedMs: of((round) => round.publishedMs),
    inHandMs: of((round) => round.inHandMs),
    readMs: of((round) => round.readMs),
    ...(memories.length < rounds.length ? {} : { memory: medianMemory(memories) }),
    verified: rounds.reduce((sum, round) => sum + round.verified, 0),
    wrong: rounds.reduce((sum, round) => sum + round.wrong, 0),
  };
}

function medianMemory(memories: readonly MemoryFigures[]): MemoryFigures {
  return {
    rssBytes: median(memories.map((memory) => memory.rssBytes)),
    pssBytes: median(memories.map((memory) => memory.pssBytes)),
    privateBytes: median(memories.map((memory) => memory.privateBytes)),
  };
}

/** The middle value; of an even number of values the lower middle one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}
