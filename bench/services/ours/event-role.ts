// A process of ours in a measurement of events: one node with a notifier of one service and a listener of another, and the loops that
// are timed.
import { type EventNotice, type Listener, Node, type Notifier } from 'sealane';
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

function expect(came: EventNotice | undefined, id: number): void {
  if (came?.type === 'event' && came.id === id && came.count === 1) return;
  throw new Error(`expected event ${id} once, got ${JSON.stringify(came)}`);
}

/** Nanoseconds of each round trip. */
function trips({ count, spinMs }: EventBatch): number[] {
  const both = ends();
  const options = { spinMs };
  const times = new Array<number>(count);
  for (let index = 0; index < count; index++) {
    const id = nextId();
    const start = performance.now();
    both.notifier.notify(id);
    expect(both.listener.receiveBlocking(options), id);
    times[index] = (performance.now() - start) * 1e6;
  }
  return times;
}

function echo({ count, spinMs }: EventBatch): void {
  const both = ends();
  const options = { spinMs };
  for (let index = 0; index < count; index++) {
    const id = nextId();
    expect(both.listener.receiveBlocking(options), id);
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
    expect(await both.listener.next(), id);
    times.push((performance.now() - start) * 1e6);
  }
  return times;
}

async function loopEcho({ count }: EventBatch): Promise<void> {
  const both = ends();
  for (let index = 0; index < count; index++) {
    const id = nextId();
    expect(await both.listener.next(), id);
    both.notifier.notify(id);
  }
}

serve({ open, connected, trips, echo, loopTrips, loopEcho }, () => node?.close());
