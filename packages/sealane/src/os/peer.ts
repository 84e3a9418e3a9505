/**
 * Who is at the other end of a connected socket, as the kernel tells: credentials, groups, control group. What the peer says of
 * itself is not asked. Borrows the socket; asks for more than the credentials only when it is wanted, once.
 */
import { addon } from '../native/addon.js';
import { systemError } from './system-error.js';
import type { PeerCredentials, UnixSocket } from './unix-socket.js';

/** What the kernel tells of a peer. */
export interface PeerIdentity extends PeerCredentials {
  /** Its effective and supplementary groups when the connection was made (SO_PEERCRED, SO_PEERGROUPS). */
  readonly groups: ReadonlySet<number>;
  /**
   * Its control group in the unified hierarchy when it was first asked for, for example `/system.slice/camera.service`. Undefined
   * when the process is gone, or can't be told from one that came after it (kernels before 6.5), or is in none.
   */
  readonly cgroup: string | undefined;
}

export class Peer implements PeerIdentity {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  #groups: ReadonlySet<number> | undefined;
  #cgroup: { readonly path: string | undefined } | undefined;

  constructor(private readonly socket: UnixSocket) {
    ({ pid: this.pid, uid: this.uid, gid: this.gid } = socket.peer);
  }

  get groups(): ReadonlySet<number> {
    this.#groups ??= new Set([this.gid, ...readGroups(this.socket.fd)]);
    return this.#groups;
  }

  get cgroup(): string | undefined {
    this.#cgroup ??= { path: unifiedPath(addon().peerCgroup(this.socket.fd) ?? '') };
    return this.#cgroup.path;
  }
}

function readGroups(fd: number): number[] {
  try {
    return addon().peerGroups(fd);
  } catch (error) {
    throw systemError(error, 'asking for the groups of a peer');
  }
}

/** The line of the unified hierarchy begins with `0::` (cgroups(7)). A path outside our cgroup namespace is told as `/../...`. */
export function unifiedPath(text: string): string | undefined {
  const line = text.split('\n').find((entry) => entry.startsWith('0::/'));
  return line === undefined || line.startsWith('0::/..') ? undefined : line.slice(3);
}
