// A link carries every message whole, with its descriptors, in order; and a peer that misbehaves ends only its own link.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { isSealaneError, type SealaneError } from '../base/errors.js';
import { BLOB_SEALS, closeDescriptor, inspect } from '../os/descriptor.js';
import { Memfd } from '../os/memfd.js';
import { UnixSocket } from '../os/unix-socket.js';
import { FLAG_DETACHED, HEADER_BYTES } from '../wire/index.js';
import { Link, type LinkOptions } from './link.js';

/** What came over a link: messages with the sizes of their descriptors, and how it ended. */
class Received {
  readonly messages: Array<{ bytes: Uint8Array; sizes: number[]; lost: boolean }> = [];
  closed = false;
  error: SealaneError | undefined;
  readonly #changed = new EventTarget();

  readonly options: LinkOptions = {
    maxMessageBytes: 1_048_576,
    messagesPerTurn: 16,
    onMessage: (message, descriptors, lost) => {
      this.messages.push({ bytes: message.slice(), sizes: descriptors.map((fd) => inspect(fd).size), lost });
      for (const descriptor of descriptors) closeDescriptor(descriptor);
      this.#changed.dispatchEvent(new Event('change'));
    },
    onClose: (error) => {
      this.closed = true;
      this.error = error;
      this.#changed.dispatchEvent(new Event('change'));
    },
  };

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.#changed, 'change');
  }
}

/** A message as the wire has it: a header that states the length of the body, and the body. */
function message(bodyBytes: number, fill = 1): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + bodyBytes).fill(fill);
  bytes.fill(0, 0, HEADER_BYTES);
  new DataView(bytes.buffer).setUint32(0, bodyBytes, true);
  bytes[8] = fill;
  return bytes;
}

function open(): { link: Link; peer: Link; received: Received; answers: Received } {
  const [near, far] = UnixSocket.pair();
  const received = new Received();
  const answers = new Received();
  return { link: new Link(near, answers.options), peer: new Link(far, received.options), received, answers };
}

function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test('messages arrive whole and in order, with their descriptors', async () => {
  const { link, peer, received } = open();
  using first = Memfd.sealed('one', new Uint8Array(1));
  using second = Memfd.sealed('two', new Uint8Array(2));
  link.send(message(10));
  link.send(message(0, 2), [first.fd]);
  link.send(message(65_520, 3), [second.fd, first.fd]);
  await received.until(() => received.messages.length === 3);
  assert.deepEqual(
    received.messages.map(({ bytes }) => bytes),
    [message(10), message(0, 2), message(65_520, 3)],
  );
  assert.deepEqual(
    received.messages.map(({ sizes }) => sizes),
    [[], [1], [2, 1]],
  );
  link.close();
  await received.until(() => received.closed);
  assert.equal(received.error, undefined);
  peer.close();
});

test('a message over a packet travels detached and arrives as if it had not', async () => {
  const before = countDescriptors();
  const { link, peer, received } = open();
  using memfd = Memfd.sealed('beside', new Uint8Array(3));
  link.send(message(1_000_000, 7), [memfd.fd]);
  await received.until(() => received.messages.length === 1);
  assert.deepEqual(received.messages[0]?.bytes, message(1_000_000, 7));
  assert.deepEqual(received.messages[0]?.sizes, [3]);
  link.close();
  peer.close();
  memfd.close();
  assert.equal(countDescriptors(), before);
});

test('what the peer does not read is queued with its descriptors and sent later, in order', async () => {
  const { link, peer, received } = open();
  peer.pause();
  const memfd = Memfd.sealed('queued', new Uint8Array(9));
  for (let index = 0; index < 100; index++) link.send(message(20_000, index), [memfd.fd]);
  memfd.close();
  assert.ok(link.queued > 10, `${link.queued} messages are queued`);
  peer.resume();
  await received.until(() => received.messages.length === 100);
  assert.deepEqual(
    received.messages.map(({ bytes }) => bytes[8]),
    Array.from({ length: 100 }, (_, index) => index),
  );
  assert.ok(received.messages.every(({ sizes }) => sizes.length === 1 && sizes[0] === 9));
  assert.equal(link.queued, 0);
  link.close();
  peer.close();
});

