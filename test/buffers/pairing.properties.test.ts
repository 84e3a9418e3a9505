// Whatever is sent, received, overflows, and connects anew in whatever order: no frame ever has another's descriptors, and each arrives or is told of.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { BufferPublisher, BufferSubscriber, PubSubService } from 'sealane';
import { Stage, until } from '../services/nodes.test.helper.js';
import { checkMarked, type Mark, marksOpen, sendMarked } from './marks.test.helper.js';

type Step =
  | { readonly what: 'send'; readonly count: number; readonly planes: number }
  | { readonly what: 'receive'; readonly who: number; readonly count: number }
  | { readonly what: 'turn' | 'publisher' }
  | { readonly what: 'subscriber'; readonly who: number };

const who = fc.integer({ min: 0, max: 1 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        what: fc.constant('send' as const),
        count: fc.integer({ min: 1, max: 30 }),
        planes: fc.integer({ min: 1, max: 4 }),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        what: fc.constant('receive' as const),
        who,
        count: fc.integer({ min: 1, max: 6 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('turn' as const) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('publisher' as const) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('subscriber' as const), who }) },
  ),
  { minLength: 5, maxLength: 60 },
);

/** A subscriber, and the token of the last frame that it knows the fate of, by publishers. */
interface Receiver {
  readonly subscriber: BufferSubscriber<Mark>;
  readonly last: Map<string, number>;
}

/** One run: a publisher and two subscribers, each of which is replaced now and then. */
class Run {
  readonly service: PubSubService;
  readonly receivers: Receiver[] = [];
  publisher: BufferPublisher<Mark> | undefined;
  #senders = 0;

  constructor(service: PubSubService) {
    this.service = service;
  }

  async newPublisher(): Promise<void> {
    this.publisher?.close();
    this.publisher = await this.service.bufferPublisher<Mark>();
    this.#senders += 1;
    await this.publisher.connected(this.receivers.length);
  }

  async newSubscriber(index: number): Promise<void> {
    this.receivers[index]?.subscriber.close();
    const subscriber = await this.service.bufferSubscriber<Mark>();
    this.receivers[index] = { subscriber, last: new Map() };
    await subscriber.connected();
  }

  async take(step: Step): Promise<void> {
    if (step.what === 'send') this.#send(step.count, step.planes);
    else if (step.what === 'receive') for (let count = 0; count < step.count; count++) this.receive(step.who);
    else if (step.what === 'publisher') await this.newPublisher();
    else if (step.what === 'subscriber') await this.newSubscriber(step.who);
    else await new Promise((resolve) => setImmediate(resolve));
  }

  #send(count: number, planes: number): void {
    const { publisher } = this;
    assert.ok(publisher !== undefined);
    for (let sent = 0; sent < count; sent++) {
      const frame = publisher.figures.sent + 1;
      sendMarked(publisher, { sender: this.#senders, frame, planes });
    }
  }

  /** Whether there was a frame; it must be its own, and follow what is known of its publisher without a gap. */
  receive(index: number): boolean {
    const { subscriber, last } = this.receivers[index] as Receiver;
    using frame = subscriber.receive();
    if (frame === undefined) return false;
    checkMarked(frame);
    assert.equal(frame.meta.frame, frame.token, 'the token of the frame');
    const key = `${frame.publisher.node}-${frame.publisher.port}`;
    const before = last.get(key);
    const expected = frame.lost?.first ?? frame.token;
    if (before !== undefined) assert.equal(expected, before + 1, 'no frame goes missing untold');
    if (frame.lost !== undefined) assert.equal(frame.lost.last, frame.token - 1);
    last.set(key, frame.token);
    return true;
  }

  /** All that is left; then whoever was connected to the end knows of every frame but those that were lost behind the last. */
  finish(): void {
    for (const index of this.receivers.keys()) while (this.receive(index));
  }
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
  await one.newPublisher();
  for (const index of [0, 1]) await one.newSubscriber(index);
  await one.publisher?.connected(2);
  for (const step of list) await one.take(step);
  one.finish();
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
    { numRuns: 60 },
  );
});
