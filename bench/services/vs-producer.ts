// The producer's process, one for each way: writes every byte of each payload, delivers it to one consumer in another
// process, and times both until the consumer's answer that it has looked at every byte.
import { serve } from '../harness/station.js';
import { ChildDelivery } from '../peers/node/child.js';
import type { Consumers } from '../peers/node/children.js';
import type { Delivery } from '../peers/node/delivery.js';
import { writePayload } from '../peers/node/pass.js';
import { SocketDelivery } from '../peers/node/socket.js';
import { ZeromqDelivery } from '../peers/node/zeromq.js';
import { ours } from './ours/index.js';
import type { Exchange } from './sides.js';
import type { Batch, Setup } from './vs-ways.js';

let exchange: Exchange | undefined;
let rounds = 0;

/** A peer sends from ordinary memory, the same for every round of a size. */
function exchangeOver(delivery: Delivery): Exchange {
  let payload = new Uint8Array(0);
  return {
    deliver: async (size, write) => {
      if (payload.byteLength !== size) payload = new Uint8Array(size);
      write(payload);
      return delivery.deliver(payload);
    },
    close: () => delivery.close(),
  };
}

async function start({ way, core }: Setup): Promise<Exchange> {
  const consumers: Consumers = { count: 1, core };
  switch (way) {
    case 'sealane':
      if (ours.exchange === undefined) throw new Error('our side is not there');
      return ours.exchange(consumers);
    case 'child_process':
      return exchangeOver(await ChildDelivery.start(consumers));
    case 'net':
      return exchangeOver(await SocketDelivery.start(consumers, 'whole'));
    case 'zeromq':
      return exchangeOver(await ZeromqDelivery.start(consumers));
  }
}

async function setup(input: Setup): Promise<void> {
  exchange = await start(input);
}

/** Microseconds of each delivery, writing included. */
async function deliver({ size, count }: Batch): Promise<number[]> {
  if (exchange === undefined) throw new Error('call setup first');
  const samplesUs: number[] = [];
  for (let index = 0; index < count; index++) {
    const value = ++rounds;
    const start = performance.now();
    const [seen] = await exchange.deliver(size, (into) => writePayload(into, value));
    samplesUs.push((performance.now() - start) * 1000);
    if (seen !== size) throw new Error(`the consumer saw ${seen} of ${size} bytes`);
  }
  return samplesUs;
}

serve({ setup, deliver }, async () => {
  await exchange?.close();
});