test('of large messages that the peer does not read, few are under way; all arrive in order once it reads', async () => {
  const { link, peer, received } = open();
  peer.pause();
  for (let fill = 1; fill <= 20; fill++) link.send(message(500_000, fill));
  assert.equal(link.queued, 16);
  peer.resume();
  await received.until(() => received.messages.length === 20);
  assert.deepEqual(
    received.messages.map(({ bytes }) => bytes[8]),
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  link.close();
  peer.close();
});

test('a link tells when everything is sent', async () => {
  const [near, far] = UnixSocket.pair();
  const received = new Received();
  const drained = new Promise<void>((resolve) => {
    const link = new Link(near, { ...new Received().options, onDrained: resolve });
    for (let index = 0; index < 40; index++) link.send(message(20_000, index));
    assert.ok(link.queued > 0);
  });
  const peer = new Link(far, received.options);
  await drained;
  await received.until(() => received.messages.length === 40);
  peer.close();
});

test('a peer that takes smaller packets gets what is larger detached', async () => {
  const [near, far] = UnixSocket.pair();
  const link = new Link(near, new Received().options);
  link.limitPackets(1_024);
  link.send(message(1_000));
  link.send(message(1_010));
  const buffer = new Uint8Array(65_536);
  const sizes: number[] = [];
  for (let packet = far.receive(buffer); typeof packet !== 'string'; packet = far.receive(buffer)) {
    sizes.push(packet.bytes);
    for (const descriptor of packet.descriptors) closeDescriptor(descriptor);
  }
  assert.deepEqual(sizes, [HEADER_BYTES + 1_000, HEADER_BYTES]);
  link.close();
  far.close();
});

test('closing frees what is queued', async () => {
  const before = countDescriptors();
  const { link, peer, answers } = open();
  peer.pause();
  using memfd = Memfd.sealed('queued', new Uint8Array(9));
  for (let index = 0; index < 50; index++) link.send(message(20_000), [memfd.fd]);
  link.close();
  peer.close();
  memfd.close();
  assert.equal(countDescriptors(), before);
  await answers.until(() => answers.closed);
  link.close();
  link.send(message(1));
});

test('a link that ends sends what is queued first, and the peer reads all of it', async () => {
  const { link, peer, received } = open();
  peer.send(message(5, 5));
  peer.pause();
  for (let index = 0; index < 40; index++) link.send(message(20_000, index));
  assert.ok(link.queued > 0);
  link.end();
  peer.resume();
  await received.until(() => received.closed);
  assert.equal(received.messages.length, 40);
  assert.equal(link.closed, true);
});

test('a peer that is gone ends the link after its last words were read', async () => {
  const { link, peer, received, answers } = open();
  peer.send(message(4, 4));
  peer.close();
  link.send(message(1));
  await answers.until(() => answers.closed);
  assert.deepEqual(
    answers.messages.map(({ bytes }) => bytes[8]),
    [4],
  );
  assert.equal(received.messages.length, 0);
});

const FAULTS: Array<{ name: string; code: string; send(socket: UnixSocket): void }> = [
  {
    name: 'a packet over the limit',
    code: 'ERR_SEALANE_PROTOCOL',
    send: (socket) => void socket.send(new Uint8Array(70_000)),
  },
  {
    name: 'a detached message without its body',
    code: 'ERR_SEALANE_PROTOCOL',
    send: (socket) => void socket.send(detached(100)),
  },
  {
    name: 'a detached message whose body is not sealed',
    code: 'ERR_SEALANE_NOT_SEALED',
    send: (socket) => sendWith(socket, detached(100), Memfd.create('unsealed', 100)),
  },
  {
    name: 'a detached message whose body has another size',
    code: 'ERR_SEALANE_SIZE_MISMATCH',
    send: (socket) => sendWith(socket, detached(100), Memfd.sealed('short', new Uint8Array(99))),
  },
  {
    name: 'a detached message with an empty body',
    code: 'ERR_SEALANE_PROTOCOL',
    send: (socket) => sendWith(socket, detached(0), Memfd.sealed('empty', new Uint8Array(0))),
  },
  {
    name: 'a detached message over the limit',
    code: 'ERR_SEALANE_PROTOCOL',
    send: (socket) => {
      const giant = Memfd.create('giant', 2 ** 30);
      giant.seal(BLOB_SEALS);
      sendWith(socket, detached(2 ** 30), giant);
    },
  },
];

for (const { name, code, send } of FAULTS) {
  test(`${name} closes the link with ${code} and leaves no descriptor`, async () => {
    const before = countDescriptors();
    const [near, far] = UnixSocket.pair();
    const received = new Received();
    const link = new Link(near, received.options);
    send(far);
    await received.until(() => received.closed);
    assert.ok(isSealaneError(received.error) && received.error.code === code, String(received.error));
    assert.equal(received.messages.length, 0);
    link.close();
    far.close();
    assert.equal(countDescriptors(), before);
  });
}

function detached(bodyBytes: number): Uint8Array {
  const header = message(0);
  const view = new DataView(header.buffer);
  view.setUint32(0, bodyBytes, true);
  view.setUint16(6, FLAG_DETACHED, true);
  return header;
}

function sendWith(socket: UnixSocket, header: Uint8Array, memfd: Memfd): void {
  socket.send(header, [memfd.fd]);
  memfd.close();
}

test('a link whose owner takes turns sends and takes nothing until it is told to, one message at a time', async () => {
  const [near, far] = UnixSocket.pair();
  const received = new Received();
  let told = 0;
  let tell: () => void = () => undefined;
  const link = new Link(near, {
    ...received.options,
    onReady: () => {
      told++;
      tell();
    },
  });
  const nextTold = (): Promise<void> =>
    new Promise((resolve) => {
      tell = resolve;
    });
  const first = nextTold();
  for (let fill = 1; fill <= 3; fill++) far.send(message(10, fill));
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([told, received.messages.length], [1, 0]);
  for (let count = 1; count <= 3; count++) {
    assert.equal(link.advance(), HEADER_BYTES + 10);
    assert.equal(received.messages.length, count);
  }
  assert.equal(link.advance(), undefined);
  const again = nextTold();
  far.close();
  await again;
  assert.equal(link.advance(), undefined);
  await received.until(() => received.closed);
  assert.equal(told, 2);
});

test('what is queued is sent in the turns of an owner that takes them', async () => {
  const [near, far] = UnixSocket.pair();
  const received = new Received();
  const answers = new Received();
  let ready: () => void = () => undefined;
  const whenReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const link = new Link(near, { ...answers.options, onReady: () => ready() });
  let sent = 0;
  for (; link.queued < 20; sent++) link.send(message(1_000));
  using peer = new Link(far, received.options);
  await whenReady;
  const queued = link.queued;
  assert.equal(link.advance(), HEADER_BYTES + 1_000);
  assert.equal(link.queued, queued - 1);
  while (link.queued > 0) {
    link.advance();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await received.until(() => received.messages.length === sent);
  assert.equal(peer.closed, false);
  link.close();
});
