/** Publishers that lie: what they hand out is refused, or their connection ends, and the honest pair of the same service goes on. */
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { type TestContext, test } from 'node:test';
import type { Sample, ServiceEvent } from 'sealane';
import {
  BLOB_SEALS,
  CHANNEL_HEAD_AT,
  CONTROL_SEALS,
  encodeRefused,
  POOL_SEALS,
  SEAL_GROW,
  SEAL_SHRINK,
  UnixSocket,
} from 'sealane/internal';
import { type Asker, Bait, Impostor, SHAPE } from './impostor.test.helper.js';
import { Stage, untilTrue } from './stage.test.helper.js';

const HEAD = CHANNEL_HEAD_AT / 4;

/** Errors by which the subscriber's service said that it can't connect to a node. */
function degraded(events: readonly ServiceEvent[], node: string): string[] {
  return events.flatMap((event) =>
    event.type === 'degraded' && event.peer.node === node
      ? [`${event.error.code}: ${event.error.message}`]
      : [],
  );
}

/** An impostor answers the honest subscriber; what it may not, the subscriber says. */
async function answering(
  t: TestContext,
  expected: RegExp,
  reply: (asker: Asker, bait: Bait) => void,
): Promise<void> {
  const stage = await Stage.make(t);
  const impostor = new Impostor(stage.domain);
  const asker = await impostor.asked();
  const bait = new Bait(asker.request);
  reply(asker, bait);
  await stage.workUntil(
    'the impostor is told of',
    () => degraded(stage.subscriberEvents, impostor.id).length > 0,
  );
  assert.match(degraded(stage.subscriberEvents, impostor.id).join('\n'), expected);
  asker.socket.close();
  bait[Symbol.dispose]();
  impostor[Symbol.dispose]();
  await stage.checkWhole();
}

const offer = ({ socket }: Asker, bait: Bait, descriptors: readonly number[]) =>
  assert.equal(socket.send(bait.answer, descriptors), 'sent');

const SLOT_BYTES = SHAPE.slots * SHAPE.strideBytes;

test('an answer that is none is refused', async (t) => {
  await answering(t, /ERR_SEALANE_PROTOCOL/, ({ socket }) => socket.send(Uint8Array.of(1, 2, 3)));
});

test('an answer of another version is refused as that', async (t) => {
  await answering(t, /ERR_SEALANE_VERSION_MISMATCH/, ({ socket }, { answer, descriptors }) => {
    answer[4] = 2;
    socket.send(answer, descriptors);
  });
});

test('an answer that is too short or too long is refused', async (t) => {
  for (const length of [1, 8, 63, 65, 1_023, 1_024, 1_025, 100_000])
    await answering(t, /ERR_SEALANE_PROTOCOL/, ({ socket }, { answer, descriptors }) => {
      const packet = new Uint8Array(length);
      packet.set(answer.subarray(0, length));
      socket.send(packet, descriptors);
    });
});

test('an acceptance with another number of descriptors is refused', async (t) => {
  for (const count of [0, 1, 3, 5])
    await answering(t, /ERR_SEALANE_PROTOCOL.*descriptors/, (asker, bait) => {
      const [slots, control] = bait.descriptors;
      offer(asker, bait, [slots, control, slots, control, slots].slice(0, count));
    });
});

test('a refusal with descriptors costs none', async (t) => {
  await answering(t, /a publisher refuses/, ({ socket }, bait) => {
    socket.send(encodeRefused('exhausted', 'no'), bait.descriptors);
  });
});

test('shapes that can not be are refused', async (t) => {
  const changes: readonly [number, number][] = [
    [8, 0],
    [8, 2 ** 20 + 1],
    [12, 8],
    [12, 3],
    [16, 8],
    [16, 0],
    [20, 70_000],
    [24, 63],
    [24, 2 ** 31],
    [32, 0],
    [36, 512],
    [32, 257],
    [40, 193],
    [44, 1],
  ];
  for (const [at, value] of changes)
    await answering(t, /ERR_SEALANE_PROTOCOL/, (asker, bait) => {
      new DataView(bait.answer.buffer, bait.answer.byteOffset).setUint32(at, value, true);
      offer(asker, bait, bait.descriptors);
    });
});

