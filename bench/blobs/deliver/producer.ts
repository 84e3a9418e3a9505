// The producer's process, one for each way of delivering: holds the payloads and times deliveries.
import { serve } from '../../harness/station.js';
import { makePayload } from '../pass.js';
import { BusDelivery } from './bus.js';
import { ChildDelivery } from './child.js';
import { SocketDelivery } from './socket.js';
import type { Delivery, Setup } from './ways.js';
import { WorkerDelivery } from './worker.js';

let delivery: Delivery | undefined;
const payloads = new Map<number, Uint8Array>();

function payloadOf(size: number): Uint8Array {
  const payload = payloads.get(size) ?? makePayload(size);
  payloads.set(size, payload);
  return payload;
}

function start({ way, consumers, socket }: Setup): Promise<Delivery> {
  switch (way) {
    case 'bus':
      return BusDelivery.start(consumers, socket);
    case 'child':
      return ChildDelivery.start(consumers);
    case 'socket':
      return SocketDelivery.start(consumers, 'whole');
    case 'stream':
      return SocketDelivery.start(consumers, 'pieces');
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
