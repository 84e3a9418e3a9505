// A consumer that watches the delivery's name, maps each object, and looks at every byte of it.
import { connect } from 'sealane';
import { READY } from '../../peers/node/children.js';
import { Pass } from '../../peers/node/pass.js';
import { DELIVERY_NAME } from './bus.js';

const bus = await connect({ socket: process.argv[2] ?? '' });
process.once('disconnect', () => process.exit(0));
const arrivals = bus
  .watch(DELIVERY_NAME, { every: true, existing: false, literal: true })
  [Symbol.asyncIterator]();
let next = arrivals.next();
// The broker answers in order: once it has answered this, it knows of the watch.
await bus.status();
process.send?.(READY);
for (;;) {
  const arrival = await next;
  if (arrival.done === true) break;
  process.send?.(new Pass().take(arrival.value.bytes));
  arrival.value.close();
  next = arrivals.next();
}
