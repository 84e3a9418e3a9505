/**
 * A consumer process of the demo: the entry that fork() runs. Receives parcels one way, reads every byte,
 * reports when, and hashes what it has when it is asked to. Ends with the channel to its parent: nothing is
 * left when the parent is killed.
 */
import type { FromConsumer, ToConsumer } from './protocol.js';
import { nowMs } from './protocol.js';
import { digestOf, readEveryByte } from './reading.js';
import { prepare, type Received } from './receivers.js';

let received: Received = [];

function tell(message: FromConsumer): void {
  process.send?.(message);
}

async function consume({ way, address, parcels }: Extract<ToConsumer, { kind: 'setup' }>): Promise<void> {
  const receive = await prepare(way, address, parcels);
  tell({ kind: 'ready' });
  received = await receive();
  const inHandMs = nowMs();
  const checksum = received.flat().reduce((mixed, part) => mixed ^ readEveryByte(part), 0);
  tell({ kind: 'received', inHandMs, readMs: nowMs(), checksum });
}

async function handle(message: ToConsumer): Promise<void> {
  if (message.kind === 'setup') await consume(message);
  if (message.kind === 'verify') tell({ kind: 'verified', digests: received.map(digestOf) });
}

process.on('message', (message: ToConsumer) => {
  handle(message).catch((error: unknown) => {
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  });
});
process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole group of processes; the parent decides what follows.
process.on('SIGINT', () => undefined);
