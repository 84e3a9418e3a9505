// Keeps a measured process on one core, through taskset(1) of util-linux. Without it, or with a single core,
// everything runs unpinned and the machine's description says so.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Client: the side that waits for answers. Broker: the side that answers. */
export type Place = 'client' | 'broker' | 'anywhere';

/** The cores that this process may use, from the kernel: containers often allow less than the machine has. */
function allowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

function hasTaskset(): boolean {
  return spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0;
}

let known: readonly number[] | undefined;

/** Two distinct cores [client, broker], or none where pinning is impossible. */
function cores(): readonly number[] {
  if (known === undefined) {
    const allowed = allowedCores();
    known = allowed.length >= 2 && hasTaskset() ? allowed.slice(0, 2) : [];
  }
  return known;
}

export function canPin(): boolean {
  return cores().length === 2;
}

/** The core for a place, or -1: leave it to the scheduler. */
export function coreOf(place: Place): number {
  const [client = -1, broker = -1] = cores();
  if (place === 'anywhere') return -1;
  return place === 'client' ? client : broker;
}

/** A command line that runs `command` on the core of a place. */
export function pinnedCommand(place: Place, command: readonly string[]): string[] {
  return commandOnCore(coreOf(place), command);
}

/** A command line that runs `command` on a core; below 0, where the scheduler likes. */
export function commandOnCore(core: number, command: readonly string[]): string[] {
  return core < 0 ? [...command] : ['taskset', '-c', String(core), ...command];
}
