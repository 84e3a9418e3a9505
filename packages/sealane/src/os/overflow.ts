/**
 * The ids that the kernel shows in place of all users, or groups, that a user namespace does not map: they name nobody, and an
 * administrator can change them. Owns nothing; trusts /proc.
 */
import { readFileSync } from 'node:fs';

/** What both are unless somebody has set them (kernel.overflowuid, kernel.overflowgid). */
const DEFAULT_ID = 65_534;

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
