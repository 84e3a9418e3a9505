/**
 * Who may connect to a node, and be a peer of its ports. Owns the decision, for both ends of every pair. Trusts the kernel's word of the
 * process at the other end of a connection, and of who owns the files; not what anybody says.
 */
import { Peer, type UnixSocket } from '../../os/index.js';
import { type Access, admits, describeAccess, ownUser } from './access.js';
import type { Domain } from './domain.js';
import { nodeOwner } from './shared-files.js';
import { isNobody, isOwnUser } from './trust.js';

/** Whom a service was defined for, and whom this node wants. */
export interface GateRules {
  /** Undefined: the domain is this user's alone. */
  readonly creator: number | undefined;
  /** What the creator defined; undefined: everybody in the domain. */
  readonly access: Access | undefined;
  /** What this node states beside it. */
  readonly wanted: Access | undefined;
}

/**
 * Why nobody of this user may connect to a node of the domain; undefined: some may, and a request will tell. In a shared domain its sender is
 * heard in any case: who is refused before it has sent its request may not come to read why.
 */
export function refusalAtDoor(domain: Domain, uid: number): string | undefined {
  if (domain.shared !== undefined || isOwnUser(uid)) return undefined;
  return `this node admits its own user, not user ${uid}`;
}

/** The gate of one service that a node has open. */
export class Gate {
  constructor(
    private readonly domain: Domain,
    private readonly rules: GateRules,
  ) {}

  /** Why the process at the other end is no peer for this node's ports; undefined: it is. `node`: for which it speaks. */
  refusal(socket: UnixSocket, node: string): string | undefined {
    const { uid } = socket.peer;
    if (this.domain.shared === undefined) return isOwnUser(uid) ? undefined : `it is of user ${uid}`;
    if (isNobody(uid)) return `user ${uid} stands here for all users whom the user namespace does not map`;
    const owner = nodeOwner(this.domain, node);
    if (owner !== uid) return `user ${uid} speaks for the node ${node}, which is ${ownerText(owner)}`;
    return uid === ownUser() ? undefined : this.#stranger(new Peer(socket));
  }

  #stranger(peer: Peer): string | undefined {
    const { creator, access, wanted } = this.rules;
    if (access !== undefined && peer.uid !== creator && !admits(access, peer))
      return `the service lets in ${describeAccess(access)}, and not user ${peer.uid}`;
    if (wanted !== undefined && !admits(wanted, peer))
      return `this node lets in ${describeAccess(wanted)}, and not user ${peer.uid}`;
    return undefined;
  }
}

function ownerText(owner: number | undefined): string {
  return owner === undefined ? 'not there' : `one of user ${owner}`;
}
