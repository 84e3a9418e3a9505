/** Observing a domain: what nodes tell of their ports, nodes that come, go and are killed, and observers and nodes that mean harm. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { type ObservedDomain, type ObservedPublisher, type ObservedSubscriber, observe } from 'sealane';
import {
  CONTROL_SEALS,
  closeDescriptor,
  Domain,
  disposeDescriptors,
  encodeFigures,
  encodeObserve,
  FIGURES_HEADER_BYTES,
  Mapping,
  Memfd,
  NodeServices,
  POOL_SEALS,
  PUBLISH_SUBSCRIBE,
  type PublishedNode,
  publishNode,
  SharedMemory,
  UnixSocket,
} from 'sealane/internal';
import { bytesOf, joined, ownDescriptors, Stage, until } from './nodes.test.helper.js';

const INTERVAL_MS = 20;

/** The first look that satisfies; the iteration is ended then. */
async function look(
  { directory }: Stage,
  satisfies: (domain: ObservedDomain) => unknown,
): Promise<ObservedDomain> {
  for await (const domain of observe({ directory, intervalMs: INTERVAL_MS }))
    if (satisfies(domain)) return domain;
  throw new Error('observing has ended');
}

function publishers(domain: ObservedDomain): ObservedPublisher[] {
  return domain.services.flatMap(({ ports }) => ports).filter((port) => port.kind === 'publisher');
}

function subscribers(domain: ObservedDomain): ObservedSubscriber[] {
  return domain.services.flatMap(({ ports }) => ports).filter((port) => port.kind === 'subscriber');
}

/** Memory of figures that a process has open. */
function figuresOf(pid: number | 'self'): number {
  const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return targets.filter((target) => target.startsWith('/memfd:sealane-figures')).length;
}

function dial(stage: Stage, node: string): UnixSocket {
  const path = Domain.open({ directory: stage.directory }).nodeSocket(node);
  return UnixSocket.connect(path) ?? assert.fail('the backlog is full');
}

/** The answer to a request, with its descriptors; undefined: the connection has ended. */
async function answer(socket: UnixSocket): Promise<{ type: number; descriptors: number[] } | undefined> {
  const buffer = new Uint8Array(1_024);
  for (;;) {
    const packet = socket.receive(buffer);
    if (packet === 'end') return undefined;
    if (packet !== 'empty') return { type: buffer[6] as number, descriptors: packet.descriptors };
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('publishers and subscribers tell what they did, lost, hold and forgot to give back', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ bufferSize: 2, maxBorrowed: 2 });
  const publisher = await service.publisher();
  const subscriber = await service.subscriber();
  await joined([publisher], [subscriber]);
  for (let count = 0; count < 5; count++) publisher.sendCopy(bytesOf(count));
  const held = subscriber.receive();
  const loan = publisher.loan(1);
  const domain = await look(stage, (seen) => subscribers(seen)[0]?.publishers[0]?.waiting === 1);
  const [sender] = publishers(domain);
  const [receiver] = subscribers(domain);
  assert.deepEqual([sender?.sent, sender?.lost, sender?.loaned, sender?.leaked], [5, 3, 1, 0]);
  assert.deepEqual([receiver?.received, receiver?.missed, receiver?.borrowed], [1, 3, 1]);
  assert.equal(sender?.usedSlots, publisher.figures.usedSlots);
  assert.equal(sender.memoryBytes, publisher.figures.memoryBytes);
  assert.deepEqual([sender.subscribers[0]?.bufferSize, sender.subscribers[0]?.waiting], [2, 1]);
  const [seen] = domain.services;
  assert.deepEqual([seen?.name, seen?.fill, seen?.borrowed, seen?.loaned, seen?.lost], ['x', 0.5, 1, 1, 3]);
  held?.release();
  loan.release();
});

test('rates and latencies are those since the look before', async (t) => {
  const stage = new Stage(t);
  const publisher = stage.peer('sendLoop', { slow: true, stop: stage.flag('stop').path });
  await publisher.line();
  const subscriber = await (await stage.service()).subscriber();
  await subscriber.connected();
  const ended = new AbortController();
  const received = (async () => {
    for await (using _ of subscriber) if (ended.signal.aborted) return;
  })();
  const domain = await look(
    stage,
    ({ services: [first] }) =>
      first?.latencyUs !== undefined && first.sentPerSecond > 0 && first.receivedPerSecond > 0,
  );
  const [{ latencyUs, sentPerSecond, receivedPerSecond } = assert.fail()] = domain.services;
  assert.ok(sentPerSecond > 0 && receivedPerSecond > 0);
  assert.ok(latencyUs !== undefined && latencyUs.p50 > 0 && latencyUs.p99 >= latencyUs.p50);
  ended.abort();
  await received;
});

