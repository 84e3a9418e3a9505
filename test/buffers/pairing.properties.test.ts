// Whatever is sent, received, held, overflows, and connects anew in whatever order: no frame ever has another's descriptors, and each arrives or is told of.
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { BufferFrame, BufferPool, BufferPublisher, BufferSubscriber, PubSubService } from 'sealane';
import { CONTROL_SEALS, Memfd } from 'sealane/internal';
import { Stage, until } from '../services/nodes.test.helper.js';
import { checkMarked, type Mark, marksOpen, planeIn, sendMarked } from './marks.test.helper.js';

/** Publishers and subscribers that there are at a time; the publishers with an odd number have pools. */
const SENDERS = 3;
const RECEIVERS = 2;

type Step =
  | { readonly what: 'send'; readonly who: number; readonly count: number; readonly planes: number }
  | { readonly what: 'receive'; readonly who: number; readonly count: number; readonly holds: boolean }
  | { readonly what: 'publisher' | 'subscriber' | 'release'; readonly who: number }
  | { readonly what: 'turn' };

const who = fc.nat({ max: 5 });
const small = (max: number) => fc.integer({ min: 1, max });
const only = <W extends string>(what: W) => fc.record({ what: fc.constant(what), who });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ what: fc.constant('send' as const), who, count: small(30), planes: small(4) }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        what: fc.constant('receive' as const),
        who,
        count: small(6),
        holds: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('turn' as const) }) },
    { weight: 2, arbitrary: only('release') },
    { weight: 1, arbitrary: only('publisher') },
    { weight: 1, arbitrary: only('subscriber') },
  ),
  { minLength: 5, maxLength: 60 },
);

/** Sends frames that say whose they are. */
interface Sender {
  /** Unlike every other's. */
  readonly id: number;
  /** Sends a frame, unless no buffer is free. */
  send(planes: number): void;
  connected(count: number): Promise<void>;
  close(): void;
}

function frameSender(id: number, publisher: BufferPublisher<Mark>): Sender {
  return {
    id,
    send: (planes) => void sendMarked(publisher, { sender: id, frame: publisher.figures.sent + 1, planes }),
    connected: (count) => publisher.connected(count),
    close: () => publisher.close(),
  };
}

/** Each frame is written into its buffer, which so tells whether it is filled again while somebody has it. */
function poolSender(id: number, pool: BufferPool<Mark>, memfds: readonly Memfd[]): Sender {
  return {
    id,
    send() {
      const buffer = pool.acquire();
      if (buffer === undefined) return;
      const frame = pool.figures.sent + 1;
      for (const fd of [memfds[buffer.index]?.fd ?? -1])
        writeSync(fd, Uint32Array.of(id, frame, 0), 0, 12, 0);
      buffer.send({ sender: id, frame, planes: 1 });
    },
    connected: (count) => pool.connected(count),
    close() {
      pool.close();
      for (const memfd of memfds) memfd.close();
    },
  };
}

/** Memory that its maker writes as long as it likes. */
function buffer(): Memfd {
  const memfd = Memfd.create('sealane-mark', 12);
  memfd.seal(CONTROL_SEALS);
  return memfd;
}

/** A subscriber, and the token of the last frame that it knows the fate of, by senders. */
interface Receiver {
  readonly subscriber: BufferSubscriber<Mark>;
  readonly last: Map<number, number>;
  readonly held: BufferFrame<Mark>[];
}

/** One run: some publishers and subscribers, each of which is replaced now and then. */
class Run {
  readonly service: PubSubService;
  readonly receivers: Receiver[] = [];
  readonly senders: Sender[] = [];
  #made = 0;

  constructor(service: PubSubService) {
    this.service = service;
  }

