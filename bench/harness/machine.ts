// What the figures were measured on: processor, kernel, Node.js, memory, and whether processes could be pinned.
import { cpus, release, totalmem } from 'node:os';
import { canPin } from './pinning.js';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly architecture: string;
  readonly node: string;
  readonly pinned: boolean;
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
  };
}

export function machineLine(machine: Machine): string {
  const memory = `${Math.round(machine.memoryBytes / 2 ** 30)} GiB`;
  const pinning = machine.pinned
    ? 'processes pinned where it matters'
    : 'UNPINNED: taskset or a second core is missing';
  return `${machine.processor}, ${machine.cores} cores (${machine.architecture}), ${memory}, ${machine.kernel}, Node.js ${machine.node}; ${pinning}`;
}
