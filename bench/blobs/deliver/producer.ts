// The producer's process, one for each way of delivering: holds the payloads and times deliveries.
import { serve } from '../../harness/station.js';
import { ChildDelivery } from '../../peers/node/child.js';
import { ANYWHERE } from '../../peers/node/children.js';
import type { Delivery } from '../../peers/node/delivery.js';
import { makePayload } from '../../peers/node/pass.js';
import { SocketDelivery } from '../../peers/node/socket.js';
import { WorkerDelivery } from '../../peers/node/worker.js';
import { BusDelivery } from './bus.js';
import type { Setup } from './ways.js';

let delivery: Delivery | undefined;
const payloads = new Map<number, Uint8Array>();

function payloadOf(size: number): Uint8Array {
  const payload = payloads.get(size) ?? makePayload(size);
  payloads.set(size, payload);
  return payload;
}

function start({ way, consumers, socket }: Setup): Promise<Delivery> {
  const processes = { count: consumers, core: ANYWHERE };
  switch (way) {
    case 'bus':
      return BusDelivery.start(consumers, socket);
    case 'child':
      return ChildDelivery.start(processes);
    case 'socket':
      return SocketDelivery.start(processes, 'whole');
    case 'stream':
      return SocketDelivery.start(processes, 'pieces');
    case 'worker':
      return WorkerDelivery.start(consumers);
  }
}

async function setup(input: Setup): Promise<void> {
  delivery = await start(input);
}

/** Microseconds from the start of a delivery to the last consumer's answer. */
async function deliver({ size }: { size: number }): Promise<number> {
  if (delivery === undefined) throw new Error('call setup first');
  const payload = payloadOf(size);
  const start = performance.now();
  const seen = await delivery.deliver(payload);
  const us = (performance.now() - start) * 1000;
  for (const bytes of seen) {
    if (bytes !== size) throw new Error(`a consumer saw ${bytes} of ${size} bytes`);
  }
  await delivery.settle();
  return us;
}

serve({ setup, deliver }, async () => {
  await delivery?.close();
});