test('memory that is too small for what was said is refused', async (t) => {
  await answering(t, /ERR_SEALANE_SIZE_MISMATCH/, (asker, bait) => {
    offer(asker, bait, [bait.memory(SLOT_BYTES - 1, POOL_SEALS), bait.descriptors[1]]);
  });
  await answering(t, /ERR_SEALANE_SIZE_MISMATCH/, (asker, bait) => {
    offer(asker, bait, [bait.descriptors[0], bait.memory(bait.control.size - 1, CONTROL_SEALS)]);
  });
  await answering(t, /ERR_SEALANE_/, (asker, bait) => {
    offer(asker, bait, [bait.descriptors[1], bait.descriptors[0]]);
  });
});

test('memory without the seals that make it safe is refused', async (t) => {
  for (const seals of [0, CONTROL_SEALS, SEAL_GROW | SEAL_SHRINK])
    await answering(t, /ERR_SEALANE_NOT_SEALED/, (asker, bait) => {
      offer(asker, bait, [bait.memory(SLOT_BYTES, seals), bait.descriptors[1]]);
    });
  for (const seals of [0, SEAL_GROW, SEAL_GROW | SEAL_SHRINK])
    await answering(t, /ERR_SEALANE_NOT_SEALED/, (asker, bait) => {
      offer(asker, bait, [bait.descriptors[0], bait.memory(bait.control.size, seals)]);
    });
});

test('control memory that may not be written is refused', async (t) => {
  for (const seals of [POOL_SEALS, BLOB_SEALS])
    await answering(t, /ERR_SEALANE_/, (asker, bait) => {
      offer(asker, bait, [bait.descriptors[0], bait.memory(bait.control.size, seals)]);
    });
});

test('descriptors of anything else are refused', async (t) => {
  const [one, other] = UnixSocket.pair();
  const file = openSync(tmpdir(), 'r');
  const device = openSync('/dev/zero', 'r+');
  t.after(() => {
    one.close();
    other.close();
    closeSync(file);
    closeSync(device);
  });
  for (const fd of [one.fd, file, device]) {
    await answering(t, /ERR_SEALANE_/, (asker, bait) => offer(asker, bait, [fd, bait.descriptors[1]]));
    await answering(t, /ERR_SEALANE_/, (asker, bait) => offer(asker, bait, [bait.descriptors[0], fd]));
  }
});

test('an impostor that hangs up, or never answers, costs nobody anything', async (t) => {
  const stage = await Stage.make(t);
  const impostor = new Impostor(stage.domain);
  for (let count = 0; count < 5; count++) (await impostor.asked()).socket.close();
  const silent = await impostor.asked();
  await stage.work(500);
  silent.socket.close();
  impostor[Symbol.dispose]();
  await stage.checkWhole();
});

interface RingLie {
  readonly what: string;
  /** What the subscriber says of it. */
  readonly told: RegExp;
  readonly tell: (bait: Bait, socket: UnixSocket) => void;
}

const LIES: readonly RingLie[] = [
  { what: 'sends a slot beyond the last', told: /can not be/, tell: (bait) => bait.send(SHAPE.slots) },
  { what: 'sends a negative slot', told: /can not be/, tell: (bait) => bait.send(-1) },
  { what: 'sends the greatest slot', told: /can not be/, tell: (bait) => bait.send(2 ** 31 - 1) },
  {
    what: 'moves the tail far ahead',
    told: /can not be/,
    tell: (bait) => Atomics.store(bait.words, bait.tail, 1_000),
  },
  {
    what: 'moves the tail backwards',
    told: /can not be/,
    tell: (bait) => Atomics.store(bait.words, bait.tail, -1),
  },
  {
    what: 'moves the head beyond the tail',
    told: /can not be/,
    tell: (bait) => Atomics.store(bait.words, HEAD, 2),
  },
  {
    what: 'sends a length beyond the slot',
    told: /a length that does not fit/,
    tell: (bait) => bait.send(0, 1, SHAPE.maxBytes + 1),
  },
  {
    what: 'sends a length beyond all memory',
    told: /a length that does not fit/,
    tell: (bait) => bait.send(0, 1, Number.MAX_SAFE_INTEGER),
  },
  {
    what: 'sends wake-ups that nobody asked for',
    told: /wake-ups that nobody asked for/,
    tell: (_bait, socket) => {
      for (let count = 0; count < 100; count++) socket.wake();
    },
  },
  {
    what: 'sends a packet of its own',
    told: /a packet that is no wake-up/,
    tell: (_bait, socket) => socket.send(new Uint8Array(64)),
  },
  {
    what: 'sends its answer twice',
    told: /a packet that is no wake-up/,
    tell: (bait, socket) => socket.send(bait.answer, bait.descriptors),
  },
];

