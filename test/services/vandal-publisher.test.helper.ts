/**
 * A process that is a publisher and writes random values all over the memory that it shares with each subscriber, without end. Says how
 * often a subscriber hung up. Arguments: the directory, a seed.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { Domain, type UnixSocket } from 'sealane/internal';
import { Bait, Impostor } from './impostor.test.helper.js';
import { randomFrom, scribble } from './payload.test.helper.js';

const [, , directory = '', seed = '1'] = process.argv;
const random = randomFrom(Number(seed));
const impostor = new Impostor(Domain.open({ directory }));
const buffer = new Uint8Array(100);

function hungUp(socket: UnixSocket): boolean {
  try {
    if (random() < 0.1) socket.wake();
    return socket.receive(buffer) === 'end';
  } catch {
    return true;
  }
}

process.once('disconnect', () => process.exit());
for (;;) {
  const { socket, request } = await impostor.asked();
  using bait = new Bait(request);
  socket.send(bait.answer, bait.descriptors);
  const slots = new Int32Array(bait.slots.buffer);
  // Something honest first, so that the subscriber has taken from it when the lies begin.
  for (const slot of [0, 1]) bait.send(slot, slot + 1);
  do {
    await turn();
    scribble(random, bait.words);
    scribble(random, slots);
  } while (!hungUp(socket));
  socket.close();
  process.send?.('hung up');
}
