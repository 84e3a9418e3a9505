// 500 services and 100 nodes in one domain: what one more service takes there, what all of it costs, and how fast the dead
// are forgotten.
import { readdirSync } from 'node:fs';
import { Domain, listNodes, listServices } from 'sealane/internal';
import type { Station } from '../../harness/station.js';
import { median, summarize } from '../../harness/statistics.js';
import type { Context } from '../../harness/suite.js';
import { Crowd, openPorts } from './crowd.js';
import type { PortToOpen } from './crowd-role.js';
import type { OwnFigure } from './index.js';
import { type Cost, costOfEach } from './memory.js';

const PROCESSES = 4;
const NODES_EACH = 25;
const NODES = PROCESSES * NODES_EACH;
const SERVICES = 500;
/** Of the process that opens one more service. */
const PROBE_NODES = 2;
const WARMUP = 30;
const MIB = 2 ** 20;
/** Survivors remove what they meet as well, and hold the lock meanwhile. */
const MOST_LISTINGS = 100_000;

/** What one process opens: each service has its publisher in one process and its subscriber in the next. */
function portsOf(process: number): PortToOpen[] {
  const ports: PortToOpen[] = [];
  for (let index = 0; index < SERVICES; index++) {
    const node = Math.floor(index / PROCESSES) % NODES_EACH;
    const service = `scale ${index}`;
    if (index % PROCESSES === process) ports.push({ node, service, kind: 'publisher' });
    if ((index + 1) % PROCESSES === process) ports.push({ node, service, kind: 'subscriber' });
  }
  return ports;
}

interface Filled {
  readonly crowd: readonly Station[];
  readonly each: Cost;
  readonly ms: number;
}

/** The nodes first, then all their ports at once. */
async function fill(context: Context, crowd: Crowd): Promise<Filled> {
  const stations: Station[] = [];
  for (let index = 0; index < PROCESSES; index++) stations.push(await crowd.start('anywhere', 0));
  const { directory } = crowd;
  const before = await crowd.cost();
  context.progress(`opening ${SERVICES} services`);
  const start = performance.now();
  await Promise.all(stations.map((station) => station.call('makeNodes', { directory, count: NODES_EACH })));
  await Promise.all(stations.map((station, index) => openPorts(station, portsOf(index))));
  await crowd.connected();
  const ms = performance.now() - start;
  return { crowd: stations, each: costOfEach(before, await crowd.cost(), NODES), ms };
}

function timed<Result>(action: () => Result): { readonly ms: number; readonly result: Result } {
  const start = performance.now();
  const result = action();
  return { ms: performance.now() - start, result };
}

function expectCount(what: string, count: number, expected: number): void {
  if (count !== expected) throw new Error(`there are ${count} ${what} in place of ${expected}`);
}

/** `others`: nodes beside the crowd. */
function list(domain: Domain, others: number): Readonly<Record<string, number>> {
  const looks = Array.from({ length: 5 }, () => ({
    nodes: timed(() => listNodes(domain)),
    services: timed(() => listServices(domain)),
  }));
  for (const { nodes, services } of looks) {
    expectCount('nodes', nodes.result.length, NODES + others);
    expectCount('services', services.result.length, SERVICES);
  }
  return {
    'ms to list nodes': median(looks.map(({ nodes }) => nodes.ms)),
    'ms to list services': median(looks.map(({ services }) => services.ms)),
  };
}

/** A listing removes what the dead left unless somebody else holds the lock, as one that removes some of it itself. */
function buryNodes(domain: Domain, expected: number): number {
  for (let count = 1; count <= MOST_LISTINGS; count++) {
    const alive = listNodes(domain).filter(({ state }) => state === 'alive');
    if (alive.length !== expected) continue;
    if (readdirSync(domain.nodes).length <= 2 * expected) return count;
  }
  throw new Error(`what the dead left is still there after ${MOST_LISTINGS} listings`);
}

/** kill -9 of one process, until a listing has removed all that it left. */
async function bury(domain: Domain, station: Station, others: number): Promise<Record<string, number>> {
  const pid = await station.call<number>('pid');
  const start = performance.now();
  process.kill(pid, 'SIGKILL');
  await station.close();
  const looks = buryNodes(domain, NODES - NODES_EACH + others);
  const ms = performance.now() - start;
  const participants = new Set(listServices(domain).flatMap(({ nodes }) => nodes.map(({ id }) => id)));
  expectCount('nodes in services', participants.size, NODES - NODES_EACH);
  return { 'ms from kill to clean': ms, 'listings until clean': looks };
}

function namesOf(what: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${what} ${index}`);
}

/** Microseconds in which one more service is opened by two more nodes. */
async function openOneMore(context: Context, crowd: Crowd): Promise<readonly number[]> {
  context.progress('opening one more');
  const probe = await crowd.start('anywhere', PROBE_NODES);
  await probe.call('openOneMore', { names: namesOf('warm', WARMUP) });
  return probe.call<number[]>('openOneMore', { names: namesOf('one more', context.quick ? 50 : 300) });
}

async function openOneMoreAlone(context: Context): Promise<readonly number[]> {
  await using crowd = new Crowd();
  return await openOneMore(context, crowd);
}

export async function measureScale(context: Context): Promise<OwnFigure[]> {
  const alone = summarize(await openOneMoreAlone(context));
  await using crowd = new Crowd();
  const { crowd: stations, each, ms } = await fill(context, crowd);
  const domain = Domain.open({ directory: crowd.directory });
  const { p50, p99, p999 } = summarize(await openOneMore(context, crowd));
  const more = {
    ...{ p99, p999, 'in an empty domain': alone.p50, 'ms to set all up': ms },
    ...list(domain, PROBE_NODES),
    ...{ 'MiB a node': each.pssBytes / MIB, 'descriptors a node': each.descriptors },
    ...(await bury(domain, stations[0] as Station, PROBE_NODES)),
  };
  return [{ value: p50, unit: 'us', more }];
}
