// Publishers of buffers that lie: their own connection ends, with a typed error, and whatever descriptors they sent are closed.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type BufferSubscriber, bytesMetadata, type Node, type SealaneErrorCode, WaitSet } from 'sealane';
import { Domain, encodeBuffer, encodeDescriptors, type UnixSocket } from 'sealane/internal';
import { Bait, Impostor, SHAPE } from '../services/impostor.test.helper.js';
import { Stage, until } from '../services/nodes.test.helper.js';
import { marksOpen, plane } from './marks.test.helper.js';

type Kind = 'descriptors' | 'pool';

/** A subscriber of buffers that an impostor has accepted as a publisher of that kind. */
async function deceive(t: TestContext, kind: Kind, delivery = kind === 'pool' ? 2 : 1) {
  const stage = new Stage(t);
  const node: Node = await stage.node();
  const service = await node.service('stage').publishSubscribe();
  const impostor = new Impostor(Domain.open({ directory: stage.directory }));
  const ends: string[] = [];
  void (async () => {
    for await (const event of service.events())
      if (event.type === 'degraded' || event.type === 'lost') ends.push(event.error?.message ?? 'an end');
  })();
  const subscriber = await service.bufferSubscriber<Uint8Array>({ metadata: bytesMetadata });
  const { socket, request } = await impostor.asked();
  const bait = new Bait(request);
  bait.answer.set([delivery], 56);
  socket.send(bait.answer, bait.descriptors);
  t.after(() => {
    socket.close();
    bait[Symbol.dispose]();
    impostor[Symbol.dispose]();
  });
  return { subscriber, socket, bait, ends };
}

interface Lie {
  readonly what: string;
  readonly kind: Kind;
  readonly code: SealaneErrorCode | undefined;
  readonly told: RegExp;
  tell(bait: Bait, socket: UnixSocket, fds: readonly number[]): void;
}

const frame = (socket: UnixSocket, token: number, fds: readonly number[], count = fds.length) =>
  socket.send(encodeDescriptors({ token, count }), fds);
const buffer = (socket: UnixSocket, index: number, fds: readonly number[], count = fds.length) =>
  socket.send(encodeBuffer({ index, count }), fds);

const LIES: readonly Lie[] = [
  {
    what: 'sends a frame without its descriptors',
    kind: 'descriptors',
    code: 'ERR_SEALANE_MISSING_DESCRIPTOR',
    told: /frame 1 came without its descriptors/,
    tell: (bait) => bait.send(0, 1),
  },
  {
    what: 'sends the descriptors of a later frame',
    kind: 'descriptors',
    code: 'ERR_SEALANE_TOKEN_MISMATCH',
    told: /frame 1 came with the descriptors of 2/,
    tell: (bait, socket, fds) => {
      frame(socket, 2, fds.slice(0, 1));
      bait.send(0, 1);
    },
  },
  {
    what: 'sends the descriptors of an earlier frame only',
    kind: 'descriptors',
    code: 'ERR_SEALANE_MISSING_DESCRIPTOR',
    told: /frame 5 came without its descriptors; the last that came are of 4/,
    tell: (bait, socket, fds) => {
      frame(socket, 4, fds.slice(0, 1));
      bait.send(0, 5);
    },
  },
  {
    what: 'sends a token twice',
    kind: 'descriptors',
    code: 'ERR_SEALANE_TOKEN_MISMATCH',
    told: /frame 3 follows 3/,
    tell: (_bait, socket, fds) => {
      for (let count = 0; count < 2; count++) frame(socket, 3, fds.slice(0, 1));
    },
  },
  {
    what: 'sends fewer descriptors than it states',
    kind: 'descriptors',
    code: undefined,
    told: /1 descriptors come where 2 are stated/,
    tell: (_bait, socket, fds) => frame(socket, 1, fds.slice(0, 1), 2),
  },
  {
    what: 'states more descriptors than a frame has',
    kind: 'descriptors',
    code: undefined,
    told: /count is 5/,
    tell: (_bait, socket, fds) => frame(socket, 1, fds, 5),
  },
  {
    what: 'states no descriptors',
    kind: 'descriptors',
    code: undefined,
    told: /count is 0/,
    tell: (_bait, socket) => frame(socket, 1, [], 0),
  },
  {
    what: 'sends the buffer of a pool that it does not have',
    kind: 'descriptors',
    code: undefined,
    told: /no wake-up/,
    tell: (_bait, socket, fds) => buffer(socket, 0, fds.slice(0, 1)),
  },
  {
    what: 'sends a frame in a buffer that did not come',
    kind: 'pool',
    code: 'ERR_SEALANE_MISSING_DESCRIPTOR',
    told: /frame 1 is in buffer 2, whose descriptors did not come/,
    tell: (bait, socket, fds) => {
      buffer(socket, 1, fds.slice(0, 2));
      bait.send(2, 1);
    },
  },
  {
    what: 'sends a buffer twice',
    kind: 'pool',
    code: undefined,
    told: /buffer 1 of a pool comes twice/,
    tell: (_bait, socket, fds) => {
      for (let count = 0; count < 2; count++) buffer(socket, 1, fds.slice(0, 4));
    },
  },
  {
    what: 'sends a buffer beyond its slots',
    kind: 'pool',
    code: undefined,
    told: new RegExp(`index is ${SHAPE.slots}`),
    tell: (_bait, socket, fds) => buffer(socket, SHAPE.slots, fds.slice(0, 1)),
  },
  {
    what: 'sends descriptors of frames beside its pool',
    kind: 'pool',
    code: undefined,
    told: /no wake-up/,
    tell: (_bait, socket, fds) => frame(socket, 1, fds.slice(0, 1)),
  },
];

