// A process of ours in a measurement of events: one node with a notifier of one service and a listener of another, and the loops that
// are timed.
import { type BlockingOptions, type Listener, Node, type Notifier } from 'sealane';
import { serve } from '../../harness/station.js';

export interface EventPorts {
  readonly directory: string;
  readonly notifies: string;
  readonly listens: string;
}

export interface EventBatch {
  readonly count: number;
  /** Milliseconds for which it looks before it sleeps; undefined: as long as it does by itself. */
  readonly spinMs?: number;
}

/** As the peers: one of each. */
const SETTINGS = { maxNotifiers: 1, maxListeners: 1, maxNodes: 2 };
const IDS = 1024;
/** A partner that is gone is noticed, for the thread that waits for it hears of nothing else. */
const PATIENCE_MS = 30_000;

let node: Node | undefined;
let notifier: Notifier | undefined;
let listener: Listener | undefined;
let turn = 0;

async function open({ directory, notifies, listens }: EventPorts): Promise<void> {
  node = await Node.create({ name: 'bench', directory });
  notifier = await (await node.service(notifies).event(SETTINGS)).notifier();
  listener = await (await node.service(listens).event(SETTINGS)).listener();
}

async function connected(): Promise<void> {
  await notifier?.connected();
  await listener?.connected();
}

function ends(): { readonly notifier: Notifier; readonly listener: Listener } {
  if (notifier === undefined || listener === undefined) throw new Error('call open first');
  return { notifier, listener };
}

/** The id of the next turn, so that ids change and all are used; the other side counts turns likewise. */
function nextId(): number {
  const id = (turn * 7) % IDS;
  turn += 1;
  return id;
}

function expect(id: number, came: number, count: number): void {
  if (came === id && count === 1) return;
  throw new Error(`expected event ${id} once, got ${came} ${count} times`);
}

let drainedId = 0;
let drainedCount = 0;

function keep(id: number, count: number): void {
  drainedId = id;
  drainedCount = count;
}

/** With the thread blocked, in the way that allocates nothing. */
function wait(from: Listener, id: number, options: BlockingOptions): void {
  const ids = from.drainBlocking(keep, options);
  if (ids !== 1) throw new Error(`expected event ${id}, and ${ids} ids came`);
  expect(id, drainedId, drainedCount);
}

async function next(from: Listener, id: number): Promise<void> {
  const notice = await from.next();
  if (notice.type !== 'event') throw new Error(`expected event ${id}, got ${JSON.stringify(notice)}`);
  expect(id, notice.id, notice.count);
}

/** Nanoseconds of each round trip. */
function trips({ count, spinMs }: EventBatch): number[] {
  const both = ends();
  const options = { spinMs, timeoutMs: PATIENCE_MS };
  const times = new Array<number>(count);
  for (let index = 0; index < count; index++) {
    const id = nextId();
    const start = performance.now();
    both.notifier.notify(id);
    wait(both.listener, id, options);
    times[index] = (performance.now() - start) * 1e6;
  }
  return times;
}

function echo({ count, spinMs }: EventBatch): void {
  const both = ends();
  const options = { spinMs, timeoutMs: PATIENCE_MS };
  for (let index = 0; index < count; index++) {
    const id = nextId();
    wait(both.listener, id, options);
    both.notifier.notify(id);
  }
}

/** Nanoseconds of each round trip through the event loop, in which both sides sleep. */
async function loopTrips({ count }: EventBatch): Promise<number[]> {
  const both = ends();
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const id = nextId();
    const start = performance.now();
    both.notifier.notify(id);
    await next(both.listener, id);
    times.push((performance.now() - start) * 1e6);
  }
  return times;
}

async function loopEcho({ count }: EventBatch): Promise<void> {
  const both = ends();
  for (let index = 0; index < count; index++) {
    const id = nextId();
    await next(both.listener, id);
    both.notifier.notify(id);
  }
}

serve({ open, connected, trips, echo, loopTrips, loopEcho }, () => node?.close());
