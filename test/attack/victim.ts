// The well-behaved client, a process of its own: `victim.js SOCKET [JOB]`. Puts 4 KiB under a name, gets them back, reads them, and drops them, over
// and over, and measures every round. Rests at first.
import { type Bus, type ConnectOptions, connect } from 'sealane';

/**
 * What it is asked: to play rounds, to rest after the one that it is in, how the rounds since `go` were (`rest` answers that too), to
 * have a round played by a client that comes only then, how many objects the broker has.
 */
export type Question = 'go' | 'rest' | 'account' | 'visit' | 'count';

/** How some numbers are distributed: half, 99 and 99.9 of 100 are at most this. */
export interface Distribution {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** What the rounds since `go` were like, in microseconds. */
export interface Account {
  readonly rounds: number;
  /** How long they took. */
  readonly took: Distribution;
  /** What ended the rounds; absent: they go on. */
  readonly error?: string;
}

const BYTES = 4_096;

/** Rounds that are remembered; in later ones the oldest are overwritten. */
const SAMPLES = 1 << 20;

const took = new Float64Array(SAMPLES);
let rounds = 0;

function distributionOf(samples: Float64Array): Distribution {
  const sorted = samples.slice(0, Math.min(rounds, SAMPLES)).sort();
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}

function account(): Account {
  return { rounds, took: distributionOf(took), ...(error === undefined ? {} : { error }) };
}

let bus: Bus;
let error: string | undefined;
/** Resolves when the next round may begin. */
let turn: Promise<void>;
let go: () => void;
/** Called at the end of a round. */
let atRest: (() => void) | undefined;

const NAME = `victim/${process.pid}`;
const source = new Uint8Array(BYTES);

async function playRound(on: Bus, value: number): Promise<void> {
  source.fill(value);
  const { id } = await on.put(source, { name: NAME });
  using blob = await on.get(NAME);
  const { bytes } = blob;
  if (blob.id !== id || bytes.length !== BYTES || bytes.some((byte) => byte !== value))
    throw new Error(`object ${blob.id} of ${bytes.length} bytes is not what was put as ${id}`);
  await on.drop(id);
}

async function play(): Promise<void> {
  try {
    for (let value = 0; ; value = (value + 1) % 251) {
      await turn;
      const beganMs = performance.now();
      await playRound(bus, value);
      took[rounds++ % SAMPLES] = (performance.now() - beganMs) * 1_000;
      atRest?.();
    }
  } catch (failure) {
    error = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
    atRest?.();
  }
}

function stopTurns(): void {
  turn = new Promise((resolve) => {
    go = resolve;
  });
}

/** Resolves at the end of the round that is played. */
function rest(): Promise<void> {
  stopTurns();
  if (error !== undefined) return Promise.resolve();
  return new Promise((resolve) => {
    atRest = resolve;
  });
}

/** A round of a client that comes only now. */
async function visit(options: ConnectOptions): Promise<string> {
  await using fresh = await connect(options);
  await playRound(fresh, 7);
  return 'ok';
}

async function answer(question: Question, options: ConnectOptions): Promise<unknown> {
  if (question === 'go') {
    rounds = 0;
    go();
    return 'gone';
  }
  if (question === 'rest') await rest();
  if (question === 'visit') return visit(options).catch(String);
  if (question === 'count') return (await bus.status()).objects;
  return account();
}

async function main([socket = '', jobId]: readonly string[]): Promise<void> {
  const options = { socket, ...(jobId === undefined ? {} : { jobId }) };
  bus = await connect(options);
  process.on('message', async (question: Question) =>
    process.send?.((await answer(question, options)) ?? 'done'),
  );
  process.on('disconnect', () => process.exit(0));
  stopTurns();
  process.send?.('ready');
  await play();
}

await main(process.argv.slice(2));