  async newSender(index: number): Promise<void> {
    this.senders[index]?.close();
    this.#made += 1;
    const { service } = this;
    const memfds = index % 2 === 0 ? [] : Array.from({ length: service.settings.history + 2 }, buffer);
    const fds = memfds.map(({ fd }) => fd);
    const sender =
      index % 2 === 0
        ? frameSender(this.#made, await service.bufferPublisher<Mark>())
        : poolSender(this.#made, await service.bufferPool<Mark>(fds), memfds);
    this.senders[index] = sender;
    await sender.connected(this.receivers.length);
  }

  async newReceiver(index: number): Promise<void> {
    this.receivers[index]?.subscriber.close();
    const subscriber = await this.service.bufferSubscriber<Mark>();
    for (const frame of this.receivers[index]?.held ?? []) frame.release();
    this.receivers[index] = { subscriber, last: new Map(), held: [] };
    await subscriber.connected(this.senders.length);
  }

  async take(step: Step): Promise<void> {
    if (step.what === 'turn') return await new Promise((resolve) => setImmediate(resolve));
    const receiver = step.who % RECEIVERS;
    if (step.what === 'send') this.#send(step.who % SENDERS, step.count, step.planes);
    else if (step.what === 'receive') this.#receiveSome(receiver, step.count, step.holds);
    else if (step.what === 'release') this.release(receiver);
    else if (step.what === 'publisher') await this.newSender(step.who % SENDERS);
    else await this.newReceiver(receiver);
  }

  #send(index: number, count: number, planes: number): void {
    for (let sent = 0; sent < count; sent++) this.senders[index]?.send(planes);
  }

  #receiveSome(index: number, count: number, holds: boolean): void {
    const { held } = this.receivers[index] as Receiver;
    // One that is held of each pool leaves it one to send.
    for (let received = 0; received < count; received++) this.receive(index, holds && held.length === 0);
  }

  /** Whether there was a frame; it must be its own, and follow what is known of its publisher without a gap. */
  receive(index: number, holds = false): boolean {
    const { subscriber, last, held } = this.receivers[index] as Receiver;
    const frame = subscriber.receive();
    if (frame === undefined) return false;
    const { sender } = frame.meta;
    check(frame);
    const before = last.get(sender);
    const expected = frame.lost?.first ?? frame.token;
    if (before !== undefined) assert.equal(expected, before + 1, 'no frame goes missing untold');
    if (frame.lost !== undefined) assert.equal(frame.lost.last, frame.token - 1);
    last.set(sender, frame.token);
    if (holds) held.push(frame);
    else frame.release();
    return true;
  }

  /** What is held is still what it was; then it goes. */
  release(index: number): void {
    for (const frame of this.receivers[index]?.held.splice(0) ?? []) {
      // The frames of a pool that is gone are gone.
      if (isThere(frame)) check(frame);
      frame.release();
    }
  }

  /** All that is left, and one more frame of each. */
  finish(): void {
    for (const index of this.receivers.keys()) this.#empty(index);
    for (const sender of this.senders) sender.send(1);
    for (const index of this.receivers.keys()) this.#empty(index);
  }

  #empty(index: number): void {
    this.release(index);
    while (this.receive(index));
  }
}

function isThere(frame: BufferFrame<Mark>): boolean {
  try {
    return frame.descriptors.length > 0;
  } catch {
    return false;
  }
}

function check(frame: BufferFrame<Mark>): void {
  const { sender, frame: number } = frame.meta;
  assert.equal(number, frame.token, 'the token of the frame');
  if (frame.buffer === undefined) checkMarked(frame);
  else assert.deepEqual(frame.descriptors.map(planeIn), [[sender, number, 0]]);
}

async function run(
  t: TestContext,
  list: readonly Step[],
  history: number,
  bufferSize: number,
): Promise<void> {
  const stage = new Stage(t);
  const service = await stage.service({ history, bufferSize });
  const one = new Run(service);
  for (let index = 0; index < SENDERS; index++) await one.newSender(index);
  for (let index = 0; index < RECEIVERS; index++) await one.newReceiver(index);
  for (const sender of one.senders) await sender.connected(RECEIVERS);
  for (const step of list) await one.take(step);
  one.finish();
  for (const sender of one.senders) sender.close();
  service.close();
  await until(() => marksOpen() === 0);
}

test('every frame has its own descriptors, or is told of as lost, whatever happens in whatever order', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 1, max: 6 }),
      (list, history, size) => run(t, list, history, size),
    ),
    { numRuns: 50 },
  );
});
