// What a process costs, as the kernel counts it: its share of all memory that it maps, and its descriptors.
import { readdirSync, readFileSync } from 'node:fs';

export interface Cost {
  /** Proportional set size: memory that several processes map is divided among them. Memory of memfds included. */
  readonly pssBytes: number;
  /** The part of it that is shared memory: slots and rings. */
  readonly sharedBytes: number;
  /** Live objects of JavaScript; V8 holds more, in steps. */
  readonly heapBytes: number;
  /** Addresses, used or not. */
  readonly virtualBytes: number;
  readonly descriptors: number;
}

const ZERO: Cost = { pssBytes: 0, sharedBytes: 0, heapBytes: 0, virtualBytes: 0, descriptors: 0 };

function bytesIn(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN) * 1024;
}

/** Twice: what finalizers let go is collected by the second. */
function collect(): void {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('start the process with --expose-gc');
  gc();
  gc();
}

/** Of this process, after its garbage was collected: start it with --expose-gc. */
export function ownCost(): Cost {
  collect();
  const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8');
  return {
    pssBytes: bytesIn(rollup, 'Pss'),
    sharedBytes: bytesIn(rollup, 'Pss_Shmem'),
    heapBytes: process.memoryUsage().heapUsed,
    virtualBytes: bytesIn(readFileSync('/proc/self/status', 'utf8'), 'VmSize'),
    descriptors: readdirSync('/proc/self/fd').length,
  };
}

function combine(one: Cost, other: Cost, by: (one: number, other: number) => number): Cost {
  return {
    pssBytes: by(one.pssBytes, other.pssBytes),
    sharedBytes: by(one.sharedBytes, other.sharedBytes),
    heapBytes: by(one.heapBytes, other.heapBytes),
    virtualBytes: by(one.virtualBytes, other.virtualBytes),
    descriptors: by(one.descriptors, other.descriptors),
  };
}

export function sum(costs: readonly Cost[]): Cost {
  return costs.reduce((all, cost) => combine(all, cost, (one, other) => one + other), ZERO);
}

/** What one of `count` things costs that were added between `before` and `after`. */
export function costOfEach(before: Cost, after: Cost, count: number): Cost {
  return combine(before, after, (one, other) => (other - one) / count);
}
