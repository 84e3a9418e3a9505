/** Whom a node trusts: processes of its own user, by what the kernel says; and nobody whom the kernel can't name. Owns the rule. */
import { mapsAllUsers, overflowIds } from '../../os/index.js';

let overflowIsReal: boolean | undefined;

/** Whether a peer with this effective user id, as the kernel shows it, is this process's own user. */
export function isOwnUser(uid: number): boolean {
  return uid === process.geteuid?.() && !isNobody(uid);
}

/** Whether this is what stands for all users that this user namespace does not map: whoever has it may be anybody. */
export function isNobody(uid: number): boolean {
  if (uid !== overflowIds().uid) return false;
  overflowIsReal ??= mapsAllUsers();
  return !overflowIsReal;
}
