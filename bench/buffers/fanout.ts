// Frames to one and to several subscribers: how long until all have one, and how many go a second.
import { type Interleaved, interleave, type Side } from '../harness/interleave.js';
import { makeRow, type Row } from '../harness/row.js';
import type { Context, Measurement } from '../harness/suite.js';
import { OURS } from '../services/latency.js';
import { Started } from '../services/started.js';
import type { Way } from './ports.js';
import { TwoProcesses } from './processes.js';

const SUBSCRIBERS = [1, 4, 16] as const;
const WAYS = ['fd', 'pool'] as const;
/** Frames that wait for a subscriber at most. */
const BUFFER = 8;
/** Of a pool: those that wait, those that are held, one to fill, and some on their way back. */
const POOL_BUFFERS = 16;

const ABOUT = `
One process sends 1080p frames, with a descriptor each (fd) or in a pool of ${POOL_BUFFERS} buffers (pool), to 1, 4 and 16 subscribers, all of which are in one
other process: a core each, both poll. Each subscriber is a port with a connection and a ring of its own, receives every frame, and releases it.

buffers.fanout: from the send until the answer that all subscribers have the frame, a plain sample of 64 bytes, which is part of
the figure. One frame at a time.

buffers.throughput: frames a second, of which each subscriber gets each: up to ${BUFFER} wait in each, nothing is dropped, and whoever finds a full
buffer waits. The time is that of the slower process.
`;

/** A sender, subscribers, and their answers. */
class FanOut implements AsyncDisposable {
  readonly #processes: TwoProcesses;

  private constructor(processes: TwoProcesses) {
    this.#processes = processes;
  }

  static async start(way: Way, subscribers: number): Promise<FanOut> {
    const frames = {
      ...{ way, service: 'frames', buffers: POOL_BUFFERS },
      settings: {
        bufferSize: BUFFER,
        overflow: false,
        maxPublishers: 1,
        maxSubscribers: subscribers,
        maxBorrowed: 2,
      },
    };
    const answers = {
      ...({ way: 'plain', service: 'answers', buffers: 0 } as const),
      settings: { bufferSize: 1, maxPublishers: 1, maxSubscribers: 1, maxBorrowed: 2 },
    };
    return new FanOut(
      await TwoProcesses.start(
        { sends: frames, receives: { ...answers, subscribers: 1 } },
        { sends: answers, receives: { ...frames, subscribers } },
        [subscribers, 1],
      ),
    );
  }

  /** Nanoseconds of each frame until all have it. */
  latencies(count: number): Promise<number[]> {
    return this.#processes.run('trips', 'gather', { count, waiting: 'poll' });
  }

  /** Nanoseconds in which that many frames are sent and received by all. */
  async stream(count: number): Promise<number> {
    return Math.max(
      ...(await this.#processes.runBoth<number>('stream', 'drain', { count, waiting: 'poll' })),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#processes[Symbol.asyncDispose]();
  }
}

function idOf(figure: 'fanout' | 'throughput', way: Way, subscribers: number): string {
  return `buffers.${figure}.${way}.${subscribers}`;
}

function idsOf(figure: 'fanout' | 'throughput'): string[] {
  return WAYS.flatMap((way) => SUBSCRIBERS.map((subscribers) => idOf(figure, way, subscribers)));
}

function measured(context: Context, name: string, run: Side['run']): Promise<Interleaved> {
  return interleave([{ name: OURS, run }], {
    rounds: context.quick ? 3 : 20,
    warmup: context.quick ? 1 : 4,
    onRound: (round, rounds) => context.progress(`${name}, round ${round} of ${rounds}`),
  });
}

async function latencyOf(context: Context, id: string, fanOut: FanOut): Promise<Row> {
  const count = context.quick ? 200 : 2_000;
  const result = await measured(context, id, async () =>
    (await fanOut.latencies(count)).map((nanoseconds) => nanoseconds / 1_000),
  );
  const { p50, p99, p999 } = result.summary(OURS);
  const histograms = { [OURS]: result.histogram(OURS) };
  return makeRow({ id, value: p50, unit: 'us', more: { p99, p999 }, histograms });
}

async function throughputOf(context: Context, id: string, fanOut: FanOut): Promise<Row> {
  const count = context.quick ? 1_000 : 10_000;
  const result = await measured(context, id, async () => [(count / (await fanOut.stream(count))) * 1e9]);
  return makeRow({ id, value: result.summary(OURS).p50, unit: 'frames/s' });
}

async function measure(context: Context, way: Way, subscribers: number): Promise<Row[]> {
  const [latency, throughput] = [idOf('fanout', way, subscribers), idOf('throughput', way, subscribers)];
  if (!context.wants(latency) && !context.wants(throughput)) return [];
  await using started = new Started<FanOut>();
  const fanOut = await FanOut.start(way, subscribers);
  started.add(OURS, fanOut);
  const rows: Row[] = [];
  if (context.wants(latency)) rows.push(await latencyOf(context, latency, fanOut));
  if (context.wants(throughput)) rows.push(await throughputOf(context, throughput, fanOut));
  return rows;
}

async function run(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const way of WAYS)
    for (const subscribers of SUBSCRIBERS) rows.push(...(await measure(context, way, subscribers)));
  return rows;
}

export const fanout: Measurement = { ids: [...idsOf('fanout'), ...idsOf('throughput')], about: ABOUT, run };
