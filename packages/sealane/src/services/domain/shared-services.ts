/**
 * Services in a domain of several users: finding the one that is meant, and making its folder. The folder is its creator's; whom it lets in
 * shows in its mode, as far as a mode can say that. Trusts a definition only if it is of the user who owns the folder.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { describe, isSealaneError, SealaneError } from '../../base/errors.js';
import { type Access, admits, describeAccess, ownSubject, ownUser } from './access.js';
import { readDefinition, type ServiceDefinition } from './definition.js';
import type { Domain } from './domain.js';
import { attempt, listFolder } from './files.js';
import { isNodeId, serviceFolderName } from './names.js';
import type { SharedDomain } from './shared-domain.js';
import { directoryOwner, listEntries, removeOwnService } from './shared-files.js';
import type { Census } from './sweep.js';

/** A service that is there. */
export interface FoundService {
  readonly definition: ServiceDefinition;
  readonly folder: string;
  /** The user who created it; undefined in a domain that is not shared. */
  readonly creator: number | undefined;
}

const OWN_ONLY_MODE = 0o700;
const GROUP_MODE = 0o3770;
const GROUP_BITS = 0o070;

/** A folder for a new service, which nobody can have made before. */
export function newSharedFolder(domain: Domain, name: string): string {
  return join(domain.services, `${serviceFolderName(name)}-${randomBytes(4).toString('hex')}`);
}

/** Opens a folder that is made to those whom the service lets in, and as few others as a mode can say. */
export function openFolder(folder: string, shared: SharedDomain, access: Access | undefined): void {
  const mode = modeFor(folder, shared, access);
  attempt(`setting the mode of ${folder}`, () => chmodSync(folder, mode));
}

function modeFor(folder: string, { openMode }: SharedDomain, access: Access | undefined): number {
  if (access === undefined) return openMode;
  const others = access.users.filter((uid) => uid !== ownUser());
  const [gid, ...more] = access.groups;
  if (others.length > 0 || more.length > 0) return openMode;
  if (gid === undefined) return OWN_ONLY_MODE;
  return giveToGroup(folder, gid) ? GROUP_MODE : openMode;
}

/** Only a member of the group, and root, may do that. The peers are checked in any case. */
function giveToGroup(folder: string, gid: number): boolean {
  try {
    chownSync(folder, -1, gid);
    return true;
  } catch {
    return false;
  }
}

/** What is known of a folder whose name is that of a service. */
type Candidate =
  | FoundService
  /** A service of this user that the own one may not take part in. */
  | { readonly closedBy: number; readonly why: string };

/**
 * The service of that name that living nodes have open. `wanted`: those of creators who are not among these don't count. Removes own ones that
 * nobody has open. The caller holds the lock. Throws ERR_SEALANE_ACCESS_DENIED when there is one, and it does not let this user in;
 * ERR_SEALANE_UNTRUSTED_PEER when several users have one, and it is not stated whose is meant.
 */
export function findShared(
  domain: Domain,
  name: string,
  wanted: Access | undefined,
  census: Census,
): FoundService | undefined {
  const prefix = `${serviceFolderName(name)}-`;
  const names = listFolder(domain.services).filter(
    (each) => each.startsWith(prefix) && domain.isServiceFolder(each),
  );
  const candidates = names
    .map((each) => judge(domain, join(domain.services, each), name, wanted, census))
    .filter((candidate) => candidate !== undefined);
  const found = candidates.filter((candidate) => 'folder' in candidate);
  if (found.length > 1) throw ambiguous(name, found);
  const [closed] = candidates.filter((candidate) => 'why' in candidate);
  if (found.length === 0 && closed !== undefined) throw denied(name, closed);
  return found[0];
}

function judge(
  domain: Domain,
  folder: string,
  name: string,
  wanted: Access | undefined,
  census: Census,
): Candidate | undefined {
  const creator = directoryOwner(folder);
  if (creator === undefined || (wanted !== undefined && !isWanted(folder, creator, wanted))) return undefined;
  const nodes = readNodes(domain, folder);
  if (nodes === undefined) return hidden(domain, creator, census);
  if (nodes.some((node) => census.isAlive(node))) return readCandidate(folder, name, creator);
  removeOwnService(folder);
  return undefined;
}

/**
 * Only its members can give a folder to a group, but for directories elsewhere that do so by themselves: this decides whose definition counts,
 * and not who is a peer.
 */
function isWanted(folder: string, creator: number, wanted: Access): boolean {
  if (creator === ownUser() || wanted.users.includes(creator)) return true;
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats === undefined || (stats.mode & GROUP_BITS) !== GROUP_BITS) return false;
  return admits({ users: [], groups: wanted.groups }, { uid: creator, groups: new Set([stats.gid]) });
}

/** The nodes that take part; undefined: this user may not look. */
function readNodes(domain: Domain, folder: string): string[] | undefined {
  try {
    return listEntries(domain, folder).filter(isNodeId);
  } catch (error) {
    if (isSealaneError(error)) return undefined;
    throw error;
  }
}

/** Who takes part can't be seen; without a living node of its creator the folder counts as left behind. */
function hidden(domain: Domain, creator: number, census: Census): Candidate | undefined {
  const nodes = listFolder(domain.nodes).filter(isNodeId);
  const lives = nodes.some(
    (node) => directoryOwner(join(domain.nodes, node)) === creator && census.isAlive(node),
  );
  return lives ? { closedBy: creator, why: 'its folder is closed to this user' } : undefined;
}

/** What another user wrote and can't be read is no service; what the own user wrote is told. */
function readCandidate(folder: string, name: string, creator: number): Candidate | undefined {
  try {
    const definition = readDefinition(folder, name, creator);
    const { access } = definition;
    if (access === undefined || creator === ownUser() || admits(access, ownSubject()))
      return { definition, folder, creator };
    return { closedBy: creator, why: `it lets in ${describeAccess(access)}` };
  } catch (error) {
    if (isSealaneError(error, 'ERR_SEALANE_ACCESS_DENIED')) return { closedBy: creator, why: error.message };
    if (creator !== ownUser() && isSealaneError(error, 'ERR_SEALANE_PROTOCOL')) return undefined;
    throw error;
  }
}

function denied(name: string, { closedBy, why }: { closedBy: number; why: string }): SealaneError {
  const message = `user ${closedBy} has a service ${describe(name)}, and user ${ownUser()} may not take part in it: ${why}`;
  const advice = 'let its creator state in `access` who may, or state in yours whose services are meant';
  return new SealaneError('ERR_SEALANE_ACCESS_DENIED', `${message}; ${advice}`);
}

function ambiguous(name: string, found: readonly FoundService[]): SealaneError {
  const users = found.map(({ creator }) => creator).join(' and ');
  const message = `the users ${users} have each a service ${describe(name)}: state in \`access\` whose is meant`;
  return new SealaneError('ERR_SEALANE_UNTRUSTED_PEER', message);
}
