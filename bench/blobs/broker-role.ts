// The process of a BrokerStation: a broker with default options, nothing else.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker } from 'sealane';
import { serve } from '../harness/station.js';
import type { BrokerMemory } from './broker-station.js';

const directory = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
let broker: Broker | undefined;

/** Answers the socket's path. */
async function start(): Promise<string> {
  broker = await Broker.start({ socket: join(directory, 'broker.sock') });
  return broker.socket;
}

function residentBytes(): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kibibytes) * 1024;
}

function memory(): BrokerMemory {
  globalThis.gc?.();
  return {
    residentBytes: residentBytes(),
    heapBytes: process.memoryUsage().heapUsed,
    descriptors: readdirSync('/proc/self/fd').length,
  };
}

serve({ start, memory }, async () => {
  await broker?.stop();
  rmSync(directory, { recursive: true, force: true });
});
