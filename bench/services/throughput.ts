// Small samples at full speed to one and to several subscribers, and what a subscriber adds to a publish.
import { type Interleaved, interleave, type Side } from '../harness/interleave.js';
import { makeRow, type Row } from '../harness/row.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { Iceoryx2Stream } from './iceoryx2.js';
import { addIceoryx2, ICEORYX2, ICEORYX2_TITLE } from './iceoryx2-sides.js';
import { OURS } from './latency.js';
import { ours } from './ours/index.js';
import { STREAM_BUFFER, type Stream } from './sides.js';
import { Started } from './started.js';

const PAYLOAD_BYTES = 64;
const SUBSCRIBERS: readonly number[] = [1, 8];
const [FEW, MANY] = [1, 8];
const FANOUT_ID = 'services.fanout';
/** Publishes that are timed together: no subscriber's buffer may become full. */
const BURST = STREAM_BUFFER - 56;

const ABOUT = `
One publisher sends samples of 64 bytes as fast as its subscribers, each a process, take them; buffers hold ${STREAM_BUFFER} samples,
nothing is dropped, and each subscriber checks the counter in every sample. The figure is samples published a second,
each of them received by every subscriber; the time is that of the slowest process, from its first sample to its last.
One to one, both are pinned and poll. One to eight, nothing is pinned. The peer's subscribers yield the processor after each
look that finds nothing, and never sleep; ours call \`receiveBlocking()\`, which does the same for 20 us and then sleeps. With
fewer cores than processes the scheduler decides much of it. Both sides' runs alternate. Ratio: ours / theirs, larger is better.
`;

const FANOUT_ABOUT = `
A publisher sends ${BURST} samples of 64 bytes while its subscribers sleep, so that only the publisher runs; they take them
before the next burst. The figure is what one more subscriber adds to one publish: the time of a publish to ${MANY} less that
to ${FEW}, divided by ${MANY - FEW}. Ratio: ours / theirs, smaller is better.
`;

async function startSides(context: Context, started: Started<Stream>, subscribers: number): Promise<void> {
  const options = { payloadBytes: PAYLOAD_BYTES, subscribers };
  if (ours.stream !== undefined) started.add(OURS, await ours.stream(options));
  await addIceoryx2(context, started, () => Iceoryx2Stream.start(options));
  if (started.sides.size === 0) throw new Skipped('neither our side nor the peer is there');
}

function figuresOf(result: Interleaved, perUnit: number): Parameters<typeof makeRow>[0]['more'] {
  return result.has(ICEORYX2) ? { peer: result.summary(ICEORYX2).p50 / perUnit } : {};
}

function rowOf(id: string, unit: string, result: Interleaved, perUnit = 1): Row {
  const both = result.has(OURS) && result.has(ICEORYX2);
  return makeRow({
    id,
    value: result.has(OURS) ? result.summary(OURS).p50 / perUnit : Number.NaN,
    unit,
    ...(both ? { ratio: result.ratio(OURS, ICEORYX2) } : {}),
    ...(result.has(ICEORYX2) ? { to: ICEORYX2_TITLE } : {}),
    more: figuresOf(result, perUnit) ?? {},
  });
}

async function measure(context: Context, subscribers: number): Promise<Row> {
  await using started = new Started<Stream>();
  await startSides(context, started, subscribers);
  const count = (context.quick ? 20_000 : 500_000) / subscribers;
  const sides: Side[] = [...started.sides].map(([name, stream]) => ({
    name,
    run: async () => [(count / (await stream.run(count))) * 1e9],
  }));
  const result = await interleave(sides, {
    rounds: context.quick ? 3 : 15,
    warmup: context.quick ? 1 : 3,
    onRound: (round, rounds) => context.progress(`to ${subscribers}, round ${round} of ${rounds}`),
  });
  return rowOf(idOf(subscribers), 'samples/s', result);
}

function idOf(subscribers: number): string {
  return `services.throughput.${subscribers}`;
}

async function run(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const subscribers of SUBSCRIBERS) {
    if (context.wants(idOf(subscribers))) rows.push(await measure(context, subscribers));
  }
  return rows;
}

/** Nanoseconds that one more subscriber adds to a publish. */
async function added(few: Stream, many: Stream): Promise<number> {
  const toFew = await few.burst(BURST);
  const toMany = await many.burst(BURST);
  return (toMany - toFew) / BURST / (MANY - FEW);
}

async function runFanout(context: Context): Promise<Row[]> {
  await using few = new Started<Stream>();
  await using many = new Started<Stream>();
  await startSides(context, few, FEW);
  await startSides(context, many, MANY);
  const bursts = context.quick ? 2 : 10;
  const sides: Side[] = [...few.sides].map(([name, stream]) => ({
    name,
    run: async () => {
      const samples: number[] = [];
      const other = many.sides.get(name);
      if (other === undefined) throw new Error(`${name} has no stream to ${MANY}`);
      for (let burst = 0; burst < bursts; burst++) samples.push(await added(stream, other));
      return samples;
    },
  }));
  const result = await interleave(sides, {
    rounds: context.quick ? 3 : 20,
    warmup: context.quick ? 1 : 3,
    onRound: (round, rounds) => context.progress(`round ${round} of ${rounds}`),
  });
  return [rowOf(FANOUT_ID, 'us', result, 1000)];
}

export const throughput: Measurement = { ids: SUBSCRIBERS.map(idOf), about: ABOUT, run };

export const fanout: Measurement = { ids: [FANOUT_ID], about: FANOUT_ABOUT, run: runFanout };
