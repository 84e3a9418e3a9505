// What a hostile publisher can hand over instead of memory, and how it can keep a subscriber busy: the subscriber says what it was, and goes on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { BufferPublisher, DescriptorKind, PubSubService, ServiceOptions } from 'sealane';
import {
  BLOB_SEALS,
  CELL_SLOT_BITS,
  CONTROL_SEALS,
  Domain,
  encodeBuffer,
  encodeDescriptors,
  encodeRetire,
  encodeSegment,
  Memfd,
  POOL_SEALS,
  SEAL_GROW,
  SEAL_SEAL,
  SEAL_SHRINK,
  SEAL_WRITE,
  UnixSocket,
} from 'sealane/internal';
import { type HostileFile, hostileFile } from '../helpers/fuse.js';
import { Bait, Impostor } from '../services/impostor.test.helper.js';
import { type Peer, Stage, until } from '../services/nodes.test.helper.js';
import { drain, type Mark, marksOpen, plane, sendMarked } from './marks.test.helper.js';

const script = '../buffers/peer.test.helper.js';

/** Ends a test whose subscriber is blocked. */
const WATCHDOG = { timeout: 40_000 };

interface DeceiveOptions {
  readonly allow?: DescriptorKind | undefined;
  readonly settings?: ServiceOptions;
}

/** An impostor, and a subscriber in a process of its own that is connected to it. */
async function deceive(t: TestContext, delivery: 1 | 2, options: DeceiveOptions = {}) {
  const stage = new Stage(t);
  const service = await stage.service(options.settings ?? {}, 'stage');
  const impostor = new Impostor(Domain.open({ directory: stage.directory }));
  const peer = stage.peer('tell', { script, service: 'stage', ...options });
  const { socket, request } = await impostor.asked();
  const bait = new Bait(request);
  bait.answer.set([delivery], 56);
  t.after(() => {
    socket.close();
    bait[Symbol.dispose]();
    impostor[Symbol.dispose]();
  });
  return { service, peer, socket, bait };
}

/** An honest publisher reaches the subscriber. */
async function isServed(service: PubSubService, peer: Peer): Promise<void> {
  const publisher = await service.bufferPublisher<Mark>();
  await publisher.connected();
  sendMarked(publisher, { sender: 1, frame: 1, planes: 1 });
  for (let line = await peer.line(); line !== '1'; line = await peer.line());
}

type Hands = Awaited<ReturnType<typeof deceive>> & { readonly fd: number };

/** Wakes the subscriber, if it sleeps. */
const wake = (socket: UnixSocket) => socket.send(Uint8Array.of(1));

