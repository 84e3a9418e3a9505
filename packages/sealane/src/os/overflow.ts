/**
 * The ids that the kernel shows in place of all users, or groups, that a user namespace does not map: they name nobody, and an
 * administrator can change them. Owns nothing; trusts /proc.
 */
import { readFileSync } from 'node:fs';

/** What both are unless somebody has set them (kernel.overflowuid, kernel.overflowgid). */
const DEFAULT_ID = 65_534;

/** A user namespace that maps so many users maps all of them: then the overflow id is the id of a real user, nobody. */
const ALL_USERS = 4_294_967_295;

export interface OverflowIds {
  readonly uid: number;
  readonly gid: number;
}

let known: OverflowIds | undefined;

/** The ids, as they were when they were first asked for. */
export function overflowIds(): OverflowIds {
  known ??= { uid: read('overflowuid'), gid: read('overflowgid') };
  return known;
}

function read(name: string): number {
  try {
    const text = readFileSync(`/proc/sys/kernel/${name}`, 'utf8').trim();
    return /^\d+$/.test(text) ? Number(text) : DEFAULT_ID;
  } catch {
    return DEFAULT_ID;
  }
}

/** Whether this process's user namespace maps every user, as the first one does: then the overflow id is a user like others. */
export function mapsAllUsers(): boolean {
  try {
    const ranges = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n');
    return ranges.some((range) => Number(range.trim().split(/\s+/)[2]) >= ALL_USERS);
  } catch {
    return false;
  }
}
