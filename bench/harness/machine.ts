// What the figures were measured on: processor, kernel, Node.js, memory, and whether processes could be pinned.
import { cpus, loadavg, release, totalmem } from 'node:os';
import { canPin } from './pinning.js';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly architecture: string;
  readonly node: string;
  readonly pinned: boolean;
  /** Runnable processes in the last minute, before the run: others' work that the figures suffer from. */
  readonly load: number;
}

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: `Linux ${release()}`,
    architecture: process.arch,
    node: process.version,
    pinned: canPin(),
    load: loadavg()[0] ?? Number.NaN,
  };
}

export function machineLine(machine: Machine): string {
  const parts = [
    machine.processor,
    `${machine.cores} cores (${machine.architecture})`,
    `${Math.round(machine.memoryBytes / 2 ** 30)} GiB`,
    machine.kernel,
    `Node.js ${machine.node}`,
    machine.pinned ? 'processes pinned where it matters' : 'UNPINNED: taskset or a second core is missing',
    `load average before the run ${machine.load.toFixed(1)}`,
  ];
  return parts.join(', ');
}
