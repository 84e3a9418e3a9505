// A process of the tests of buffers: what it does is its role. It says what happens in lines.
import { writeSync } from 'node:fs';
import { type BufferFrame, type DescriptorKind, isSealaneError, Node } from 'sealane';
import { UnixSocket } from 'sealane/internal';
import type { PeerOptions } from '../services/nodes.test.helper.js';
import { checkMarked, drain, type Mark, marksOpen, plane, sendMarked } from './marks.test.helper.js';

const options: PeerOptions = JSON.parse(process.argv[2] ?? '{}');
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit();
}, 500).unref();

const say = (line: unknown) => writeSync(1, `${JSON.stringify(line)}\n`);
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function open() {
  const node = await Node.create({ name: options.role, directory: options.directory });
  return await node.service(options.service).publishSubscribe(options.settings ?? {});
}

/** Sends frames without end. */
async function send(): Promise<void> {
  const publisher = await (await open()).bufferPublisher<Mark>();
  await publisher.connected();
  say('connected');
  for (let frame = 1; ; frame++) {
    sendMarked(publisher, { sender: process.pid, frame, planes: 1 + (frame % 4) });
    if (frame % 50 === 0) await turn();
  }
}

/** Sends frames of a pool as long as buffers are free, without end. */
async function pool(): Promise<void> {
  const buffers = [0, 1, 2].map((index) => plane(process.pid, index, 0).fd);
  const source = await (await open()).bufferPool<Mark>(buffers);
  await source.connected();
  say('connected');
  for (let frame = 1; ; frame++) {
    const buffer = source.acquire();
    buffer?.send({ sender: process.pid, frame: buffer.index, planes: 1 });
    if (buffer === undefined || frame % 50 === 0) await turn();
  }
}

/** Receives frames, and keeps them. */
async function hold(): Promise<void> {
  const subscriber = await (await open()).bufferSubscriber<Mark>();
  await subscriber.connected();
  say('connected');
  const held: BufferFrame<Mark>[] = [];
  for await (const frame of subscriber) {
    checkMarked(frame);
    say(held.push(frame));
  }
}

/** Receives frames, says of each its token, or its error, and lets it go. */
async function tell(): Promise<void> {
  const allow = options.allow as DescriptorKind | undefined;
  const subscriber = await (await open()).bufferSubscriber<unknown>({ allow });
  await subscriber.connected();
  say('connected');
  for (;;) {
    try {
      using frame = await subscriber.next();
      say(frame.token);
    } catch (error) {
      if (!isSealaneError(error)) throw error;
      say(`${error.code} ${error.sequence}`);
    }
  }
}

/** Sends packets with descriptors that nobody receives, until the kernel allows this user no more. What ends that. */
function crowd(): () => void {
  const sockets: UnixSocket[] = [];
  for (let result = 'sent'; result !== 'in-flight'; ) {
    const [one, other] = UnixSocket.pair();
    sockets.push(one, other);
    do result = one.send(Uint8Array.of(1), [0, 0, 0, 0, 0]);
    while (result === 'sent');
  }
  return () => {
    for (const socket of sockets) socket.close();
  };
}

/** Frames while no descriptor can be sent, and afterwards. */
async function sendInCrowd(): Promise<void> {
  const service = await open();
  const publisher = await service.bufferPublisher<Mark>({ whenFull: 'drop' });
  const subscriber = await service.bufferSubscriber<Mark>();
  await publisher.connected();
  await subscriber.connected();
  const one = (frame: number) => sendMarked(publisher, { sender: 1, frame, planes: 2 });
  const before = one(1);
  const relieve = crowd();
  const during = one(2);
  relieve();
  let after = 0;
  for (let frame = 3; after === 0; frame++) {
    after = one(frame);
    await turn();
  }
  const { received, lost } = drain(subscriber);
  while (marksOpen() > 0) await turn();
  say({
    before,
    during,
    after,
    first: received[0],
    lost: lost[0],
    all: received.length + lost.length === publisher.figures.sent,
  });
  process.exit();
}

const roles = { send, pool, hold, tell, crowd: sendInCrowd };
await roles[options.role as keyof typeof roles]();
