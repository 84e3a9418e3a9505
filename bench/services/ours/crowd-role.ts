// A process of ours with many nodes, or one node with many services, that nobody sends anything to.
import { existsSync } from 'node:fs';
import { Node, type Publisher, type Subscriber } from 'sealane';
import { serve } from '../../harness/station.js';
import { ownCost } from './memory.js';

export type PortKind = 'publisher' | 'subscriber';

export interface NodesToMake {
  readonly directory: string;
  readonly count: number;
}

/** One port: in which of the process's nodes, and of which service. */
export interface PortToOpen {
  readonly node: number;
  readonly service: string;
  readonly kind: PortKind;
}

export interface Meeting {
  readonly directory: string;
  readonly service: string;
  readonly kind: PortKind;
  readonly count: number;
  /** Whether the node and the service are new each time as well, or only the port. */
  readonly fresh: boolean;
}

/** A pause after each meeting: the other side sees the end of one before the next begins. */
const PAUSE_MS = 5;

/** How often one that polls looks whether it shall end: a system call that others who poll do not make. */
const LOOK_EVERY_MS = 20;
const TURNS = 64;

const nodes: Node[] = [];
const publishers: Publisher[] = [];
const subscribers: Subscriber[] = [];

async function makeNodes({ directory, count }: NodesToMake): Promise<void> {
  for (let index = 0; index < count; index++) {
    nodes.push(await Node.create({ name: `bench ${index}`, directory }));
  }
}

function nodeAt(index: number): Node {
  const node = nodes[index];
  if (node === undefined) throw new Error(`there is no node ${index}`);
  return node;
}

async function openPort(node: Node, name: string, kind: PortKind): Promise<Publisher | Subscriber> {
  const service = await node.service(name).publishSubscribe();
  return kind === 'publisher' ? service.publisher() : service.subscriber();
}

async function openPorts(ports: readonly PortToOpen[]): Promise<void> {
  for (const { node, service, kind } of ports) {
    const port = await openPort(nodeAt(node), service, kind);
    if ('loan' in port) publishers.push(port);
    else subscribers.push(port);
  }
}

/** Resolves when each port has its peer. */
async function connected(): Promise<void> {
  for (const port of [...publishers, ...subscribers]) await port.connected();
}

/** Microseconds from a port's creation, or its node's, until it is connected; each is closed again. */
async function meet({ directory, service, kind, count, fresh }: Meeting): Promise<number[]> {
  const times: number[] = [];
  await using old = await Node.create({ name: 'second', directory });
  const open = await old.service(service).publishSubscribe();
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    const node = fresh ? await Node.create({ name: 'second', directory }) : undefined;
    const of = node === undefined ? open : await node.service(service).publishSubscribe();
    const port = kind === 'publisher' ? await of.publisher() : await of.subscriber();
    await port.connected();
    times.push((performance.now() - start) * 1000);
    port.close();
    node?.close();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return times;
}

/** Looks for samples, or sends some, and never lets the event loop turn until the file is there. */
function poll({ until }: { readonly until: string }): void {
  const [publisher] = publishers;
  const [subscriber] = subscribers;
  let lookMs = 0;
  for (;;) {
    for (let turn = 0; turn < TURNS; turn++) {
      publisher?.hot.loan(8).send();
      subscriber?.hot.receive()?.release();
    }
    if (performance.now() < lookMs) continue;
    if (existsSync(until)) return;
    lookMs = performance.now() + LOOK_EVERY_MS;
  }
}

/** Microseconds in which another service is opened by two nodes and their ports are connected; it is closed again. */
async function openOneMore({ names }: { readonly names: readonly string[] }): Promise<number[]> {
  const times: number[] = [];
  for (const name of names) {
    const start = performance.now();
    const sending = await nodeAt(0).service(name).publishSubscribe();
    const publisher = await sending.publisher();
    const receiving = await nodeAt(1).service(name).publishSubscribe();
    const subscriber = await receiving.subscriber();
    await Promise.all([publisher.connected(), subscriber.connected()]);
    times.push((performance.now() - start) * 1000);
    sending.close();
    receiving.close();
  }
  return times;
}

const tasks = {
  makeNodes,
  openPorts,
  connected,
  meet,
  poll,
  openOneMore,
  cost: ownCost,
  pid: () => process.pid,
};

serve(tasks, () => {
  for (const node of nodes) node.close();
});
