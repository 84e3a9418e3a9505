/**
 * A process of the test of kills: has publishers and subscribers, sends samples that prove themselves, and verifies those that come,
 * when they come and just before it gives them back. Told to stop, it does so in steps and says what it still holds.
 */
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import {
  type FullAction,
  isSealaneError,
  Node,
  type Publisher,
  type PubSubService,
  type Sample,
  type ServiceOptions,
  type Subscriber,
} from 'sealane';
import { type Holdings, holdings, slotInodes } from './kernel.test.helper.js';
import {
  between,
  fillPayload,
  MIN_PAYLOAD_BYTES,
  payloadProblem,
  randomFrom,
} from './payload.test.helper.js';

/** A port of an actor. */
export interface PortPlan {
  readonly role: 'publisher' | 'subscriber';
  readonly service: string;
  readonly settings: ServiceOptions;
  readonly whenFull: FullAction;
  readonly bufferSize: number;
  readonly maxBorrowed: number;
  readonly tier: 'hot' | 'checked';
  /** Blocks the thread to wait. Only where all ports of the process have the same role: others may wait for it. */
  readonly blocking: boolean;
}

/** What an actor does. */
export interface ActorPlan {
  readonly directory: string;
  readonly seed: number;
  readonly ports: readonly PortPlan[];
}

/** What the test tells an actor, each answered by {@link Report}. */
export type Order = 'settled' | 'stop-sending' | 'stop-receiving' | 'figures' | 'close';

/** What an actor says. */
export interface Report {
  readonly type: 'ready' | 'answer' | 'failure';
  readonly text?: string;
  readonly inodes?: readonly number[];
  readonly before?: Holdings;
  readonly holdings?: Holdings;
  /** Of each publisher: slots that somebody needs, samples sent, subscribers. */
  readonly publishers?: readonly PublisherState[];
  readonly subscribers?: readonly SubscriberState[];
}

export interface PublisherState {
  readonly service: string;
  readonly usedSlots: number;
  readonly sent: number;
  readonly subscribers: number;
}

export interface SubscriberState {
  readonly service: string;
  readonly received: number;
  readonly borrowed: number;
  readonly publishers: number;
}

const plan = JSON.parse(process.argv[2] ?? '{}') as ActorPlan;
const random = randomFrom(plan.seed);
const before = holdings();
const stopping = { sending: false, receiving: false };
const aborter = new AbortController();
const publishers: { readonly plan: PortPlan; readonly publisher: Publisher; done: Promise<void> }[] = [];
const subscribers: { readonly plan: PortPlan; readonly subscriber: Subscriber; done: Promise<void> }[] = [];

function say(report: Report): void {
  process.send?.(report);
}

function fail(text: string): never {
  process.send?.({ type: 'failure', text } satisfies Report, () => process.exit(1));
  throw new Error(text);
}

/** Mostly small, now and then as large as can be. */
function payloadBytes(): number {
  const most = random() < 0.1 ? 65_536 : 2_048;
  return between(random, MIN_PAYLOAD_BYTES, most);
}

async function publish({ tier, blocking, whenFull }: PortPlan, publisher: Publisher): Promise<void> {
  const sender = tier === 'hot' ? publisher.hot : publisher;
  for (let sequence = 1; !stopping.sending; sequence++) {
    using loan = sender.loan(payloadBytes());
    fillPayload(loan.bytes, plan.seed, sequence);
    if (blocking || whenFull === 'drop') loan.send();
    else await loan.sendAsync();
    if (sequence % 4 === 0) await pause(between(random, 0, 3));
    else await turn();
  }
}

/** A sample with what is to hold for as long as it is held. */
interface Held {
  readonly sample: Sample;
  readonly sequence: number;
}

class Receiver {
  readonly #held: Held[] = [];
  readonly #last = new Map<string, number>();

  constructor(
    private readonly port: PortPlan,
    private readonly subscriber: Subscriber,
  ) {}

