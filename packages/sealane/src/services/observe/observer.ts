/**
 * Who looks at a domain. Owns the connections to all its nodes. Takes no part in any service, and trusts nothing that it sees: neither the files
 * of the domain nor what nodes tell.
 */
import { join } from 'node:path';
import { isSealaneError } from '../../base/errors.js';
import { readDefinition } from '../domain/definition.js';
import { Domain, type DomainOptions } from '../domain/domain.js';
import { listFolder } from '../domain/files.js';
import type { PortKey } from '../domain/names.js';
import { listNodeIds, readNode } from '../domain/node-files.js';
import { listPortKeys } from '../domain/port-files.js';
import { directoryOwner } from '../domain/shared-files.js';
import type { ListedKind } from '../domain/survey.js';
import { sweepLocked } from '../domain/sweep.js';
import { ControlLoop } from '../pairs/control.js';
import { NodeView } from './node-view.js';
import type {
  ObservedDomain,
  ObservedNode,
  ObservedPort,
  ObservedService,
  ObservedSubscription,
} from './observed.js';
import { PortViews } from './port-views.js';

/** The connections to the nodes of a domain. */
export class Observer implements Disposable {
  readonly #place: DomainOptions;
  readonly #loop = new ControlLoop();
  readonly #views = new Map<string, NodeView>();
  /** Names of nodes that could be read: they never change. */
  readonly #names = new Map<string, string>();
  #domain: Domain | undefined;

  constructor(place: DomainOptions) {
    this.#place = place;
  }

  /** What there is now, and what happened since the look before. */
  look(): ObservedDomain {
    this.#domain ??= Domain.find(this.#place);
    const domain = this.#domain;
    if (domain === undefined) return { nodes: [], services: [] };
    this.#lookAtNodes(domain);
    const nodes = [...this.#views.values()].sort((a, b) => compare(a.id, b.id));
    const ports = new PortViews(this.#views);
    const folders = listFolder(domain.services).filter((name) => domain.isServiceFolder(name));
    const services = folders.map((folder) => toService(domain, folder, ports));
    return {
      nodes: nodes.map((view) => this.#toNode(domain, view)),
      services: services.sort((a, b) => compare(a.name ?? '', b.name ?? '') || compare(a.folder, b.folder)),
    };
  }

  [Symbol.dispose](): void {
    for (const view of this.#views.values()) view.close();
    this.#loop.close();
  }

  #lookAtNodes(domain: Domain): void {
    const ids = new Set(listNodeIds(domain));
    for (const id of ids) if (!this.#views.has(id)) this.#views.set(id, new NodeView(this.#loop, domain, id));
    const dead: string[] = [];
    for (const [id, view] of this.#views) {
      if (ids.has(id)) view.look();
      if (view.dead) dead.push(id);
      if (view.dead || !ids.has(id)) this.#drop(id, view);
    }
    if (dead.length > 0) sweep(domain, dead);
  }

  #drop(id: string, view: NodeView): void {
    view.close();
    this.#views.delete(id);
    this.#names.delete(id);
  }

  #toNode(domain: Domain, view: NodeView): ObservedNode {
    const { id, pid, now, problem } = view;
    const name = this.#names.get(id) ?? readName(domain, id);
    if (name !== undefined) this.#names.set(id, name);
    return { id, name, pid: pid === 0 ? undefined : pid, observed: now !== undefined, problem };
  }
}

/** What the dead left is removed, by whoever holds the lock now if not by this side. */
function sweep(domain: Domain, dead: readonly string[]): void {
  try {
    domain.tryLocked(() => sweepLocked(domain, dead));
  } catch (error) {
    if (!isSealaneError(error)) throw error;
  }
}

function readName(domain: Domain, id: string): string | undefined {
  try {
    return readNode(domain, id)?.name;
  } catch (error) {
    if (!isSealaneError(error)) throw error;
    return undefined;
  }
}

function toService(domain: Domain, folder: string, views: PortViews): ObservedService {
  try {
    const path = join(domain.services, folder);
    const { name, messaging, settings } = readDefinition(
      path,
      undefined,
      domain.shared && directoryOwner(path),
    );
    const figures = figuresOf(listPortKeys(domain, path), views);
    return { folder, name, problem: undefined, ...({ messaging, settings } as ListedKind), ...figures };
  } catch (error) {
    if (!isSealaneError(error)) throw error;
    const kind = { messaging: undefined, settings: undefined };
    return { folder, name: undefined, problem: error.message, ...kind, ...figuresOf([], views) };
  }
}

function figuresOf(keys: readonly PortKey[], views: PortViews) {
  const ports = keys.map((key) => views.port(key));
  return { ...sums(ports), latencyUs: views.latency(keys), ports };
}

function sums(ports: readonly ObservedPort[]) {
  const publishers = ports.filter((port) => port.kind === 'publisher');
  const subscribers = ports.filter((port) => port.kind === 'subscriber');
  const pairs = [
    ...publishers.flatMap((port) => port.subscribers),
    ...subscribers.flatMap((port) => port.publishers),
  ];
  return {
    sentPerSecond: sum(ports.map(sentPerSecond)),
    receivedPerSecond: sum(ports.map(receivedPerSecond)),
    lost: sum(publishers.map((port) => port.lost)),
    lostPerSecond: sum(publishers.map((port) => port.lostPerSecond)),
    loaned: sum(publishers.map((port) => port.loaned)),
    borrowed: sum(subscribers.map((port) => port.borrowed)),
    leaked: sum([...publishers, ...subscribers].map((port) => port.leaked)),
    fill: pairs.reduce((fill, pair) => Math.max(fill, fillOf(pair)), 0),
  };
}

function sentPerSecond(port: ObservedPort): number {
  if (port.kind === 'notifier') return port.notifiedPerSecond;
  return port.kind === 'publisher' ? port.sentPerSecond : 0;
}

function receivedPerSecond(port: ObservedPort): number {
  return port.kind === 'subscriber' || port.kind === 'listener' ? port.receivedPerSecond : 0;
}

function fillOf({ waiting, bufferSize }: Pick<ObservedSubscription, 'waiting' | 'bufferSize'>): number {
  return bufferSize === 0 ? 0 : waiting / bufferSize;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