/** How a file comes whose close waits for its maker, and what the subscriber says of it. */
const WAYS: readonly {
  readonly what: string;
  readonly delivery?: 2;
  readonly allow?: DescriptorKind;
  readonly says?: string;
  give(hands: Hands): void;
}[] = [
  {
    what: 'as the slots of a pair',
    give: ({ socket, bait, fd }) => socket.send(bait.answer, [fd, bait.descriptors[1]]),
  },
  {
    what: 'as the control memory of a pair',
    give: ({ socket, bait, fd }) => socket.send(bait.answer, [bait.descriptors[0], fd]),
  },
  {
    what: 'as the descriptor of a frame',
    says: 'ERR_SEALANE_WRONG_DESCRIPTOR 1',
    give({ socket, bait, fd }) {
      socket.send(bait.answer, bait.descriptors);
      socket.send(encodeDescriptors({ token: 1, count: 1 }), [fd]);
      bait.send(0, 1, 0);
      wake(socket);
    },
  },
  {
    what: 'as the descriptor of a frame where any are allowed',
    allow: 'any',
    says: '1',
    give({ socket, bait, fd }) {
      socket.send(bait.answer, bait.descriptors);
      socket.send(encodeDescriptors({ token: 1, count: 1 }), [fd]);
      new Uint8Array(bait.slots.buffer).set(Buffer.from('{}'), 64);
      bait.send(0, 1, 2);
      wake(socket);
    },
  },
  {
    what: 'as a surplus descriptor',
    give({ socket, bait, fd }) {
      socket.send(bait.answer, bait.descriptors);
      socket.send(encodeDescriptors({ token: 1, count: 1 }), [bait.memory(8, CONTROL_SEALS), fd]);
    },
  },
  {
    what: 'without a frame, before the connection ends',
    allow: 'any',
    give({ socket, bait, fd }) {
      socket.send(bait.answer, bait.descriptors);
      socket.send(encodeDescriptors({ token: 1, count: 1 }), [fd]);
      socket.close();
    },
  },
  {
    what: 'with a packet that is none',
    give({ socket, bait, fd }) {
      socket.send(bait.answer, bait.descriptors);
      socket.send(Uint8Array.of(1, 2, 3), [fd]);
    },
  },
  {
    what: 'with a wake-up',
    give({ socket, bait, fd }) {
      socket.send(bait.answer, bait.descriptors);
      socket.send(Uint8Array.of(1), [fd]);
    },
  },
  {
    what: 'as the buffer of a pool',
    delivery: 2,
    says: 'ERR_SEALANE_WRONG_DESCRIPTOR 1',
    give({ socket, bait, fd }) {
      socket.send(bait.answer, bait.descriptors);
      socket.send(encodeBuffer({ index: 0, count: 1 }), [fd]);
      bait.send(0, 1, 0);
      wake(socket);
    },
  },
];

for (const { what, delivery = 1, allow, says, give } of WAYS)
  test(
    `a file whose close waits for its maker, sent ${what}, keeps no subscriber waiting`,
    WATCHDOG,
    async (t) => {
      const hostile: HostileFile | undefined = await hostileFile(t);
      if (hostile === undefined) return t.skip('no FUSE file system can be mounted here');
      const hands = await deceive(t, delivery, { allow });
      give({ ...hands, fd: hostile.open() });
      if (says !== undefined) {
        assert.equal(await hands.peer.line(), '"connected"');
        assert.equal(JSON.parse(await hands.peer.line()), says.length === 1 ? Number(says) : says);
      }
      await hostile.closing();
      await isServed(hands.service, hands.peer);
    },
  );

/** A descriptor of some kind; it is closed by the second function. */
type Made = readonly [fd: number, close: () => void];

function memory(seals: number): Made {
  const memfd = Memfd.create('sealane-mark', 4_096);
  if (seals !== 0) memfd.seal(seals);
  return [memfd.fd, () => memfd.close()];
}

function file(path: string, flags: string | number): Made {
  const fd = openSync(path, flags);
  return [fd, () => closeSync(fd)];
}

/** Sealed memory, opened again with other rights. */
function again(flags: string | number): Made {
  const memfd = Memfd.create('sealane-mark', 4_096);
  const made = file(`/proc/self/fd/${memfd.fd}`, flags);
  memfd.seal(CONTROL_SEALS);
  memfd.close();
  return made;
}

function fifo(t: TestContext): Made {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-'));
  t.after(() => rmSync(folder, { recursive: true }));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  return file(join(folder, 'pipe'), 'r+');
}

function diskFile(t: TestContext): Made {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'memfd:sealane-mark'), new Uint8Array(4_096));
  return file(join(folder, 'memfd:sealane-mark'), 'r+');
}

function socket(): Made {
  const [one, other] = UnixSocket.pair();
  other.close();
  return [one.fd, () => one.close()];
}

const O_PATH = 0o10000000;
const WRONG = 'ERR_SEALANE_WRONG_DESCRIPTOR';
const UNSEALED = 'ERR_SEALANE_NOT_SEALED';

