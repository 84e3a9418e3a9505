// Where the processes of a measured run run, so that it shows what the broker does and not how the kernel shares out processors: the broker has a core of its own.
// The well-behaved client has another one; where there is no third, attackers use what it leaves of its core.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';

/** What each kind of process is started through: words in front of its command line. */
export interface Places {
  readonly broker: readonly string[];
  readonly client: readonly string[];
  readonly attackers: readonly string[];
  /** In words. */
  readonly described: string;
}

/** Everything where the kernel puts it. */
export const ANYWHERE: Places = {
  broker: [],
  client: [],
  attackers: [],
  described: 'NOT PINNED: taskset and chrt, or a second core, are missing',
};

/** The cores that this process may use, from the kernel: containers often allow less than the machine has. */
function allowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

function has(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

function on(core: number): string[] {
  return ['taskset', '-c', String(core)];
}

/** A core for each kind of process, as far as there are so many. */
export function choosePlaces(): Places {
  const [first, second, third] = allowedCores();
  if (first === undefined || second === undefined || !has('taskset') || !has('chrt')) return ANYWHERE;
  const pair = { broker: on(first), client: on(second) };
  if (third !== undefined) {
    const described = `broker on core ${first}, client on core ${second}, attackers on core ${third}`;
    return { ...pair, attackers: on(third), described };
  }
  const described = `broker on core ${first}, client on core ${second}, attackers in what it leaves of that (SCHED_IDLE)`;
  return { ...pair, attackers: [...on(second), 'chrt', '--idle', '0'], described };
}

/** A line that says what the figures were measured on. */
export function describeMachine({ described }: Places): string {
  const processors = cpus();
  return [
    processors[0]?.model.trim() ?? 'unknown processor',
    `${processors.length} cores (${process.arch})`,
    `Linux ${release()}`,
    `Node.js ${process.version}`,
    described,
    `load average before the run ${(loadavg()[0] ?? Number.NaN).toFixed(1)}`,
  ].join(', ');
}
