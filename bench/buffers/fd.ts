// Frames that come with a descriptor each, against the bare system calls.
import { type Interleaved, interleave, type Side } from '../harness/interleave.js';
import { buildPeers, Peer } from '../harness/peers.js';
import { coreOf } from '../harness/pinning.js';
import type { Row } from '../harness/row.js';
import type { Context, Measurement } from '../harness/suite.js';
import { latencyRow, OURS, oneWayUs } from '../services/latency.js';
import type { Turns } from '../services/sides.js';
import { Started } from '../services/started.js';
import { FrameTurns } from './processes.js';

const PEER = 'C, SCM_RIGHTS';
const CHECKED = 'C, with our checks';
/** The side of fd_pair that checks what it gets. */
const PEERS = [
  [PEER, 'unchecked'],
  [CHECKED, 'checked'],
] as const;

/** How both sides wait, and the rows that come of it: against each of the peers. */
const CASES = [
  { id: 'buffers.fd', ours: 'poll', theirs: 'poll', count: 5_000, quickCount: 1_000 },
  { id: 'buffers.fd.wake', ours: 'block', theirs: 'sleep', count: 1_000, quickCount: 200 },
] as const;

const ABOUT = `
Two processes, a core each, hand each other a 1080p RGBA frame (a memfd of 8.3 MB, sealed against changes of its size) and 64
bytes of metadata in turns. Ours: \`publisher.send(meta, fd)\`; the other side receives the frame, reads the metadata, looks at
the descriptor, releases the frame, which closes it, and answers with a frame of its own. The subscriber allows what it allows
by default: of each descriptor the kernel is asked whether it is a DMA-BUF or a sealed memfd. Theirs (bench/peers/fd_pair.c):
sendmsg with the descriptor (SCM_RIGHTS) and the metadata on a SOCK_SEQPACKET pair, recvmsg, close, and the same back; nothing is
checked; with "our checks" it makes the three calls of ours (F_GET_SEALS, F_GETFL, fstatfs) before close. Nobody reads the frame's bytes. A figure is half a round trip. Batches alternate. Ratio: ours / theirs, smaller is better.

buffers.fd: both sides poll: ours looks at the ring in shared memory, theirs calls recvmsg with MSG_DONTWAIT until there is a message.

buffers.fd.wake: both sides sleep until a frame comes: ours in \`receiveBlocking({ spinMs: 0 })\`, which sleeps in epoll_wait, theirs in
recvmsg itself.

buffers.fd.checked, buffers.fd.wake.checked: the same run, against the peer that checks.
`;

class BareTurns implements Turns {
  readonly #peer: Peer;

  constructor(waiting: 'poll' | 'sleep', checking: 'checked' | 'unchecked') {
    this.#peer = Peer.start('fd_pair', [coreOf('client'), coreOf('broker'), waiting, checking]);
  }

  trips(count: number): Promise<readonly number[]> {
    return this.#peer.ask(`${count}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}

function startPeers(context: Context, started: Started<Turns>, waiting: 'poll' | 'sleep'): void {
  const failure = buildPeers();
  if (failure !== undefined) context.leaveOut(PEER, failure);
  else for (const [name, checking] of PEERS) started.add(name, new BareTurns(waiting, checking));
}

function rowsOf(id: string, result: Interleaved): Row[] {
  const shared = { result, ours: OURS, target: { atMost: 1.5 } };
  return [
    latencyRow({ ...shared, id, peer: PEER, to: PEER }),
    latencyRow({ ...shared, id: `${id}.checked`, peer: CHECKED, to: CHECKED }),
  ];
}

async function measure(context: Context, which: (typeof CASES)[number]): Promise<Row[]> {
  await using started = new Started<Turns>();
  started.add(OURS, await FrameTurns.start('fd', which.ours));
  startPeers(context, started, which.theirs);
  const count = context.quick ? which.quickCount : which.count;
  const sides: Side[] = [...started.sides].map(([name, side]) => ({
    name,
    run: async () => (await side.trips(count)).map(oneWayUs),
  }));
  const result = await interleave(sides, {
    rounds: context.quick ? 4 : 40,
    warmup: context.quick ? 2 : 8,
    onRound: (round, rounds) => context.progress(`${which.id}, round ${round} of ${rounds}`),
  });
  return rowsOf(which.id, result);
}

async function run(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const which of CASES)
    if (context.wants(which.id) || context.wants(`${which.id}.checked`))
      rows.push(...(await measure(context, which)));
  return rows;
}

export const fd: Measurement = {
  ids: CASES.flatMap(({ id }) => [id, `${id}.checked`]),
  about: ABOUT,
  run,
};
