// The client process of the memory measurement: fills the broker with small named objects and empties it again.
import { type Bus, connect } from 'sealane';
import { serve } from '../harness/station.js';

let bus: Bus | undefined;
let ids: number[] = [];

function connected(): Bus {
  if (bus === undefined) throw new Error('call open first');
  return bus;
}

/** Answers how many objects the broker has room for. */
async function open({ socket }: { socket: string }): Promise<number> {
  bus = await connect({ socket });
  return (await bus.status()).limits.maxObjects;
}

async function fill({ count, size }: { count: number; size: number }): Promise<void> {
  const bytes = new Uint8Array(size).fill(0x5a);
  for (let index = 0; index < count; index++) {
    const info = await connected().put(bytes, { name: `bench/object-${index}` });
    ids.push(info.id);
  }
}

async function empty(): Promise<void> {
  for (const id of ids) await connected().drop(id);
  ids = [];
}

serve({ open, fill, empty }, async () => {
  await bus?.close();
});
