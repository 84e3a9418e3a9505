// Ping-pong between two processes that sleep until the other wakes them, against the bare system calls.
import { interleave, type Side } from '../harness/interleave.js';
import { buildPeers, Peer } from '../harness/peers.js';
import { coreOf } from '../harness/pinning.js';
import type { Row } from '../harness/row.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { latencyRow, OURS, oneWayUs } from './latency.js';
import { ours } from './ours/index.js';
import type { Turns } from './sides.js';
import { Started } from './started.js';

const BLOCKED_ID = 'services.wake';
const LOOP_ID = 'services.wake.loop';
/** Ours in the event loop is a side of the same run; the blocked thread carries the plain name. */
const LOOP = 'sealane, event loop';
const PEER = 'C with epoll';

const ABOUT = `
Two processes, a core each, that sleep until the other wakes them, and answer each sample with one of their own. Ours,
services.wake: \`receiveBlocking()\`, the thread sleeps in epoll_wait. services.wake.loop: \`await subscriber.next()\`, the event
loop sleeps, and a turn of it with its promises is part of the figure. Theirs, for both: two C processes
(bench/peers/wake_pingpong.c) that sleep in epoll_wait on a non-blocking SOCK_SEQPACKET pair, receive a byte and send one
back. A figure is half a round trip. Batches of all sides alternate. Ratio: ours / theirs, smaller is better.
`;

class EpollTurns implements Turns {
  readonly #peer = Peer.start('wake_pingpong', [coreOf('client'), coreOf('broker')]);

  trips(count: number): Promise<readonly number[]> {
    return this.#peer.ask(`${count}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}

async function startSides(context: Context, started: Started<Turns>): Promise<void> {
  if (ours.wake !== undefined) {
    if (context.wants(BLOCKED_ID)) started.add(OURS, await ours.wake('block'));
    if (context.wants(LOOP_ID)) started.add(LOOP, await ours.wake('loop'));
  }
  const failure = buildPeers();
  if (failure === undefined) started.add(PEER, new EpollTurns());
  else context.leaveOut(PEER, failure);
  if (started.sides.size === 0) throw new Skipped('neither our side nor the peer is there');
}

async function run(context: Context): Promise<Row[]> {
  await using started = new Started<Turns>();
  await startSides(context, started);
  const count = context.quick ? 200 : 1000;
  const sides: Side[] = [...started.sides].map(([name, side]) => ({
    name,
    run: async () => (await side.trips(count)).map(oneWayUs),
  }));
  const result = await interleave(sides, {
    rounds: context.quick ? 4 : 40,
    warmup: context.quick ? 1 : 5,
    onRound: (round, rounds) => context.progress(`round ${round} of ${rounds}`),
  });
  const shared = { result, peer: PEER, to: PEER };
  return [
    latencyRow({ ...shared, id: BLOCKED_ID, ours: OURS, target: { atMost: 1.5 } }),
    latencyRow({ ...shared, id: LOOP_ID, ours: LOOP }),
  ];
}

export const wake: Measurement = { ids: [BLOCKED_ID, LOOP_ID], about: ABOUT, run };
