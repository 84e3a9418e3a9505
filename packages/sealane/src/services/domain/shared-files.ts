/**
 * What nodes of several users leave in a shared domain: a directory for each node, and folders of services in which others make files.
 * Owns the rule whose word counts: an entry of a node counts if it is of the user that owns the node's directory. Each user removes what is
 * its own; nothing else can be, and nothing is removed by way of a folder that somebody else could exchange.
 */
import { chmodSync, lstatSync, mkdirSync, renameSync, rmdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { ownUser } from './access.js';
import type { Domain } from './domain.js';
import { ASIDE, attempt, type FileRecord, listFolder, removeEntry, writeNew } from './files.js';
import { isNodeId, nodeOfEntry } from './names.js';
import type { SharedDomain } from './shared-domain.js';

/** What is added to the name of a directory while it is being removed. */
const GONE = '.old';

/** The user that owns a directory; undefined: there is no directory of that name. */
export function directoryOwner(path: string): number | undefined {
  const stats = look(path);
  return stats?.isDirectory() ? stats.uid : undefined;
}

/** The user whose node that is, as the kernel says; undefined: there is none. */
export function nodeOwner(domain: Domain, node: string): number | undefined {
  return directoryOwner(join(domain.nodes, node));
}

/** The names in a service's folder that count: in a shared domain not those by which somebody speaks for another user's node. */
export function listEntries(domain: Domain, folder: string, names = listFolder(folder)): string[] {
  if (domain.shared === undefined) return names;
  const owners = new Map<string, number | undefined>();
  return names.filter((name) => entryOwner(domain, folder, name, owners) !== undefined);
}

/** The user who made an entry, if it counts: it is a file of the user whose node it is of. */
export function entryOwner(
  domain: Domain,
  folder: string,
  name: string,
  owners = new Map<string, number | undefined>(),
): number | undefined {
  const node = nodeOfEntry(name);
  if (node === undefined) return undefined;
  if (!owners.has(node)) owners.set(node, nodeOwner(domain, node));
  const stats = look(join(folder, name));
  return stats?.isFile() && stats.uid === owners.get(node) ? stats.uid : undefined;
}

/** Begins the directory of a node, which nobody sees; returns where it is until {@link showNodeDirectory}. */
export function makeNodeDirectory(
  domain: Domain,
  shared: SharedDomain,
  node: string,
  record: FileRecord,
): string {
  const aside = join(domain.nodes, node + ASIDE);
  attempt(`making ${aside}`, () => mkdirSync(aside, { mode: 0o700 }));
  writeNew(join(aside, 'node.json'), record, shared.files);
  return aside;
}

/** Shows it to others, all of it at once. */
export function showNodeDirectory(domain: Domain, shared: SharedDomain, node: string): void {
  const path = join(domain.nodes, node);
  attempt(`setting the mode of ${path}`, () => chmodSync(path + ASIDE, shared.nodeMode));
  attempt(`making ${path}`, () => renameSync(path + ASIDE, path));
}

/** Removes the directory of an own node, in whatever state it is. */
export function removeNodeDirectory(domain: Domain, node: string): void {
  const path = join(domain.nodes, node);
  removeOwnDirectory(path + ASIDE);
  removeAtOnce(path);
}

/** Others see all of a directory, or nothing; unless somebody has taken the name that it has while it is removed. */
function removeAtOnce(path: string): void {
  if (directoryOwner(path) === ownUser()) tryRename(path, path + GONE);
  for (const ending of ['', GONE]) removeOwnDirectory(path + ending);
}

/**
 * Removes a directory of the own user with the files in it. What others put into it goes too, but for directories that are not empty:
 * then it stays.
 */
export function removeOwnDirectory(path: string): void {
  if (directoryOwner(path) !== ownUser()) return;
  try {
    for (const name of listFolder(path)) {
      const entry = join(path, name);
      if (look(entry)?.isDirectory()) tryRemoveEmpty(entry);
      else removeEntry(entry, { mode: 0, shared: true });
    }
    rmdirSync(path);
  } catch {
    // Not empty, or not ours to change.
  }
}

/** Removes a service's folder, if it is of the own user. */
export function removeOwnService(folder: string): void {
  if (directoryOwner(folder) === ownUser()) removeAtOnce(folder);
}

/**
 * Removes services of the own user that nobody has open, and, if `everywhere`, what its nodes that are no more have in those of others.
 */
export function sweepServices(domain: Domain, isAlive: (node: string) => boolean, everywhere: boolean): void {
  for (const name of listFolder(domain.services)) {
    const folder = join(domain.services, name);
    if (isHalf(name)) removeOwnDirectory(folder);
    else if (domain.isServiceFolder(name) && (everywhere || directoryOwner(folder) === ownUser()))
      sweepService(domain, folder, isAlive);
  }
}

function sweepService(domain: Domain, folder: string, isAlive: (node: string) => boolean): void {
  const names = readableNames(folder);
  const lives = listEntries(domain, folder, names).some((name) => isNodeId(name) && isAlive(name));
  if (!lives && directoryOwner(folder) === ownUser()) {
    removeOwnService(folder);
    return;
  }
  const left = names.filter((name) => isLeftByOwn(folder, name, isAlive));
  for (const name of left) removeEntry(join(folder, name), domain.files);
}

/** A node without a directory is none of a living process. */
function isLeftByOwn(folder: string, name: string, isAlive: (node: string) => boolean): boolean {
  const node = nodeOfEntry(name);
  return node !== undefined && look(join(folder, name))?.uid === ownUser() && !isAlive(node);
}

/** None where this user may not look. */
function readableNames(folder: string): string[] {
  try {
    return listFolder(folder);
  } catch {
    return [];
  }
}

/** Those of the own user; all, if the folder is its own. Root could remove others' too, by way of a folder that is exchanged meanwhile. */
export function ownEntries(folder: string, names: readonly string[]): readonly string[] {
  if (directoryOwner(folder) === ownUser()) return names;
  return names.filter((name) => look(join(folder, name))?.uid === ownUser());
}

/** The nodes of the own user of which there is anything. */
export function ownNodeIds(domain: Domain): string[] {
  const names = listFolder(domain.nodes).filter(
    (name) => isNodeId(name.slice(0, 16)) && /^(?:|\.new|\.old)$/.test(name.slice(16)),
  );
  const own = names.filter((name) => directoryOwner(join(domain.nodes, name)) === ownUser());
  return [...new Set(own.map((name) => name.slice(0, 16)))];
}

/** A folder of a service that was half made or half removed. */
function isHalf(name: string): boolean {
  return [ASIDE, GONE].some((ending) => name.endsWith(ending));
}

/** What can't be renamed stays, and is met again. */
function tryRename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    // Somebody has made it again and again, or the file system is read-only now.
  }
}

function tryRemoveEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Not empty: it leads to what is not ours.
  }
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
