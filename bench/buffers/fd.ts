// Frames that come with a descriptor each, against the bare system calls.
import { interleave, type Side } from '../harness/interleave.js';
import { buildPeers, Peer } from '../harness/peers.js';
import { coreOf } from '../harness/pinning.js';
import type { Row } from '../harness/row.js';
import type { Context, Measurement } from '../harness/suite.js';
import { latencyRow, OURS, oneWayUs } from '../services/latency.js';
import type { Turns } from '../services/sides.js';
import { Started } from '../services/started.js';
import { FrameTurns } from './processes.js';

const POLLED_ID = 'buffers.fd';
const ASLEEP_ID = 'buffers.fd.wake';
const PEER = 'C, SCM_RIGHTS';
const TARGET = { atMost: 1.5 };

/** How both sides wait in a row. */
const ROWS = [
  { id: POLLED_ID, ours: 'poll', theirs: 'poll', count: 5_000, quickCount: 1_000 },
  { id: ASLEEP_ID, ours: 'block', theirs: 'sleep', count: 1_000, quickCount: 200 },
] as const;

const ABOUT = `
Two processes, a core each, hand each other a 1080p RGBA frame (a memfd of 8.3 MB, sealed against changes of its size) and 64
bytes of metadata in turns. Ours: \`publisher.send(meta, fd)\`; the other side receives the frame, reads the metadata, looks at
the descriptor, releases the frame, which closes it, and answers with a frame of its own. The subscriber allows what it allows
by default: of each descriptor the kernel is asked whether it is a DMA-BUF or a sealed memfd. Theirs (bench/peers/fd_pair.c):
sendmsg with the descriptor (SCM_RIGHTS) and the metadata on a SOCK_SEQPACKET pair, recvmsg, close, and the same back; nothing is
checked. Nobody reads the frame's bytes. A figure is half a round trip. Batches alternate. Ratio: ours / theirs, smaller is better.

buffers.fd: both sides poll: ours looks at the ring in shared memory, theirs calls recvmsg with MSG_DONTWAIT until there is a message.

buffers.fd.wake: both sides sleep until a frame comes: ours in \`receiveBlocking({ spinMs: 0 })\`, which sleeps in epoll_wait, theirs in
recvmsg itself.
`;

class BareTurns implements Turns {
  readonly #peer: Peer;

  constructor(waiting: 'poll' | 'sleep') {
    this.#peer = Peer.start('fd_pair', [coreOf('client'), coreOf('broker'), waiting]);
  }

  trips(count: number): Promise<readonly number[]> {
    return this.#peer.ask(`${count}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}

async function measure(context: Context, row: (typeof ROWS)[number]): Promise<Row> {
  await using started = new Started<Turns>();
  started.add(OURS, await FrameTurns.start('fd', row.ours));
  const failure = buildPeers();
  if (failure === undefined) started.add(PEER, new BareTurns(row.theirs));
  else context.leaveOut(PEER, failure);
  const count = context.quick ? row.quickCount : row.count;
  const sides: Side[] = [...started.sides].map(([name, side]) => ({
    name,
    run: async () => (await side.trips(count)).map(oneWayUs),
  }));
  const result = await interleave(sides, {
    rounds: context.quick ? 4 : 40,
    warmup: context.quick ? 2 : 8,
    onRound: (round, rounds) => context.progress(`${row.id}, round ${round} of ${rounds}`),
  });
  return latencyRow({ id: row.id, result, ours: OURS, peer: PEER, to: PEER, target: TARGET });
}

async function run(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const row of ROWS) if (context.wants(row.id)) rows.push(await measure(context, row));
  return rows;
}

export const fd: Measurement = { ids: ROWS.map(({ id }) => id), about: ABOUT, run };
