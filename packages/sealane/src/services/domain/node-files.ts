/**
 * Nodes of a domain: publishing one, seeing which are there, and telling the living from the dead. A node owns its listening socket;
 * a refused connect proves its owner dead, because the socket appears under its name only when it listens. Files are doubted.
 */
import { chmodSync, linkSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { checkInteger, checkText } from '../../base/check.js';
import { SealaneError } from '../../base/errors.js';
import { realtimeNs } from '../../os/clock.js';
import { UnixSocket } from '../../os/unix-socket.js';
import { protocolError } from '../../wire/index.js';
import { type Attributes, checkAttributes, parseAttributes } from './attributes.js';
import type { Domain } from './domain.js';
import {
  ASIDE,
  attempt,
  type FileRecord,
  listFolder,
  readRecord,
  removeEntry,
  writeLinked,
} from './files.js';
import { checkName, isNodeId, newNodeId, nodeOfFile } from './names.js';
import type { SharedDomain } from './shared-domain.js';
import { makeNodeDirectory, nodeOwner, removeNodeDirectory, showNodeDirectory } from './shared-files.js';

/** What a node says of itself. */
export interface NodeInfo {
  /** 16 hexadecimal digits; no other node has or had them. */
  readonly id: string;
  readonly name: string;
  /** Its process. What it says: the kernel tells at a connection. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** When it was made: CLOCK_REALTIME, nanoseconds since 1970 (UTC). */
  readonly startedNs: bigint;
  readonly attributes: Attributes;
}

/**
 * `alive`: somebody listens. `starting`: it is being made at this moment, or its process died in the middle of that; whoever holds
 * the lock of the domain sees only the latter. `dead`: nobody listens any more.
 */
export type NodeState = 'alive' | 'starting' | 'dead';

/** How a node was found. */
export interface NodeSight {
  readonly state: NodeState;
  /** The process that listens, as the kernel says; 0: not alive, or outside this pid namespace. */
  readonly pid: number;
}

/** Connections that may wait for a node to accept them; when they are as many, it counts as alive all the same. */
const BACKLOG = 1_024;
/** Greatest pid, uid and gid that is believed. */
const MAX_ID = 4_294_967_295;

/** A node that this process published. Owns its socket and its files. */
export class PublishedNode implements Disposable {
  #closed = false;

  /** @internal */
  constructor(
    private readonly domain: Domain,
    readonly info: NodeInfo,
    /** Where others connect. Stays this object's. */
    readonly listener: UnixSocket,
  ) {}

  get id(): string {
    return this.info.id;
  }

  /** Withdraws the node and closes its socket. Leave its services before. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    removeNodeFiles(this.domain, this.id);
    this.listener.close();
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Publishes a node: others see it, and can connect, when this returns. Throws ERR_SEALANE_INVALID_ARGUMENT for a name that is no text of
 * 1 to 256 bytes without control characters and for wrong attributes; ERR_SEALANE_TIMEOUT, ERR_SEALANE_SYSTEM, ERR_SEALANE_EXHAUSTED.
 */
export function publishNode(domain: Domain, name: string, attributes?: Attributes): PublishedNode {
  checkName('name', name);
  const info: NodeInfo = {
    id: newNodeId(),
    name,
    pid: process.pid,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    startedNs: BigInt(realtimeNs()),
    attributes: checkAttributes(attributes),
  };
  const record = { ...info, startedNs: String(info.startedNs) };
  return domain.locked(() => {
    try {
      return new PublishedNode(domain, info, makeNode(domain, info.id, record));
    } catch (error) {
      removeNodeFiles(domain, info.id);
      throw error;
    }
  });
}

function makeNode(domain: Domain, id: string, record: FileRecord): UnixSocket {
  if (domain.shared !== undefined) return makeSharedNode(domain, domain.shared, id, record);
  writeLinked(domain.nodeFile(id), record);
  return listenLinked(domain, id);
}

function makeSharedNode(domain: Domain, shared: SharedDomain, id: string, record: FileRecord): UnixSocket {
  const path = join(makeNodeDirectory(domain, shared, id, record), 'sock');
  const listener = UnixSocket.listen(path, BACKLOG);
  try {
    attempt(`setting the mode of ${path}`, () => chmodSync(path, shared.socketMode));
    showNodeDirectory(domain, shared, id);
    return listener;
  } catch (error) {
    listener.close();
    throw error;
  }
}

function listenLinked(domain: Domain, id: string): UnixSocket {
  const aside = join(domain.nodes, id + ASIDE);
  const listener = UnixSocket.listen(aside, BACKLOG);
  try {
    attempt(`making ${domain.nodeSocket(id)}`, () => linkSync(aside, domain.nodeSocket(id)));
    removeEntry(aside);
    return listener;
  } catch (error) {
    listener.close();
    throw error;
  }
}

/** Looks whether a node lives. In doubt (no descriptor left to look with, ...) it does. Never throws. */
export function seeNode(domain: Domain, id: string): NodeSight {
  try {
    const path = domain.nodeSocket(id);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return { state: isStarting(domain, id) ? 'starting' : 'dead', pid: 0 };
    if (!stats.isSocket()) return { state: 'dead', pid: 0 };
    using socket = UnixSocket.connect(path);
    return isOwnersSocket(domain, id, socket)
      ? { state: 'alive', pid: socket?.peer.pid ?? 0 }
      : { state: 'dead', pid: 0 };
  } catch (error) {
    const gone =
      error instanceof SealaneError && (error.errnoName === 'ECONNREFUSED' || error.errnoName === 'ENOENT');
    return { state: gone ? 'dead' : 'alive', pid: 0 };
  }
}

function isStarting(domain: Domain, id: string): boolean {
  return exists(domain.shared === undefined ? domain.nodeFile(id) : join(domain.nodes, id + ASIDE));
}

/** In a shared domain a user could have a socket of another user in its node's directory. One whose queue is full is not asked. */
function isOwnersSocket(domain: Domain, id: string, socket: UnixSocket | undefined): boolean {
  return domain.shared === undefined || socket === undefined || socket.peer.uid === nodeOwner(domain, id);
}

/** Whether a node lives; see {@link seeNode}. */
export function isAlive(domain: Domain, id: string): boolean {
  return seeNode(domain, id).state === 'alive';
}

/**
 * What a node says of itself; undefined when it says nothing. In a shared domain its user is the one that owns its directory. Throws
 * ERR_SEALANE_PROTOCOL, ERR_SEALANE_VERSION_MISMATCH, ERR_SEALANE_SYSTEM.
 */
export function readNode(domain: Domain, id: string): NodeInfo | undefined {
  if (domain.shared === undefined) return readRecord(domain.nodeFile(id), (record) => parseNode(id, record));
  const uid = nodeOwner(domain, id);
  if (uid === undefined) return undefined;
  const info = readRecord(domain.nodeFile(id), (record) => parseNode(id, record), uid);
  return info && { ...info, uid };
}

/** The ids of all nodes of which there is a file, also of those that are no more. */
export function listNodeIds(domain: Domain): string[] {
  const names = listFolder(domain.nodes);
  if (domain.shared !== undefined)
    return names.filter((name) => isNodeId(name) && nodeOwner(domain, name) !== undefined).sort();
  const ids = names.map(nodeOfFile);
  return [...new Set(ids.filter((id) => id !== undefined))].sort();
}

/** Removes all files of a node but those in services; its socket last, so that a living node never seems to be starting. */
export function removeNodeFiles(domain: Domain, id: string): void {
  if (domain.shared !== undefined) {
    removeNodeDirectory(domain, id);
    return;
  }
  for (const ending of [ASIDE, `.json${ASIDE}`, '.json', '.sock'])
    removeEntry(join(domain.nodes, id + ending));
}

function parseNode(id: string, record: FileRecord): NodeInfo {
  const { name, pid, uid, gid, startedNs } = record;
  try {
    checkName('name', name);
    checkInteger('pid', pid, 1, MAX_ID);
    checkInteger('uid', uid, 0, MAX_ID);
    checkInteger('gid', gid, 0, MAX_ID);
    checkText('startedNs', startedNs, 1, 20);
  } catch (error) {
    throw error instanceof SealaneError ? protocolError(error.message) : error;
  }
  if (!/^[0-9]+$/.test(startedNs)) throw protocolError('startedNs must be decimal digits');
  return {
    id,
    name,
    pid,
    uid,
    gid,
    startedNs: BigInt(startedNs),
    attributes: parseAttributes(record.attributes),
  };
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