test('a thread that never lets its event loop turn is observed', async (t) => {
  const stage = new Stage(t);
  const publisher = await (await stage.service()).publisher();
  const worker = stage.worker('block');
  const id = await worker.line();
  await publisher.connected();
  publisher.sendCopy(bytesOf('a'));
  assert.equal(await worker.line(), 'a');
  const domain = await look(stage, (seen) => subscribers(seen)[0]?.received === 1);
  assert.equal(subscribers(domain)[0]?.node, id);
  publisher.sendCopy(bytesOf('end'));
  assert.equal(await worker.line(), 'end');
});

test('notifiers and listeners tell how often they notified and were told', async (t) => {
  const stage = new Stage(t);
  const service = await (await stage.node()).service('bell').event();
  const notifier = await service.notifier();
  const listener = await service.listener();
  await notifier.connected();
  for (let count = 0; count < 3; count++) notifier.notify(7);
  assert.equal((await listener.next()).type, 'event');
  const domain = await look(stage, ({ services: [first] }) =>
    first?.ports.every(({ kind }) => kind !== 'unknown'),
  );
  const told = domain.services.flatMap(({ ports }) => ports);
  assert.equal(told.find((port) => port.kind === 'notifier')?.notified, 3);
  assert.equal(told.find((port) => port.kind === 'listener')?.received, 3);
});

test('nodes that come, are killed, and come again are seen; what the dead left is removed', async (t) => {
  const stage = new Stage(t);
  const alive = (seen: ObservedDomain) => seen.nodes.filter(({ observed }) => observed).map(({ id }) => id);
  const views = observe({ directory: stage.directory, intervalMs: INTERVAL_MS });
  const see = async (satisfies: (seen: ObservedDomain) => unknown): Promise<void> => {
    for (;;) {
      const { value, done } = await views.next();
      assert.equal(done, false);
      if (value !== undefined && satisfies(value)) return;
    }
  };
  await see(({ nodes }) => nodes.length === 0);
  for (let round = 0; round < 3; round++) {
    const peers = [stage.peer('publish'), stage.peer('subscribe')];
    const ids = await Promise.all(peers.map((peer) => peer.line()));
    await see((seen) => ids.every((id) => alive(seen).includes(id)) && publishers(seen).length === 1);
    for (const peer of peers) await peer.kill();
    await see(({ nodes, services }) => nodes.length === 0 && services.length === 0);
  }
  await views.return();
  assert.deepEqual(stage.files(), []);
});

