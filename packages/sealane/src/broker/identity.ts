/**
 * Which users are admitted. Owns the rule; trusts only what the kernel says of a peer (SO_PEERCRED), never what it says itself.
 */
import { assert } from '../base/assert.js';
import { SealaneError } from '../base/errors.js';
import { mapsAllUsers, overflowIds } from '../os/overflow.js';
import type { PeerCredentials } from '../os/unix-socket.js';

export class Admission {
  readonly #users: ReadonlySet<number>;
  readonly #overflowIsReal: boolean;

  /** Admits `ownUid` and `users`. `overflowIsReal`: the overflow id names one user here, not everyone who is not mapped. */
  constructor(
    readonly ownUid: number,
    users: readonly number[],
    overflowIsReal: boolean,
  ) {
    this.#users = new Set(users);
    this.#overflowIsReal = overflowIsReal;
  }

  /** Admits the user of this process, and `users`. */
  static ofThisProcess(users: readonly number[]): Admission {
    const uid = process.geteuid?.();
    assert(uid !== undefined, 'there is no effective user id on this platform');
    return new Admission(uid, users, mapsAllUsers());
  }

  /** The error for a peer that is not admitted; undefined for one that is. */
  refusal(peer: PeerCredentials): SealaneError | undefined {
    const unmapped = this.unmapped(peer);
    if (unmapped !== undefined || peer.uid === this.ownUid || this.#users.has(peer.uid)) return unmapped;
    return untrusted(
      `user ${peer.uid} is not admitted by this broker; its owner can admit it with the option users, or by a policy`,
    );
  }

  /** The error for a peer that the kernel can't name here: of a user, or a process of another user, outside our namespaces. */
  unmapped(peer: PeerCredentials): SealaneError | undefined {
    const overflowUid = overflowIds().uid;
    if (peer.uid === overflowUid && !(this.ownUid === overflowUid && this.#overflowIsReal)) {
      return untrusted(
        `your user is not known in the broker's user namespace (the kernel shows it as ${overflowUid})`,
      );
    }
    if (peer.pid !== 0 || peer.uid === this.ownUid) return undefined;
    return untrusted(
      "your process is not known in the broker's process namespace (the kernel shows it as 0)",
    );
  }
}

export function untrusted(text: string): SealaneError {
  return new SealaneError('ERR_SEALANE_UNTRUSTED_PEER', text);
}
