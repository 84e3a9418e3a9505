/** Whom a node trusts: processes of its own user, by what the kernel says. Owns the rule. */
import { mapsAllUsers, overflowIds } from '../os/index.js';

let overflowIsReal: boolean | undefined;

/** Whether a peer with this effective user id, as the kernel shows it, is this process's own user. */
export function isOwnUser(uid: number): boolean {
  if (uid !== process.geteuid?.()) return false;
  if (uid !== overflowIds().uid) return true;
  overflowIsReal ??= mapsAllUsers();
  return overflowIsReal;
}
