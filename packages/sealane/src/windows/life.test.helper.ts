/** What tests of windows look at: the mappings of this process, and what the garbage collector leaves of them. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Collects all garbage. Finalizers run on the event loop, after a collection. */
export async function collectAll(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function mapLines(): string[] {
  return readFileSync('/proc/self/maps', 'latin1').split('\n');
}

/** How many mappings of memfds of that name there are. */
export function mapped(name: string): number {
  return mapLines().filter((line) => line.endsWith(`/memfd:${name} (deleted)`)).length;
}

/** How many of the bytes from an address on lead nowhere: what a closed window holds until it is collected. */
export function coveredBytes(address: number, length: number): number {
  let bytes = 0;
  for (const line of mapLines()) {
    const [, first = '', last = ''] = line.match(/^([0-9a-f]+)-([0-9a-f]+) ---p/) ?? [];
    const from = Math.max(Number.parseInt(first, 16), address);
    const to = Math.min(Number.parseInt(last, 16), address + length);
    if (to > from) bytes += to - from;
  }
  return bytes;
}

/** How many mappings lie in the addresses from an address on. */
export function mappingsIn(address: number, length: number): number {
  let count = 0;
  for (const line of mapLines()) {
    const [, from = '', to = ''] = line.match(/^([0-9a-f]+)-([0-9a-f]+) /) ?? [];
    if (Number.parseInt(from, 16) < address + length && Number.parseInt(to, 16) > address) count++;
  }
  return count;
}
