/**
 * Looking at a domain: all its nodes and services, with their states. Blocks nobody: it waits for no lock, and removes what the dead
 * left only when the lock is free. A file that can't be read is told, not hidden.
 */
import { join } from 'node:path';
import { isSealaneError } from '../../base/errors.js';
import { readDefinition, type ServiceDefinition } from './definition.js';
import type { Domain } from './domain.js';
import { listFolder, removeEntry } from './files.js';
import { isNodeId } from './names.js';
import { listNodeIds, type NodeInfo, type NodeSight, readNode, seeNode } from './node-files.js';
import { listPorts, type PortInfo } from './port-files.js';
import { directoryOwner, listEntries } from './shared-files.js';
import { Census, isLeftover, removeServiceLocked, sweepLocked } from './sweep.js';

/** A node of the domain. A dead one was removed by this listing, if it could be. */
export interface NodeListing extends NodeSight {
  readonly id: string;
  /** What it says of itself; undefined when it says nothing or `problem` tells why it can't be read. */
  readonly info: NodeInfo | undefined;
  readonly problem: string | undefined;
}

/** A node that has a service open. */
export interface ParticipantListing extends NodeSight {
  readonly id: string;
}

/** A service of the domain. */
export interface ServiceListing {
  /** Its folder: the start of the SHA-256 of its name, and in a shared domain more. */
  readonly folder: string;
  /** The user who created it. */
  readonly creator: number | undefined;
  /** Whether this user may not look into it. */
  readonly closed: boolean;
  /** What its creator defined; undefined when `problem` tells why it can't be read. */
  readonly definition: ServiceDefinition | undefined;
  readonly problem: string | undefined;
  readonly nodes: readonly ParticipantListing[];
  readonly ports: readonly PortInfo[];
}

/** All nodes of a domain, by id. Throws ERR_SEALANE_SYSTEM. */
export function listNodes(domain: Domain): NodeListing[] {
  const listings = listNodeIds(domain).map((id) => ({
    id,
    ...seeNode(domain, id),
    ...read(() => readNode(domain, id), 'info'),
  }));
  const dead = sweepIfFree(domain, listings);
  return listings.map((node) => ({ ...node, state: dead.has(node.id) ? 'dead' : node.state }));
}

/** All services of a domain, by name. Those that only dead nodes have open are listed, and removed. Throws ERR_SEALANE_SYSTEM. */
export function listServices(domain: Domain): ServiceListing[] {
  const names = listFolder(domain.services);
  const sights = new Map<string, ParticipantListing>();
  const listings = names
    .filter((name) => domain.isServiceFolder(name))
    .map((name) => listService(domain, name, sights));
  const dead = sweepIfFree(
    domain,
    [...sights.values()],
    names.some(isLeftover) || listings.some(({ nodes }) => nodes.length === 0),
  );
  const told = listings.map((service) => ({
    ...service,
    nodes: service.nodes.map((node) => withState(node, dead)),
  }));
  return told.sort(
    (a, b) => compare(a.definition?.name ?? '', b.definition?.name ?? '') || compare(a.folder, b.folder),
  );
}

function listService(domain: Domain, name: string, sights: Map<string, ParticipantListing>): ServiceListing {
  const folder = join(domain.services, name);
  const creator = directoryOwner(folder);
  const owner = domain.shared && creator;
  const { names = [], problem } = read(() => listEntries(domain, folder), 'names');
  const nodes = names.filter(isNodeId).sort();
  return {
    folder: name,
    creator,
    closed: domain.shared !== undefined && problem !== undefined,
    ...(problem === undefined
      ? read(() => readDefinition(folder, undefined, owner), 'definition')
      : { definition: undefined, problem }),
    nodes: nodes.map((id) => remember(sights, id, () => ({ id, ...seeNode(domain, id) }))),
    ports: listPorts(domain, folder, names),
  };
}

/** Each node is asked once, however many services it has open. */
function remember<T>(known: Map<string, T>, id: string, look: () => T): T {
  const value = known.get(id) ?? look();
  known.set(id, value);
  return value;
}

function withState(node: ParticipantListing, dead: ReadonlySet<string>): ParticipantListing {
  return dead.has(node.id) ? { ...node, state: 'dead' } : node;
}

/** Looks once more at those that don't seem to live, under the lock, and removes the dead. */
function sweepIfFree(
  domain: Domain,
  nodes: readonly ParticipantListing[],
  leftovers = false,
): ReadonlySet<string> {
  const suspects = nodes.filter(({ state }) => state !== 'alive').map(({ id }) => id);
  if (suspects.length === 0 && !leftovers) return new Set();
  return domain.tryLocked(() => clean(domain, suspects))?.value ?? new Set();
}

function clean(domain: Domain, suspects: readonly string[]): ReadonlySet<string> {
  const census = new Census(domain);
  if (domain.shared !== undefined) return sweepLocked(domain, suspects, census);
  for (const name of listFolder(domain.services)) {
    const folder = join(domain.services, name);
    if (isLeftover(name)) removeEntry(folder);
    else if (domain.isServiceFolder(name) && !listFolder(folder).some(isNodeId))
      removeServiceLocked(domain, folder);
  }
  return sweepLocked(domain, suspects, census);
}

/** What is read, under `key`, or the problem that keeps it from being read. */
function read<K extends string, T>(
  action: () => T,
  key: K,
): { [key in K]: T | undefined } & { problem: string | undefined } {
  try {
    return { [key]: action(), problem: undefined } as { [key in K]: T } & { problem: undefined };
  } catch (error) {
    if (!isSealaneError(error)) throw error;
    return { [key]: undefined, problem: error.message } as { [key in K]: undefined } & { problem: string };
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