/** What may be handed over, and how a subscriber refuses it that allows sealed memory; undefined: it does not. */
const KINDS: readonly [
  what: string,
  code: string | undefined,
  told: RegExp,
  make: (t: TestContext) => Made,
][] = [
  ['a pipe', WRONG, /is a pipe, not a memfd/, fifo],
  ['a socket', WRONG, /is a socket, not a memfd/, socket],
  ['a device', WRONG, /is a character device/, () => file('/dev/zero', 'r+')],
  ['a directory', WRONG, /is a directory/, () => file('/', 'r')],
  ['a file named like memory', WRONG, /is a file, not a memfd/, diskFile],
  ['a file of procfs', WRONG, /is a file, not a memfd/, () => file('/proc/self/status', 'r')],
  ['sealed memory opened with O_PATH', WRONG, /O_PATH/, () => again(O_PATH)],
  ['sealed memory that can not be read', WRONG, /writing only/, () => again('w')],
  ['memory without seals', UNSEALED, /lacks the seals SEAL, SHRINK, GROW/, () => memory(0)],
  [
    'memory that can be sealed further',
    UNSEALED,
    /lacks the seals SEAL:/,
    () => memory(SEAL_SHRINK | SEAL_GROW),
  ],
  [
    'memory that can shrink',
    UNSEALED,
    /lacks the seals SHRINK:/,
    () => memory(SEAL_SEAL | SEAL_GROW | SEAL_WRITE),
  ],
  ['memory that can grow', UNSEALED, /lacks the seals GROW:/, () => memory(SEAL_SEAL | SEAL_SHRINK)],
  ['memory with just the seals', undefined, /./, () => memory(CONTROL_SEALS)],
  ['memory that nobody else can write', undefined, /./, () => memory(POOL_SEALS)],
  ['memory that nobody can write', undefined, /./, () => memory(BLOB_SEALS)],
];

/** The frame with that descriptor is refused, or not; the next one arrives. */
async function tryKind(
  publisher: BufferPublisher<Mark>,
  fds: readonly number[],
  receive: () => { readonly token: number } | undefined,
  expected: { code: string; message: RegExp } | undefined,
): Promise<void> {
  const token = publisher.figures.sent + 1;
  publisher.send({ sender: 1, frame: token, planes: fds.length }, fds);
  if (expected === undefined) assert.equal(receive()?.token, token);
  else assert.throws(receive, { ...expected, sequence: token });
}

for (const [what, code, told, make] of KINDS)
  test(`${what} is ${code === undefined ? 'taken' : 'refused'} as sealed memory, alone and behind what is some`, async (t) => {
    const service = await new Stage(t).service();
    const publisher = await service.bufferPublisher<Mark>();
    const subscriber = await service.bufferSubscriber<Mark>({ allow: 'sealed-memfd' });
    const device = await service.bufferSubscriber<Mark>({ allow: 'dma-buf' });
    await publisher.connected(2);
    for (const one of [subscriber, device]) await one.connected();
    const [fd, close] = make(t);
    using good = plane(1, 1, 0);
    const expected = code === undefined ? undefined : { code, message: told };
    const receive = () => {
      using frame = subscriber.receive();
      return frame && { token: frame.token };
    };
    await tryKind(publisher, [fd], receive, expected);
    await tryKind(
      publisher,
      [good.fd, fd],
      receive,
      expected && { ...expected, message: /descriptor 1 of a frame/ },
    );
    await tryKind(publisher, [good.fd], receive, undefined);
    for (let frame = 1; frame <= 3; frame++)
      assert.throws(() => device.receive(), {
        code: WRONG,
        message: /not a DMA-BUF|O_PATH/,
        sequence: frame,
      });
    close();
    good.close();
    await until(() => marksOpen() === 0);
  });

/** How many descriptors wait in the sockets of a process, as the kernel counts. */
function descriptorsWaiting(pid: number): number {
  const counts = readdirSync(`/proc/${pid}/fdinfo`).map((fd) =>
    Number(/^scm_fds:\s*(\d+)/m.exec(textOf(`/proc/${pid}/fdinfo/${fd}`))?.[1] ?? 0),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Nothing for a descriptor that the process has just closed. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'ENOENT');
    return '';
  }
}

