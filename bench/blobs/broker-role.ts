// The process of a BrokerStation: a broker with default options, nothing else.
import { readdirSync, readFileSync } from 'node:fs';
import { Broker } from 'sealane';
import { serve } from '../harness/station.js';
import type { BrokerMemory } from './broker-station.js';

let broker: Broker | undefined;

async function start({ socket }: { socket: string }): Promise<void> {
  broker = await Broker.start({ socket });
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
});
