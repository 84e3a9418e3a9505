/** Liars in a service whose memory grows: only their own connection ends, and the honest pair, which grows meanwhile, does not notice. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  CELL_MAX_LIVE_SEGMENTS,
  CELL_SLOT_BITS,
  CONTROL_SEALS,
  encodeRetire,
  encodeSegment,
  Memfd,
  POOL_SEALS,
  type UnixSocket,
} from 'sealane/internal';
import { Bait, Impostor, SHAPE } from './impostor.test.helper.js';
import { LIAR, Liar } from './liar.test.helper.js';
import { Stage, type StageOptions, untilTrue } from './stage.test.helper.js';

const GROWING: StageOptions = { settings: { payload: 'growing' }, initialBytes: 64 };
const cellOf = (segment: number, slot: number) => segment * 2 ** CELL_SLOT_BITS + slot;

interface Lie {
  readonly what: string;
  /** What the subscriber says of it. */
  readonly told: RegExp;
  readonly tell: (bait: Bait, socket: UnixSocket) => void;
}

const LARGER = { strideBytes: 1_024, maxBytes: 960 };
const LARGER_BYTES = SHAPE.slots * LARGER.strideBytes;

/** Sends the packet of a segment with another descriptor than its own. */
function withDescriptor(bait: Bait, socket: UnixSocket, bytes: number, seals: number): void {
  socket.send(encodeSegment({ segment: 1, ...LARGER }), [bait.memory(bytes, seals)]);
}

const LIES: readonly Lie[] = [
  {
    what: 'sends a sample of a segment that it did not hand out',
    told: /segment 7, which it did not hand out/,
    tell: (bait) => bait.sendCell(cellOf(7, 0)),
  },
  {
    what: 'sends a sample of the last segment that could be',
    told: /segment 1023, which it did not hand out/,
    tell: (bait) => bait.sendCell(cellOf(1_023, 2 ** CELL_SLOT_BITS - 1)),
  },
  {
    what: 'sends a cell beyond all segments',
    told: /can not be/,
    tell: (bait) => bait.sendCell(cellOf(1_024, 0)),
  },
  {
    what: 'sends a slot beyond the last of a segment',
    told: /can not be/,
    tell: (bait, socket) => {
      bait.addSegment(socket, 1, LARGER);
      bait.sendCell(cellOf(1, SHAPE.slots));
    },
  },
  {
    what: 'sends a length beyond the slots of a segment',
    told: /a length that does not fit/,
    tell: (bait, socket) => {
      bait.write(bait.addSegment(socket, 1, LARGER), 0, 2, LARGER.maxBytes + 1);
      bait.sendCell(cellOf(1, 0));
    },
  },
  {
    what: 'hands out a segment that is too small',
    told: /bytes/,
    tell: (bait, socket) => withDescriptor(bait, socket, LARGER_BYTES - 1, POOL_SEALS),
  },
  {
    what: 'hands out a segment that is too large',
    told: /bytes/,
    tell: (bait, socket) => withDescriptor(bait, socket, LARGER_BYTES + 1, POOL_SEALS),
  },
  ...[0, CONTROL_SEALS].map((seals) => ({
    what: `hands out a segment with the seals ${seals}`,
    told: /seal/,
    tell: (bait: Bait, socket: UnixSocket) => withDescriptor(bait, socket, LARGER_BYTES, seals),
  })),
  {
    what: 'hands out a segment that is a socket',
    told: /segment|memfd|memory/,
    tell: (_bait, socket) => socket.send(encodeSegment({ segment: 1, ...LARGER }), [socket.fd]),
  },
  {
    what: 'hands out a segment without a descriptor',
    told: /with 0 descriptors/,
    tell: (_bait, socket) => socket.send(encodeSegment({ segment: 1, ...LARGER })),
  },
  {
    what: 'hands out a segment with two descriptors',
    told: /with 2 descriptors/,
    tell: (bait, socket) => socket.send(encodeSegment({ segment: 1, ...LARGER }), bait.descriptors),
  },
  {
    what: 'hands out a segment for larger samples than the service has',
    told: /slots for 4097 bytes; those of the service are 4096/,
    tell: (bait, socket) => bait.addSegment(socket, 1, { strideBytes: 8_192, maxBytes: 4_097 }),
  },
  {
    what: 'hands out slots without room for their payload',
    told: /no room for 1024 bytes/,
    tell: (bait, socket) => bait.addSegment(socket, 1, { strideBytes: 1_024, maxBytes: 1_024 }),
  },
  {
    what: 'hands out slots that are not aligned',
    told: /not a multiple of 8/,
    tell: (_bait, socket) => socket.send(encodeSegment({ segment: 1, strideBytes: 1_025, maxBytes: 8 })),
  },
  {
    what: 'hands out a segment twice',
    told: /segment 1 twice/,
    tell: (bait, socket) => {
      for (let count = 0; count < 2; count++) bait.addSegment(socket, 1, LARGER);
    },
  },
  {
    what: 'hands out its first segment again',
    told: /segment 0 twice/,
    tell: (bait, socket) => bait.addSegment(socket, 0),
  },
  {
    what: 'hands out more segments than may be',
    told: /more than 64 segments/,
    tell: (bait, socket) => {
      for (let id = 1; id <= CELL_MAX_LIVE_SEGMENTS; id++) bait.addSegment(socket, id, LARGER);
    },
  },
  {
    what: 'hands out a segment whose number can not be',
    told: /segment is 1024/,
    tell: (bait, socket) => bait.addSegment(socket, 1_024, LARGER),
  },
  {
    what: 'retires a segment that it did not hand out',
    told: /retires segment 3/,
    tell: (_bait, socket) => socket.send(encodeRetire(3)),
  },
  {
    what: 'retires a segment twice',
    told: /retires segment 0/,
    tell: (_bait, socket) => {
      for (let count = 0; count < 2; count++) socket.send(encodeRetire(0));
    },
  },
  {
    what: 'retires a segment with a descriptor',
    told: /retires segment 0/,
    tell: (bait, socket) => socket.send(encodeRetire(0), [bait.descriptors[0]]),
  },
  {
    what: 'sends a packet that is none',
    told: /none of this protocol/,
    tell: (_bait, socket) => socket.send(Uint8Array.of(1, 2, 3)),
  },
  {
    what: 'sends a packet that is too long',
    told: /has 33 bytes, not 32/,
    tell: (bait, socket) => {
      const packet = new Uint8Array(100_000);
      packet.set(encodeSegment({ segment: 1, ...LARGER }));
      socket.send(packet, [bait.descriptors[0]]);
    },
  },
  {
    what: 'sends its answer twice',
    told: /has type 2/,
    tell: (bait, socket) => socket.send(bait.answer, bait.descriptors),
  },
  {
    what: 'sends a wake-up with a descriptor',
    told: /none of this protocol/,
    tell: (bait, socket) => socket.send(Uint8Array.of(1), [bait.descriptors[0]]),
  },
];