test('a subscriber that is stopped has at most 32 descriptors under way, and takes nothing from the others', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ bufferSize: 8 });
  const publisher = await service.bufferPublisher<Mark>();
  const stopped = [1, 2, 3].map(() => stage.peer('tell', { script, settings: { bufferSize: 8 } }));
  const subscriber = await service.bufferSubscriber<Mark>();
  await publisher.connected(4);
  await subscriber.connected();
  for (const peer of stopped) {
    assert.equal(await peer.line(), '"connected"');
    peer.child.kill('SIGSTOP');
  }
  let most = 0;
  for (let frame = 1; frame <= 500; frame++) {
    assert.ok(sendMarked(publisher, { sender: 1, frame, planes: 1 + (frame % 4) }) >= 1);
    assert.deepEqual(drain(subscriber), { received: [frame], lost: [] });
    for (const { pid } of stopped) most = Math.max(most, descriptorsWaiting(pid));
  }
  assert.ok(most >= 16 && most <= 32, `${most} were under way to one`);
  // What is closed on another thread is gone some time later.
  await until(() => marksOpen() === 0);
  for (const peer of stopped) peer.child.kill('SIGCONT');
  for (const peer of stopped) {
    for (let got = 0; got < 8; got++) assert.ok(Number(await peer.line()) > 0);
    await until(() => descriptorsWaiting(peer.pid) === 0);
  }
  // They go on with what comes now.
  assert.equal(sendMarked(publisher, { sender: 1, frame: 501, planes: 4 }), 4);
  for (const peer of stopped) assert.equal(await peer.line(), '501');
});

/** Samples whose memory never comes: how to send one, how many packets are looked through for it, and what is said. */
const NEVER: readonly { what: string; cell: number; looks: number; says: string | undefined }[] = [
  { what: 'the buffer', cell: 0, looks: 128, says: 'ERR_SEALANE_MISSING_DESCRIPTOR 1' },
  { what: 'the segment', cell: 7 * 2 ** CELL_SLOT_BITS, looks: 128, says: undefined },
];

for (const { what, cell, looks, says } of NEVER)
  test(
    `a publisher that sends memory without end, and never ${what} of its frame, is found out`,
    WATCHDOG,
    async (t) => {
      const settings = { payload: 'growing', maxBytes: 1 << 20 } as const;
      const { service, socket, bait, peer } = await deceive(t, 2, { settings });
      socket.send(bait.answer, bait.descriptors);
      assert.equal(await peer.line(), '"connected"');
      peer.child.kill('SIGSTOP');
      const shape = { strideBytes: 256, maxBytes: 192 };
      const fd = bait.memory(8 * 256, POOL_SEALS);
      let packets = 0;
      const next = () => {
        const adds = packets % 2 === 0;
        const packet = adds ? encodeSegment({ segment: 1, ...shape }) : encodeRetire(1);
        if (socket.send(packet, adds ? [fd] : []) !== 'sent') return false;
        packets += 1;
        return true;
      };
      bait.write(bait.slots, 0, 1, 16);
      bait.sendCell(cell);
      assert.equal(socket.send(Uint8Array.of(1)), 'sent');
      while (next());
      const waiting = packets;
      peer.child.kill('SIGCONT');
      await assert.rejects(
        async () => {
          while (packets < 100_000) if (!next()) await turn();
        },
        { code: 'ERR_SEALANE_CONNECTION_LOST' },
      );
      // Those that it takes in one turn, and those that it looks through.
      assert.ok(
        packets <= waiting + 64 + looks + 1,
        `${packets} were sent, ${waiting} of them before it looked`,
      );
      if (says !== undefined) assert.equal(await peer.line(), JSON.stringify(says));
      await isServed(service, peer);
    },
  );
