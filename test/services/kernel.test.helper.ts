/** What the kernel says a process has: descriptors, and mappings and descriptors of Sealane's memory. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/** What a process holds. */
export interface Holdings {
  /** Open descriptors. */
  readonly descriptors: number;
  /** Mappings of publishers' slots. */
  readonly slotMappings: number;
  /** Mappings of the control memory of pairs. */
  readonly controlMappings: number;
  /** Mappings of the event sets of pairs. */
  readonly eventMappings: number;
}

const SLOTS = '/memfd:sealane-samples';
const CONTROL = '/memfd:sealane-control';
const EVENTS = '/memfd:sealane-events';

/** What this process holds. */
export function holdings(): Holdings {
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return {
    // One is the descriptor by which the folder is read.
    descriptors: readdirSync('/proc/self/fd').length - 1,
    slotMappings: maps.filter((line) => line.includes(SLOTS)).length,
    controlMappings: maps.filter((line) => line.includes(CONTROL)).length,
    eventMappings: maps.filter((line) => line.includes(EVENTS)).length,
  };
}

/** The inodes of the slots' memory that this process holds open: its publishers'. */
export function slotInodes(): number[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => `/proc/self/fd/${fd}`)
    .filter((path) => linkTarget(path).startsWith(SLOTS))
    .map((path) => statSync(path).ino);
}

/** Processes of this machine, as far as they may be seen, that have memory of these inodes mapped or open. */
export function holdersOf(inodes: ReadonlySet<number>): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => mappedInodes(pid).some((inode) => inodes.has(inode)) || holdsOpen(pid, inodes));
}

function mappedInodes(pid: string): number[] {
  const lines = quietly(() => readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n'), []);
  return lines.filter((line) => line.includes(SLOTS)).map((line) => Number(line.split(/\s+/)[4]));
}

function holdsOpen(pid: string, inodes: ReadonlySet<number>): boolean {
  const paths = quietly(() => readdirSync(`/proc/${pid}/fd`), []).map((fd) => `/proc/${pid}/fd/${fd}`);
  const slots = paths.filter((path) => linkTarget(path).startsWith(SLOTS));
  return slots.some((path) => inodes.has(quietly(() => statSync(path).ino, -1)));
}

function linkTarget(path: string): string {
  return quietly(() => readlinkSync(path), '');
}

/** A process may end, or be another user's, while it is looked at. */
function quietly<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
