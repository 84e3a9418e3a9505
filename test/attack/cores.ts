// Which core runs what: the broker and the well-behaved client share one, the attackers have another. Being starved of the processor by
// the scheduler is not what is attacked.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';

export interface Cores {
  readonly served: number | undefined;
  readonly attacking: number | undefined;
}

/** The cores that this process may use, from the kernel: containers often allow less than the machine has. */
function allowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Two cores, or none where there are fewer or taskset(1) is missing. */
export function chooseCores(): Cores {
  const [served, attacking] = allowedCores();
  if (attacking === undefined || spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status !== 0)
    return { served: undefined, attacking: undefined };
  return { served, attacking };
}

/** A line that says what the figures were measured on. */
export function describeMachine({ served, attacking }: Cores): string {
  const processors = cpus();
  return [
    processors[0]?.model.trim() ?? 'unknown processor',
    `${processors.length} cores (${process.arch})`,
    `Linux ${release()}`,
    `Node.js ${process.version}`,
    served === undefined
      ? 'UNPINNED: taskset or a second core is missing'
      : `broker and client on core ${served}, attackers on core ${attacking}`,
    `load average before the run ${(loadavg()[0] ?? Number.NaN).toFixed(1)}`,
  ].join(', ');
}
