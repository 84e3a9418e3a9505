// Frames that are handed over, with a descriptor each or in a pool, against frames whose bytes go through a Unix socket.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Interleaved, interleave, type Side } from '../harness/interleave.js';
import { buildPeers, Peer } from '../harness/peers.js';
import { coreOf } from '../harness/pinning.js';
import type { Row } from '../harness/row.js';
import { Station } from '../harness/station.js';
import type { Context, Measurement } from '../harness/suite.js';
import { latencyRow, oneWayUs } from '../services/latency.js';
import type { Turns } from '../services/sides.js';
import { Started } from '../services/started.js';
import { FrameTurns } from './processes.js';

const NET = 'node:net';
const C = 'C, read and write';
/** Our two ways, each compared with both. */
const FD = 'fd';
const POOL = 'pool';
const TARGET = { atMost: 0.1 };
const ROWS = [
  { id: 'buffers.socket.fd', ours: FD, peer: NET },
  { id: 'buffers.socket.pool', ours: POOL, peer: NET },
  { id: 'buffers.socket.c.fd', ours: FD, peer: C },
  { id: 'buffers.socket.c.pool', ours: POOL, peer: C },
] as const;

const ABOUT = `
Two processes, a core each, hand each other a frame of 8.3 MB in turns, and sleep until the other's is there. Ours: in the event
loop (\`await subscriber.next()\`), with a descriptor each and 64 bytes of metadata (fd), or in a pool of 4 buffers (pool). Theirs: all bytes
of a frame, which lie in one array, go through a Unix stream socket into one array of the other side: with node:net, \`write\` and \`onread\`, and for
buffers.socket.c two C processes (bench/peers/bytes_pair.c) that block in write and read. Nobody looks at the bytes: who does pays the same
on all sides. A figure is half a round trip. Batches alternate. Ratio: ours / theirs, smaller is better.
`;

/** Frames that go to and fro as bytes, through two connections: each side reads from the one that it made. */
class NetTurns implements Turns {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
  readonly #first = Station.start(new URL('./bytes-role.js', import.meta.url), { place: 'client' });
  readonly #second = Station.start(new URL('./bytes-role.js', import.meta.url), { place: 'broker' });

  static async start(): Promise<NetTurns> {
    const made = new NetTurns();
    try {
      const paths = ['first', 'second'].map((name) => join(made.#folder, name));
      const stations = [made.#first, made.#second];
      await Promise.all(stations.map((station, index) => station.call('listen', paths[index])));
      await Promise.all(stations.map((station, index) => station.call('dial', paths[1 - index])));
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw error;
    }
  }

  async trips(count: number): Promise<readonly number[]> {
    const [times] = await Promise.all([
      this.#first.call<number[]>('trips', { count }),
      this.#second.call('echo', { count }),
    ]);
    return times;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#first.close(), this.#second.close()]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

class BareTurns implements Turns {
  readonly #peer = Peer.start('bytes_pair', [coreOf('client'), coreOf('broker')]);

  trips(count: number): Promise<readonly number[]> {
    return this.#peer.ask(`${count}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}

async function startSides(context: Context, started: Started<Turns>): Promise<void> {
  const wanted = ROWS.filter(({ id }) => context.wants(id));
  for (const way of [FD, POOL] as const)
    if (wanted.some(({ ours }) => ours === way)) started.add(way, await FrameTurns.start(way, 'loop'));
  if (wanted.some(({ peer }) => peer === NET)) started.add(NET, await NetTurns.start());
  if (!wanted.some(({ peer }) => peer === C)) return;
  const failure = buildPeers();
  if (failure === undefined) started.add(C, new BareTurns());
  else context.leaveOut(C, failure);
}

function rowsOf(context: Context, result: Interleaved): Row[] {
  return ROWS.filter(({ id }) => context.wants(id)).map(({ id, ours, peer }) =>
    latencyRow({ id, result, ours, peer, to: peer, target: TARGET }),
  );
}

async function run(context: Context): Promise<Row[]> {
  await using started = new Started<Turns>();
  await startSides(context, started);
  // A batch of theirs takes a thousand times as long.
  const counts: Readonly<Record<string, number>> = { [NET]: 10, [C]: 10 };
  const ours = context.quick ? 100 : 500;
  const sides: Side[] = [...started.sides].map(([name, side]) => ({
    name,
    run: async () => (await side.trips(counts[name] ?? ours)).map(oneWayUs),
  }));
  const result = await interleave(sides, {
    rounds: context.quick ? 3 : 30,
    warmup: context.quick ? 1 : 4,
    onRound: (round, rounds) => context.progress(`round ${round} of ${rounds}`),
  });
  return rowsOf(context, result);
}

export const socket: Measurement = { ids: ROWS.map(({ id }) => id), about: ABOUT, run };