/** Receives until something is thrown, or the connection has ended; the code. */
async function exposed(
  subscriber: BufferSubscriber<Uint8Array>,
  ends: string[],
): Promise<string | undefined> {
  let code: string | undefined;
  await until(() => {
    try {
      subscriber.receive()?.release();
    } catch (error) {
      code = (error as { code: string }).code;
    }
    return ends.length > 0;
  });
  return code;
}

for (const { what, kind, code, told, tell } of LIES)
  test(`a publisher that ${what} loses its connection, and its descriptors are closed`, async (t) => {
    const { subscriber, socket, bait, ends } = await deceive(t, kind);
    await subscriber.connected();
    const memfd = plane(1, 2, 3);
    tell(bait, socket, Array(5).fill(memfd.fd));
    memfd.close();
    const found = await exposed(subscriber, ends);
    assert.match(ends.join('\n'), told);
    if (code !== undefined) assert.equal(found, code);
    assert.equal(subscriber.receive(), undefined, 'it goes on');
    await until(() => marksOpen() === 0);
  });

for (const delivery of [0, 3])
  test(`a publisher that says it delivers ${delivery} is refused by a subscriber of buffers`, async (t) => {
    const { subscriber, ends } = await deceive(t, 'descriptors', delivery);
    await until(() => ends.length > 0);
    assert.match(ends.join('\n'), delivery === 0 ? /nothing beside samples/ : /delivery is 3/);
    assert.deepEqual(subscriber.figures.publishers, []);
  });

test('surplus descriptors are closed, and the frame arrives with its own', async (t) => {
  const { subscriber, socket, bait } = await deceive(t, 'descriptors');
  await subscriber.connected();
  const memfd = plane(1, 2, 3);
  frame(socket, 1, Array(5).fill(memfd.fd), 2);
  memfd.close();
  bait.send(0, 1);
  const received = await subscriber.next();
  assert.equal(received.descriptors.length, 2);
  await until(() => marksOpen() === 2);
  received.release();
  await until(() => marksOpen() === 0);
});

test('a publisher that sends descriptors without end and no frame costs no more than those that could wait', async (t) => {
  const { subscriber, socket } = await deceive(t, 'descriptors');
  await subscriber.connected();
  const memfd = plane(1, 2, 3);
  for (let token = 1; token <= 2_000; token++) {
    frame(socket, token, Array(4).fill(memfd.fd));
    await until(() => socket.unread === 0);
    await until(() => marksOpen() <= 1 + 4 * 5);
  }
  memfd.close();
  assert.equal(subscriber.receive(), undefined);
  subscriber.close();
  await until(() => marksOpen() === 0);
});

test('a thread that waits in a WaitSet is told of a lie, although no frame came with it', async (t) => {
  const { subscriber, socket } = await deceive(t, 'descriptors');
  await subscriber.connected();
  using set = new WaitSet();
  const attached = set.attach(subscriber);
  assert.deepEqual(set.wait({ timeoutMs: 0 }), []);
  const memfd = plane(1, 2, 3);
  for (let count = 0; count < 2; count++) frame(socket, 3, [memfd.fd]);
  memfd.close();
  assert.deepEqual(set.wait(), [{ type: 'port', attachment: attached, unread: false }]);
  assert.throws(() => subscriber.receive(), { code: 'ERR_SEALANE_TOKEN_MISMATCH' });
  assert.deepEqual(set.wait({ timeoutMs: 200 }), [], 'it was told');
});
