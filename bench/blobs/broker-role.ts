// The process of a BrokerStation: a broker with default options, nothing else.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker } from 'sealane';
import { serve } from '../harness/station.js';
import type { BrokerMemory, BrokerSockets } from './broker-station.js';

const directory = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
let broker: Broker | undefined;

/** Answers the path of the socket, and of that for memfdbus clients, where it is wanted. */
async function start({ memfdbus }: { memfdbus: boolean }): Promise<BrokerSockets> {
  const socket = join(directory, 'broker.sock');
  broker = await Broker.start(
    memfdbus ? { socket, memfdbusSocket: join(directory, 'memfdbus.sock') } : { socket },
  );
  return { socket: broker.socket, memfdbusSocket: broker.memfdbusSocket ?? '' };
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
