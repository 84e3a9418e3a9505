/**
 * Removing what dead processes left: nodes, what they took part in, and services that nobody alive has open. Whoever meets a dead
 * node does this, under the lock of the domain, and looks once more first. What can't be removed stays, and is met again. In a shared
 * domain each user removes what is its own.
 */
import { lstatSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { isSealaneError } from '../../base/errors.js';
import { ownUser } from './access.js';
import type { Domain } from './domain.js';
import { ASIDE, listFolder, removeEntry } from './files.js';
import { isNodeId, isServiceFolder, nodeOfEntry } from './names.js';
import { isAlive, removeNodeFiles } from './node-files.js';
import { nodeOwner, ownEntries, ownNodeIds, removeOwnService, sweepServices } from './shared-files.js';

/** What is added to the name of a service's folder while it is being removed. */
const GONE = '.old';

/** Tells who lives, asking each node once: what it said holds as long as the lock is held. */
export class Census {
  readonly #alive = new Map<string, boolean>();

  /** `self`: a node of this thread, which is known to live. */
  constructor(
    private readonly domain: Domain,
    self?: string,
  ) {
    domain.requireLock();
    if (self !== undefined) this.#alive.set(self, true);
  }

  isAlive(node: string): boolean {
    const known = this.#alive.get(node);
    if (known !== undefined) return known;
    const alive = isAlive(this.domain, node);
    this.#alive.set(node, alive);
    return alive;
  }

  /** Those that were asked for and are dead. */
  get dead(): string[] {
    return [...this.#alive].filter(([, alive]) => !alive).map(([node]) => node);
  }
}

/**
 * Removes those of the suspects that are dead, and every other dead node that is met meanwhile, from the whole domain. Returns
 * the dead. The caller holds the lock.
 */
export function sweepLocked(
  domain: Domain,
  suspects: Iterable<string>,
  census = new Census(domain),
): ReadonlySet<string> {
  for (const node of suspects) census.isAlive(node);
  if (domain.shared !== undefined) return sweepOwn(domain, census);
  const swept = new Set<string>();
  for (let dead = census.dead; dead.length > 0; dead = census.dead.filter((node) => !swept.has(node))) {
    removeFromServices(domain, new Set(dead), census);
    for (const node of dead) {
      removeNodeFiles(domain, node);
      swept.add(node);
    }
  }
  return swept;
}

/** In a shared domain: those of the own user that are dead, and all that they left. Returns all who are known to be dead. */
function sweepOwn(domain: Domain, census: Census): ReadonlySet<string> {
  const dead = new Set(census.dead);
  const own = [...dead].filter((node) => nodeOwner(domain, node) === ownUser());
  if (own.length === 0) return dead;
  sweepServices(domain, (node) => census.isAlive(node), true);
  for (const node of own) removeNodeFiles(domain, node);
  return dead;
}

/**
 * Removes what earlier processes of this user left in a shared domain, since nobody else can. Not while somebody holds the lock: the next
 * node of this user does. Never throws. `self`: a living node of this thread.
 */
export function sweepLeftBehind(domain: Domain, self: string): void {
  if (domain.shared === undefined) return;
  try {
    domain.tryLocked(() => sweepLeftLocked(domain, self));
  } catch (error) {
    if (!isSealaneError(error)) throw error;
  }
}

function sweepLeftLocked(domain: Domain, self: string): void {
  const census = new Census(domain, self);
  const dead = ownNodeIds(domain).filter((node) => !census.isAlive(node));
  sweepServices(domain, (node) => census.isAlive(node), dead.length > 0);
  for (const node of dead) removeNodeFiles(domain, node);
}

/**
 * Removes a node that is believed dead, if it is, and what it left in the domain. Returns whether it was. Throws ERR_SEALANE_TIMEOUT when
 * the lock can't be had.
 */
export function removeDead(domain: Domain, node: string): boolean {
  return domain.locked(() => sweepLocked(domain, [node])).has(node);
}

/** Removes a service: others see all of it, or nothing. The caller holds the lock. */
export function removeServiceLocked(domain: Domain, folder: string): void {
  domain.requireLock();
  if (domain.shared !== undefined) {
    removeOwnService(folder);
    return;
  }
  const gone = folder + GONE;
  removeEntry(gone);
  try {
    renameSync(folder, gone);
    removeEntry(gone);
  } catch {
    removeEntry(folder);
  }
}

/** Removes what was left of a service that was half made or half removed. The caller holds the lock. */
export function removeLeftoversLocked(domain: Domain, folder: string): void {
  domain.requireLock();
  removeEntry(folder + ASIDE);
  removeEntry(folder + GONE);
}

/** Whether a name in the folder of services is such a leftover. */
export function isLeftover(name: string): boolean {
  return [ASIDE, GONE].some(
    (ending) => name.endsWith(ending) && isServiceFolder(name.slice(0, -ending.length)),
  );
}

/** Removes what nodes have in one service: their ports first, so that who takes part no more has none. */
export function removeEntries(
  domain: Domain,
  folder: string,
  names: readonly string[],
  nodes: ReadonlySet<string>,
): void {
  const removable = domain.shared === undefined ? names : ownEntries(folder, names);
  const theirs = removable.filter((name) => nodes.has(nodeOfEntry(name) ?? ''));
  for (const name of theirs.filter((one) => !isNodeId(one))) removeEntry(join(folder, name), domain.files);
  for (const name of theirs.filter(isNodeId)) removeEntry(join(folder, name), domain.files);
}

function removeFromServices(domain: Domain, dead: ReadonlySet<string>, census: Census): void {
  for (const name of listFolder(domain.services)) {
    const folder = join(domain.services, name);
    if (isLeftover(name)) removeEntry(folder);
    else if (isServiceFolder(name) && takesPart(folder, dead))
      removeFromService(domain, folder, dead, census);
  }
}

/** A look at one file each is many times cheaper than a list of the folder, and the dead are few. */
function takesPart(folder: string, nodes: ReadonlySet<string>): boolean {
  return [...nodes].some((node) => exists(join(folder, node)));
}

function removeFromService(domain: Domain, folder: string, dead: ReadonlySet<string>, census: Census): void {
  const names = listFolder(folder);
  const lives = names.some((name) => isNodeId(name) && !dead.has(name) && census.isAlive(name));
  if (lives) removeEntries(domain, folder, names, dead);
  else removeServiceLocked(domain, folder);
}

/** Whether there is such a file, as far as that can be seen. */
export function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
