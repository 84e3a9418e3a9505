/**
 * Who is admitted, under which job a peer may act, and what it may do. Without a policy: the broker's user and those that were
 * named; jobs are labels among one user's processes, and users are apart. With one (policy/): what the policy says.
 * Trusts only what the kernel says of a peer.
 */
import type { SealaneError } from '../base/errors.js';
import type { PeerIdentity } from '../os/peer.js';
import type { Rights } from './access.js';
import type { Admission } from './identity.js';
import type { Account } from './quota.js';

export interface Authority {
  /** The error for a peer that is not admitted; undefined for one that is. */
  refusal(peer: PeerIdentity): SealaneError | undefined;
  /** The shelf on which a user's objects stand. */
  shelfOf(uid: number): number;
  /** What an admitted peer may do under a job. Throws ERR_SEALANE_ACCESS_DENIED when it may not act under it. */
  rights(peer: PeerIdentity, job: string | undefined): Rights;
}

/** The rules without a policy. */
export class UserAuthority implements Authority {
  constructor(private readonly admission: Admission) {}

  refusal(peer: PeerIdentity): SealaneError | undefined {
    return this.admission.refusal(peer);
  }

  shelfOf(uid: number): number {
    return uid;
  }

  rights({ uid }: PeerIdentity): Rights {
    return new UserRights(uid);
  }
}

/** A user's processes may do everything with what that user owns, as far as jobs let them. */
export class UserRights implements Rights {
  readonly unscoped = true;
  readonly #account: Account;

  constructor(uid: number) {
    this.#account = { uid, shelf: uid };
  }

  grants(): boolean {
    return false;
  }

  grantsAll(): boolean {
    return false;
  }

  checkPut(): void {}

  account(): Account {
    return this.#account;
  }
}

/** Before its hello a peer may do nothing. */
export const NO_RIGHTS: Rights = {
  unscoped: false,
  grants: () => false,
  grantsAll: () => false,
  checkPut: () => {
    throw new Error('a put came before the hello');
  },
  account: () => {
    throw new Error('a put came before the hello');
  },
};