for (const { what, told, tell } of LIES)
  test(`a publisher that ${what} loses its connection, and nobody else notices`, async (t) => {
    const stage = await Stage.make(t);
    const impostor = new Impostor(stage.domain);
    const { socket, request } = await impostor.asked();
    const bait = new Bait(request);
    socket.send(bait.answer, bait.descriptors);
    await untilTrue('it is connected', () => stage.subscriber.figures.publishers.length === 2);
    bait.send(3);
    await stage.work(10);
    tell(bait, socket);
    await stage.workUntil('the lie is told of', () => stage.lies(stage.subscriberEvents).length > 0);
    assert.match(stage.lies(stage.subscriberEvents).join('\n'), told);
    assert.match(stage.lies(stage.subscriberEvents).join('\n'), new RegExp(impostor.id));
    socket.close();
    bait[Symbol.dispose]();
    impostor[Symbol.dispose]();
    await stage.checkWhole();
  });

async function nextOf(stage: Stage, bait: Bait, slot: number): Promise<Sample> {
  bait.send(slot, 2);
  return await stage.subscriber.next();
}

test('a publisher that sends a slot again while it is held loses its connection', async (t) => {
  const stage = await Stage.make(t, { settings: { maxBorrowed: 3 } });
  const impostor = new Impostor(stage.domain);
  const { socket, request } = await impostor.asked();
  const bait = new Bait(request);
  socket.send(bait.answer, bait.descriptors);
  await untilTrue('it is connected', () => stage.subscriber.figures.publishers.length === 2);
  bait.send(3);
  const [held, unread] = [await stage.subscriber.next(), await nextOf(stage, bait, 5)];
  const kept = held.bytes;
  assert.equal(kept.length, 16);
  bait.send(3, 3);
  await stage.workUntil('the lie is told of', () => stage.lies(stage.subscriberEvents).length > 0);
  assert.match(stage.lies(stage.subscriberEvents).join('\n'), /slot 3 twice/);
  assert.equal(kept.length, 0);
  for (const sample of [held, unread]) {
    assert.throws(() => sample.bytes, { code: 'ERR_SEALANE_CLOSED' });
    assert.throws(() => sample.header, { code: 'ERR_SEALANE_CLOSED' });
    sample.release();
  }
  socket.close();
  bait[Symbol.dispose]();
  impostor[Symbol.dispose]();
  await stage.checkWhole();
});

test('a publisher that hangs up and then changes its ring leaves nothing behind', async (t) => {
  const stage = await Stage.make(t);
  const impostor = new Impostor(stage.domain);
  const { socket, request } = await impostor.asked();
  const bait = new Bait(request);
  socket.send(bait.answer, bait.descriptors);
  await untilTrue('it is connected', () => stage.subscriber.figures.publishers.length === 2);
  bait.send(3);
  impostor[Symbol.dispose]();
  socket.close();
  await untilTrue('the end is noticed', () =>
    stage.subscriberEvents.some((event) => event.type === 'departed' && event.node === impostor.id),
  );
  Atomics.store(bait.words, HEAD, 1);
  bait[Symbol.dispose]();
  await stage.checkWhole();
});
