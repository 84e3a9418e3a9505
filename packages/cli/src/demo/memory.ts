/**
 * What a process occupies, as the kernel counts it (/proc/PID/smaps_rollup), and what is left on the machine.
 */
import { readFile } from 'node:fs/promises';

/** Bytes of one process, or sums and differences of them. */
export interface MemoryFigures {
  /** Resident pages, shared ones counted in full. */
  rssBytes: number;
  /**
   * Proportional set size: a page that n processes map counts as 1/n in each. Sums of it count every page
   * once.
   */
  pssBytes: number;
  /** Pages that this process alone has. */
  privateBytes: number;
}

/** The figures of a process; undefined where the kernel does not tell. */
export async function readMemory(pid: number | undefined): Promise<MemoryFigures | undefined> {
  if (pid === undefined) return undefined;
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : parseMemory(text);
}

/** The figures in the text of a smaps_rollup file. */
export function parseMemory(text: string): MemoryFigures {
  const bytesOf = (key: string) =>
    Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return {
    rssBytes: bytesOf('Rss'),
    pssBytes: bytesOf('Pss'),
    privateBytes: bytesOf('Private_Clean') + bytesOf('Private_Dirty'),
  };
}

/** What all processes together have gained; undefined when a figure is missing. */
export function gained(
  before: readonly (MemoryFigures | undefined)[],
  after: readonly (MemoryFigures | undefined)[],
): MemoryFigures | undefined {
  const total: MemoryFigures = { rssBytes: 0, pssBytes: 0, privateBytes: 0 };
  for (const [i, start] of before.entries()) {
    const end = after[i];
    if (start === undefined || end === undefined) return undefined;
    total.rssBytes += end.rssBytes - start.rssBytes;
    total.pssBytes += end.pssBytes - start.pssBytes;
    total.privateBytes += end.privateBytes - start.privateBytes;
  }
  return total;
}

/** Bytes that can be had without swapping; Infinity where the kernel does not tell. */
export async function readAvailableBytes(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const kib = /^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1];
  return kib === undefined ? Number.POSITIVE_INFINITY : Number(kib) * 1024;
}
