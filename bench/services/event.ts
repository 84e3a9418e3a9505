// Ping-pong with events between two processes: asleep until the other's notification wakes them, against iceoryx2 and against C; and as
// both are used, looking for a moment before they sleep, against C that does the same.
import { interleave, type Side } from '../harness/interleave.js';
import { buildPeers, Peer } from '../harness/peers.js';
import { coreOf } from '../harness/pinning.js';
import type { Row } from '../harness/row.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { Iceoryx2Events } from './iceoryx2.js';
import { addIceoryx2, ICEORYX2, ICEORYX2_TITLE } from './iceoryx2-sides.js';
import { latencyRow, OURS, oneWayUs } from './latency.js';
import { ours } from './ours/index.js';
import type { Turns } from './sides.js';
import { Started } from './started.js';

const ICEORYX2_ID = 'services.event';
const C_ID = 'services.event.vs-c';
const SPIN_ID = 'services.event.spin';
const LOOP_ID = 'services.event.loop';
/** Sides of the same run beside the plain name, which sleeps at once. */
const SPIN = 'sealane, spinning';
const LOOP = 'sealane, event loop';
const C = 'C with eventfd';
const C_SPIN = 'C, spinning';
/** How long our `receiveBlocking()` looks for something before it sleeps, unless it is told otherwise. */
const SPIN_US = 20;
const IDS = [ICEORYX2_ID, C_ID, SPIN_ID, LOOP_ID] as const;

const ABOUT = `
Two processes, a core each. One notifies the other of an event; the other, once its listener has told it, answers with the
same event. Each turn has another of 1,024 ids, and each side checks id and count. A figure is half a round trip; batches of all
sides alternate. services.event and services.event.vs-c: everybody sleeps as soon as nothing is there. Ours:
\`listener.drainBlocking(handler, { spinMs: 0 })\`, the thread sleeps in epoll_wait. iceoryx2: \`blocking_wait_one()\` of a Rust program of ours
(bench/peers/iceoryx2), as in its own benchmark, which sleeps in a receive on a datagram socket. C: a program of ours (bench/peers/event_pingpong.c)
with counts, bitmap and waiting word in shared memory as we have them, and an eventfd with poll, which trusts its peer.
services.event.spin: the same without \`spinMs\`, which looks for ${SPIN_US} us before it sleeps, against the same C program that does so too.
services.event.loop: \`await listener.next()\`, the event loop sleeps, against the C program that sleeps. Ratio: ours / theirs, smaller is better.
`;

class EventTurns implements Turns {
  readonly #peer: Peer;

  constructor(spinUs: number) {
    this.#peer = Peer.start('event_pingpong', [coreOf('client'), coreOf('broker'), spinUs]);
  }

  trips(count: number): Promise<readonly number[]> {
    return this.#peer.ask(`${count}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}

async function startOurs(context: Context, started: Started<Turns>): Promise<void> {
  if (ours.events === undefined) return;
  if (context.wants(ICEORYX2_ID) || context.wants(C_ID)) started.add(OURS, await ours.events('block'));
  if (context.wants(SPIN_ID)) started.add(SPIN, await ours.events('spin'));
  if (context.wants(LOOP_ID)) started.add(LOOP, await ours.events('loop'));
}

async function startSides(context: Context, started: Started<Turns>): Promise<void> {
  await startOurs(context, started);
  const failure = buildPeers();
  if (failure === undefined) {
    started.add(C, new EventTurns(0));
    if (context.wants(SPIN_ID)) started.add(C_SPIN, new EventTurns(SPIN_US));
  } else context.leaveOut(C, failure);
  if (context.wants(ICEORYX2_ID)) await addIceoryx2(context, started, () => Iceoryx2Events.start());
  if (started.sides.size === 0) throw new Skipped('neither our side nor the peers are there');
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
    // Code that spins is compiled in the background: it takes more calls than one round has.
    warmup: context.quick ? 2 : 8,
    onRound: (round, rounds) => context.progress(`round ${round} of ${rounds}`),
  });
  const asleep = { result, peer: C, to: C };
  const rows = [
    { ...asleep, id: ICEORYX2_ID, ours: OURS, peer: ICEORYX2, to: ICEORYX2_TITLE, target: { atMost: 1.25 } },
    { ...asleep, id: C_ID, ours: OURS, target: { atMost: 1.5 } },
    { ...asleep, id: SPIN_ID, ours: SPIN, peer: C_SPIN, to: C_SPIN },
    { ...asleep, id: LOOP_ID, ours: LOOP },
  ];
  return rows.filter(({ id }) => context.wants(id)).map(latencyRow);
}

export const event: Measurement = { ids: IDS, about: ABOUT, run };