/** An impostor that is connected, and has sent a sample that arrived. */
async function deceive(t: TestContext, options: StageOptions) {
  const stage = await Stage.make(t, options);
  const impostor = new Impostor(stage.domain);
  const { socket, request } = await impostor.asked();
  const bait = new Bait(request);
  socket.send(bait.answer, bait.descriptors);
  await untilTrue('it is connected', () => stage.subscriber.figures.publishers.length === 2);
  const expose = async (told: RegExp) => {
    await stage.workUntil('the lie is told of', () => stage.lies(stage.subscriberEvents).length > 0);
    assert.match(stage.lies(stage.subscriberEvents).join('\n'), told);
    assert.match(stage.lies(stage.subscriberEvents).join('\n'), new RegExp(impostor.id));
  };
  const end = async () => {
    socket.close();
    bait[Symbol.dispose]();
    impostor[Symbol.dispose]();
    await stage.checkWhole();
  };
  return { stage, socket, bait, expose, end };
}

for (const { what, told, tell } of LIES)
  test(`a publisher that ${what} loses its connection, and nobody else notices`, async (t) => {
    const { stage, socket, bait, expose, end } = await deceive(t, GROWING);
    bait.send(3);
    await stage.work(10);
    tell(bait, socket);
    await expose(told);
    await end();
  });

test('a publisher that retires a segment of which a sample is held loses its connection', async (t) => {
  const { stage, socket, bait, expose, end } = await deceive(t, {
    ...GROWING,
    settings: { payload: 'growing', maxBorrowed: 3 },
  });
  bait.write(bait.addSegment(socket, 1, LARGER), 2, 1, LARGER.maxBytes);
  bait.sendCell(cellOf(1, 2));
  const held = await stage.subscriber.next();
  const view = held.bytes;
  assert.equal(view.length, LARGER.maxBytes);
  socket.send(encodeRetire(1));
  await expose(/retires segment 1, of which a sample is held/);
  assert.equal(view.length, 0);
  held.release();
  await end();
});

test('a publisher that hands out a segment where memory does not grow loses its connection', async (t) => {
  const { socket, bait, expose, end } = await deceive(t, { settings: { payload: 'bounded' } });
  bait.addSegment(socket, 1, LARGER);
  await expose(/a packet that is no wake-up/);
  await end();
});

test('a publisher that begins with another segment where memory does not grow is refused', async (t) => {
  const stage = await Stage.make(t, { settings: { payload: 'bounded' } });
  const text = await refused(stage, (bait) => bait.answer.set([1], 28));
  assert.match(text, /segment 1 in a service whose memory does not grow/);
  await stage.checkWhole();
});