test('when observers end or are killed, nodes have nothing left of them', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const publisher = await service.publisher();
  const subscriber = await service.subscriber();
  await joined([publisher], [subscriber]);
  const before = ownDescriptors();
  await look(stage, (seen) => publishers(seen).length === 1);
  await until(() => ownDescriptors().length === before.length);
  assert.deepEqual(ownDescriptors(), before);
  const script = `const { observe } = await import('sealane');
    for await (const { nodes } of observe({ directory: ${JSON.stringify(stage.directory)}, intervalMs: 10 })) if (nodes[0]?.observed) console.log('sees');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  assert.equal(figuresOf('self'), 1);
  child.kill('SIGKILL');
  await until(() => figuresOf('self') === 0);
  await until(() => ownDescriptors().length === before.length);
  assert.deepEqual(ownDescriptors(), before);
  publisher.sendCopy(bytesOf('a'));
  subscriber.receive()?.release();
  assert.equal(subscriber.figures.received, 1);
});

test('ports that come while somebody observes are seen, however many they are', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  const service = await node.service('many').publishSubscribe({ maxPublishers: 200, maxBytes: 64 });
  const views = observe({ directory: stage.directory, intervalMs: INTERVAL_MS });
  await views.next();
  for (let count = 0; count < 200; count++) {
    const publisher = await service.publisher();
    publisher.sendCopy(bytesOf('a'));
    if (count % 3 === 0) publisher.close();
  }
  const wanted = service.ports().length;
  for await (const seen of views)
    if (publishers(seen).filter(({ sent }) => sent === 1).length === wanted) break;
  assert.equal(figuresOf('self'), 1);
});

test('an observer can neither write into the figures nor hold a node up, however many come', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  const service = await node.service('x').publishSubscribe();
  const publisher = await service.publisher();
  const sockets = Array.from({ length: 40 }, () => dial(stage, node.id));
  t.after(() => {
    for (const socket of sockets) socket.close();
  });
  for (const socket of sockets) socket.send(encodeObserve());
  const answers = await Promise.all(sockets.map(answer));
  const descriptors = answers.flatMap((one) => one?.descriptors ?? []);
  assert.equal(descriptors.length, 16);
  for (const fd of descriptors) {
    assert.throws(() => Mapping.shared(fd, 0, FIGURES_HEADER_BYTES), { errnoName: 'EPERM' });
    closeDescriptor(fd);
  }
  // Those who say more have nothing more to say; others leave in the middle of it.
  for (const socket of sockets.slice(0, 20)) if (!socket.peerGone) socket.send(encodeObserve());
  for (const socket of sockets.slice(20)) socket.close();
  await until(() => figuresOf('self') === 0);
  publisher.sendCopy(bytesOf('a'));
  const domain = await look(stage, (seen) => publishers(seen).length === 1);
  assert.equal(publishers(domain)[0]?.sent, 1);
});

test('a packet that is almost a request is refused', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  for (const bytes of [encodeObserve().subarray(0, 15), Buffer.concat([encodeObserve(), Buffer.alloc(1)])]) {
    using socket = dial(stage, node.id);
    socket.send(bytes);
    const told = await answer(socket);
    assert.equal(told?.type, 3);
    disposeDescriptors(told.descriptors);
  }
});

/** A node that answers whoever observes as it likes. */
class LyingNode implements Disposable {
  readonly #published: PublishedNode;
  readonly #services: NodeServices;
  readonly #timer: NodeJS.Timeout;
  readonly #sockets: UnixSocket[] = [];

  constructor(directory: string, lie: (socket: UnixSocket) => void) {
    const domain = Domain.open({ directory });
    this.#published = publishNode(domain, 'liar');
    this.#services = new NodeServices(domain, this.#published.id);
    this.#services.openOrCreate(PUBLISH_SUBSCRIBE, 'x').announcePort('publisher', 1);
    this.#timer = setInterval(() => {
      for (let socket = this.#published.listener.accept(); socket !== undefined; ) {
        this.#sockets.push(socket);
        try {
          lie(socket);
        } catch {
          // The observer has ended the connection.
        }
        socket = this.#published.listener.accept();
      }
    }, 1);
  }

  get id(): string {
    return this.#published.id;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.close();
    this.#services.close();
    this.#published.close();
  }
}

const BYTES = 65_536;

/** Sends memory that is filled with something. */
function sendFilled(
  socket: UnixSocket,
  fill: (buffer: ArrayBuffer) => void,
  stated = BYTES,
  seals = POOL_SEALS,
): void {
  using memory = SharedMemory.create('lie', BYTES, seals);
  fill(memory.buffer);
  socket.send(encodeFigures(stated), [memory.descriptor]);
}

const LIES: Readonly<Record<string, (socket: UnixSocket) => void>> = {
  'memory of another size': (socket) => sendFilled(socket, () => undefined, 2 * BYTES),
  'memory that can shrink': (socket) => {
    using memfd = Memfd.create('lie', BYTES);
    socket.send(encodeFigures(BYTES), [memfd.fd]);
  },
  'memory that others may write': (socket) => sendFilled(socket, () => undefined, BYTES, CONTROL_SEALS),
  'memory of zeros': (socket) => sendFilled(socket, () => undefined),
  'memory of ones': (socket) => sendFilled(socket, (buffer) => new Uint8Array(buffer).fill(0xff)),
  'memory that never rests': (socket) => sendFilled(socket, (buffer) => new Uint8Array(buffer).fill(1)),
  'no memory': (socket) => void socket.send(encodeFigures(BYTES)),
  'two memories': (socket) => {
    using memory = SharedMemory.create('lie', BYTES, POOL_SEALS);
    socket.send(encodeFigures(BYTES), [memory.descriptor, memory.descriptor]);
  },
  'far too large memory': (socket) => sendFilled(socket, () => undefined, 2 ** 40),
  'memory again and again': (socket) => {
    for (let count = 0; count < 100; count++) sendFilled(socket, () => undefined);
  },
  'a packet that is none': (socket) => void socket.send(Buffer.from('what?')),
  silence: () => undefined,
  'the end': (socket) => socket.close(),
};

for (const [what, lie] of Object.entries(LIES)) {
  test(`a node that answers with ${what} is told as not observed, and disturbs nobody else`, async (t) => {
    const stage = new Stage(t);
    const honest = await (await (await stage.node()).service('x').publishSubscribe()).publisher();
    const before = ownDescriptors().length;
    {
      using liar = new LyingNode(stage.directory, lie);
      let looks = 0;
      const domain = await look(stage, (seen) => publishers(seen).length === 1 && ++looks > 5);
      const told = domain.nodes.find(({ id }) => id === liar.id);
      assert.equal(told?.name, 'liar');
      const ports = domain.services.flatMap((service) => service.ports);
      assert.equal(ports.find(({ node }) => node === liar.id)?.kind, 'unknown');
    }
    await until(() => ownDescriptors().length === before);
    honest.close();
  });
}

test('observing ends with its signal, and refuses what makes no sense', async (t) => {
  const stage = new Stage(t);
  const controller = new AbortController();
  const views = observe({ directory: stage.directory, signal: controller.signal });
  const next = views.next();
  controller.abort();
  await assert.rejects(next, { code: 'ERR_SEALANE_ABORTED' });
  for (const options of [
    { intervalMs: 1 },
    { intervalMs: '1s' },
    { signal: 1 },
    { domain: '/' },
    { services: [] },
  ]) {
    await assert.rejects(async () => observe(options as never).next(), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
    });
  }
});