  async run(): Promise<void> {
    while (!stopping.receiving) {
      const sample = this.port.blocking ? this.#block() : await this.#next();
      if (sample !== undefined) this.#take(sample);
      if (this.#held.length >= between(random, 1, this.port.maxBorrowed)) this.#release();
      if (random() < 0.05) await pause(1);
      else await turn();
    }
    while (this.#held.length > 0) this.#release();
  }

  #block(): Sample | undefined {
    const receiver = this.port.tier === 'hot' ? this.subscriber.hot : this.subscriber;
    return receiver.receiveBlocking({ timeoutMs: 20 });
  }

  async #next(): Promise<Sample | undefined> {
    if (this.port.tier === 'hot') {
      const sample = this.subscriber.hot.receive();
      if (sample !== undefined) return sample;
    }
    try {
      return await this.subscriber.next({ signal: aborter.signal });
    } catch (error) {
      if (isSealaneError(error, 'ERR_SEALANE_ABORTED')) return undefined;
      throw error;
    }
  }

  #take(sample: Sample): void {
    const { node, publisher, sequence } = sample.header;
    const key = `${node}-${publisher}`;
    const last = this.#last.get(key) ?? 0;
    if (sequence <= last) fail(`after sample ${last} of ${key} came ${sequence}`);
    const complete = this.port.settings.overflow === false && this.port.whenFull === 'wait';
    if (complete && sample.missed > 0)
      fail(`${sample.missed} samples of ${key} are missing before ${sequence}`);
    this.#last.set(key, sequence);
    this.#verify(sample, sequence, 'at receipt');
    this.#held.push({ sample, sequence });
  }

  #release(): void {
    const [held] = this.#held.splice(between(random, 0, this.#held.length - 1), 1);
    if (held === undefined) return;
    this.#verify(held.sample, held.sequence, 'before release');
    held.sample.release();
  }

  #verify(sample: Sample, sequence: number, when: string): void {
    const problem = payloadProblem(sample.bytes, sequence);
    if (problem !== undefined)
      fail(`sample ${sequence} of ${sample.header.node} is torn ${when}: ${problem}`);
  }
}

async function addPort(service: PubSubService, port: PortPlan): Promise<void> {
  if (port.role === 'publisher') {
    const publisher = await service.publisher({ whenFull: port.whenFull });
    publishers.push({ plan: port, publisher, done: publish(port, publisher) });
    return;
  }
  const { bufferSize, maxBorrowed } = port;
  const subscriber = await service.subscriber({ bufferSize, maxBorrowed });
  subscribers.push({ plan: port, subscriber, done: new Receiver(port, subscriber).run() });
}

function states(): Pick<Report, 'publishers' | 'subscribers' | 'holdings'> {
  return {
    holdings: holdings(),
    publishers: publishers.map(({ plan: { service }, publisher: { figures } }) => ({
      ...{ service, usedSlots: figures.usedSlots, sent: figures.sent },
      subscribers: figures.subscribers.length,
    })),
    subscribers: subscribers.map(({ plan: { service }, subscriber: { figures } }) => ({
      ...{ service, received: figures.received, borrowed: figures.borrowed },
      publishers: figures.publishers.length,
    })),
  };
}

async function obey(node: Node, order: Order): Promise<void> {
  if (order === 'stop-sending') {
    stopping.sending = true;
    await Promise.all(publishers.map(({ done }) => done));
  }
  if (order === 'stop-receiving') {
    stopping.receiving = true;
    aborter.abort();
    await Promise.all(subscribers.map(({ done }) => done));
    for (const { subscriber } of subscribers) subscriber.close();
  }
  if (order === 'close') node.close();
  say({ type: 'answer', before, ...(order === 'close' ? { holdings: holdings() } : states()) });
}

const node = await Node.create({ name: `actor-${plan.seed}`, directory: plan.directory });
const services = new Map<string, PubSubService>();
for (const port of plan.ports) {
  const service =
    services.get(port.service) ?? (await node.service(port.service).publishSubscribe(port.settings));
  services.set(port.service, service);
  await addPort(service, port);
}
process.on('message', (order: Order) => {
  obey(node, order).catch((error: unknown) => fail(String(error)));
});
process.once('disconnect', () => process.exit());
for (const { done } of [...publishers, ...subscribers]) done.catch((error: unknown) => fail(String(error)));
say({ type: 'ready', inodes: slotInodes() });