test('where samples have a fixed size, publishers of another are refused, and samples of another are lies', async (t) => {
  for (const maxBytes of [SHAPE.maxBytes - 1, SHAPE.maxBytes + 1]) {
    const stage = await Stage.make(t, { settings: { payload: 'fixed', maxBytes } });
    const text = await refused(stage, () => undefined);
    assert.match(text, new RegExp(`slots for 192 bytes; those of the service are ${maxBytes}`));
  }
  for (const bytes of [0, SHAPE.maxBytes - 1, SHAPE.maxBytes + 1]) {
    const { stage, bait, socket } = await deceive(t, {
      settings: { payload: 'fixed', maxBytes: SHAPE.maxBytes },
    });
    bait.send(3, 1, bytes);
    assert.equal(stage.subscriber.receive(), undefined);
    assert.match(stage.lies(stage.subscriberEvents).join(), /^$/);
    await untilTrue('the lie is told of', () => stage.lies(stage.subscriberEvents).length > 0);
    assert.match(stage.lies(stage.subscriberEvents).join(), /a length that does not fit/);
    socket.close();
    bait[Symbol.dispose]();
  }
});

/** An impostor that answers so is refused; what the subscriber says of it. */
async function refused(stage: Stage, change: (bait: Bait) => void): Promise<string> {
  using impostor = new Impostor(stage.domain);
  const { socket, request } = await impostor.asked();
  using bait = new Bait(request);
  change(bait);
  socket.send(bait.answer, bait.descriptors);
  const texts = () =>
    stage.subscriberEvents.flatMap((event) => (event.type === 'degraded' ? [event.error.message] : []));
  await untilTrue('it is refused', () => texts().length > 0);
  socket.close();
  return texts().join();
}

test('a publisher that sends a sample of a segment that it retired loses its connection', async (t) => {
  const { stage, socket, bait, expose, end } = await deceive(t, GROWING);
  socket.send(encodeRetire(0));
  await stage.workUntil('it is read', () => socket.unread === 0);
  bait.send(5);
  await expose(/segment 0, which it did not hand out/);
  await end();
});

test('segments that come and go ten thousand times leave nothing', async (t) => {
  const { stage, socket, bait, end } = await deceive(t, GROWING);
  const memory = bait.addSegment(socket, 1, LARGER);
  for (let round = 0; round < 10_000; round++) {
    socket.send(encodeRetire(1));
    socket.send(encodeSegment({ segment: 1, ...SHAPE, ...LARGER }), [memory.descriptor]);
    if (round % 50 === 0) await stage.work(10);
    await untilTrue('it is read', () => socket.unread === 0);
  }
  assert.deepEqual(stage.lies(stage.subscriberEvents), []);
  await end();
});

interface SubscriberLie {
  readonly what: string;
  readonly told: RegExp;
  readonly tell: (liar: Liar) => void;
}

const SUBSCRIBER_LIES: readonly SubscriberLie[] = [
  {
    what: 'gives back a slot of a segment that it was not handed',
    told: /slot 0, which it does not have/,
    tell: (liar) => liar.complete(cellOf(900, 0)),
  },
  {
    what: 'gives back the same slot of another segment',
    told: /which it does not have/,
    tell: (liar) => liar.complete((liar.take() ?? 0) ^ cellOf(512, 0)),
  },
  {
    what: 'gives back a slot beyond the last',
    told: /which it does not have/,
    tell: (liar) => liar.complete(liar.answer.shape.slots),
  },
  {
    what: 'gives back a cell beyond all segments',
    told: /a slot that never was/,
    tell: (liar) => liar.complete(cellOf(1_024, 0)),
  },
  {
    what: 'hands out a segment itself',
    told: /a packet that is no wake-up/,
    tell: (liar) => {
      using memfd = Memfd.create('unasked', 1);
      liar.socket.send(encodeSegment({ segment: 1, ...LARGER }), [memfd.fd]);
    },
  },
  {
    what: 'retires a segment',
    told: /a packet that is no wake-up/,
    tell: (liar) => liar.socket.send(encodeRetire(0)),
  },
];

for (const { what, told, tell } of SUBSCRIBER_LIES)
  test(`a subscriber that ${what} loses its connection, and nobody else notices`, async (t) => {
    const stage = await Stage.make(t, GROWING);
    using liar = await Liar.connect(stage);
    await stage.work(3);
    tell(liar);
    await stage.workUntil('the lie is told of', () => stage.lies(stage.publisherEvents).length > 0);
    assert.match(stage.lies(stage.publisherEvents).join('\n'), told);
    assert.match(stage.lies(stage.publisherEvents).join('\n'), new RegExp(LIAR));
    liar[Symbol.dispose]();
    await stage.checkWhole();
  });

test('a subscriber that holds samples of old segments for ever, and reads nothing, costs others nothing', async (t) => {
  const stage = await Stage.make(t, GROWING);
  using liar = await Liar.connect(stage);
  await stage.work(1);
  liar.take();
  await stage.work(2_000);
  assert.deepEqual(stage.lies(stage.publisherEvents), []);
  assert.ok(stage.publisher.figures.segments >= 2);
  liar[Symbol.dispose]();
  await stage.workUntil('its memory has come back', () => stage.publisher.figures.segments === 1);
  await stage.checkWhole();
});
