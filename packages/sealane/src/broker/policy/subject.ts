/** Whether a peer is meant by an entry of a policy. Owns nothing; asks the kernel for no more than the entry needs. */
import { overflowIds } from '../../os/overflow.js';
import type { PeerIdentity } from '../../os/peer.js';
import { NamePattern } from '../../wire/index.js';
import type { PolicySubject } from './options.js';

export class Subject {
  readonly #users: ReadonlySet<number> | undefined;
  readonly #groups: ReadonlySet<number> | undefined;
  readonly #cgroups: Patterns | undefined;

  /** Takes a subject that was checked. */
  constructor({ users, groups, cgroups }: PolicySubject) {
    this.#users = users === undefined ? undefined : new Set(users);
    this.#groups = groups === undefined ? undefined : new Set(groups);
    this.#cgroups = cgroups === undefined ? undefined : new Patterns(cgroups);
  }

  fits(peer: PeerIdentity): boolean {
    if (this.#users !== undefined && !this.#users.has(peer.uid)) return false;
    if (this.#groups !== undefined && !isMember(peer, this.#groups)) return false;
    return this.#cgroups === undefined || (peer.cgroup !== undefined && this.#cgroups.match(peer.cgroup));
  }
}

/**
 * Whether the peer is in one of the groups. What stands for groups that are not mapped names none. Costs what the policy has, not
 * what the peer has: a process may be in 65,536 groups.
 */
export function isMember(peer: PeerIdentity, groups: ReadonlySet<number>): boolean {
  const overflowGid = overflowIds().gid;
  for (const gid of groups) if (gid !== overflowGid && peer.groups.has(gid)) return true;
  return false;
}

/** Some patterns, one of which has to match. */
export class Patterns {
  readonly #patterns: readonly NamePattern[];

  constructor(texts: readonly string[]) {
    this.#patterns = texts.map((text) => new NamePattern(text));
  }

  match(text: string): boolean {
    return this.#patterns.some((pattern) => pattern.matches(text));
  }
}
