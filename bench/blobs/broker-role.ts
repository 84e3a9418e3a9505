// The process of a BrokerStation: a broker with default options, nothing else.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditFile, Broker } from 'sealane';
import { serve } from '../harness/station.js';
import type { BrokerMemory, BrokerSockets } from './broker-station.js';

const directory = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
let broker: Broker | undefined;
let auditFile: AuditFile | undefined;

/** Answers the path of the socket, and of that for memfdbus clients, where it is wanted. */
async function start({ memfdbus, audit }: { memfdbus: boolean; audit: boolean }): Promise<BrokerSockets> {
  if (audit) auditFile = await AuditFile.open(join(directory, 'audit.log'));
  broker = await Broker.start({
    socket: join(directory, 'broker.sock'),
    memfdbusSocket: memfdbus ? join(directory, 'memfdbus.sock') : undefined,
    audit: auditFile && { sink: auditFile },
  });
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

function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

serve({ start, memory, processorTime }, async () => {
  await broker?.stop();
  await auditFile?.close();
  rmSync(directory, { recursive: true, force: true });
});
