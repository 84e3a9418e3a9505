// A process of the tests of buffers, or a thread: what it does is its role. It says what happens in lines.
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { type BufferFrame, type DescriptorKind, isSealaneError, Node } from 'sealane';
import { UnixSocket } from 'sealane/internal';
import type { PeerOptions } from '../services/nodes.test.helper.js';
import {
  checkMarked,
  descriptorsOpen,
  drain,
  type Mark,
  marksOpen,
  plane,
  sendMarked,
} from './marks.test.helper.js';

const options: PeerOptions = isMainThread ? JSON.parse(process.argv[2] ?? '{}') : workerData;
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit();
}, 500).unref();

const say = (line: unknown) => {
  if (isMainThread) writeSync(1, `${JSON.stringify(line)}\n`);
  else parentPort?.postMessage(JSON.stringify(line));
};
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

/** Dies of SIGKILL around the sending of a packet with descriptors: before, behind, or behind the sample that it belongs to. */
async function die(): Promise<void> {
  const service = await open();
  const pooled = options.pooled === true;
  const buffers = Array.from({ length: 8 }, (_, index) => plane(process.pid, index, 0).fd);
  const pool = pooled ? await service.bufferPool<Mark>(buffers) : undefined;
  const publisher = pooled ? undefined : await service.bufferPublisher<Mark>();
  await (pool ?? publisher)?.connected();
  say('connected');
  dieAt(Number(options.packet), options.moment);
  for (let frame = 1; ; frame++) {
    if (publisher !== undefined)
      sendMarked(publisher, { sender: process.pid, frame, planes: 1 + (frame % 4) });
    const buffer = pool?.acquire();
    buffer?.send({ sender: process.pid, frame: buffer.index, planes: 1 });
    if (frame === options.packet) process.kill(process.pid, 'SIGKILL');
    if (options.turns === true) await turn();
  }
}

/** Has the process die around its packet of that number. */
function dieAt(packet: number, moment: unknown): void {
  const send = UnixSocket.prototype.send;
  let packets = 0;
  UnixSocket.prototype.send = function (bytes, descriptors) {
    if (descriptors === undefined) return send.call(this, bytes);
    packets += 1;
    if (packets === packet && moment === 'before') process.kill(process.pid, 'SIGKILL');
    const result = send.call(this, bytes, descriptors);
    if (packets === packet && moment === 'behind') process.kill(process.pid, 'SIGKILL');
    return result;
  };
}

/** Receives frames until their publisher is gone, and says how many, once it has no more descriptors than before. */
async function count(): Promise<void> {
  const subscriber = await (await open()).bufferSubscriber<Mark>({ whenAlone: 'fail' });
  await subscriber.connected();
  const before = descriptorsOpen();
  say('connected');
  let [frames, lost] = [0, 0];
  try {
    for await (const frame of subscriber) {
      checkMarked(frame);
      frames += 1;
      if (frame.lost !== undefined) lost += frame.lost.last - frame.lost.first + 1;
      frame.release();
    }
  } catch (error) {
    if (!isSealaneError(error, 'ERR_SEALANE_CONNECTION_LOST')) throw error;
  }
  while (marksOpen() > 0 || descriptorsOpen() > before) await turn();
  say({ frames, lost });
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

const roles = { send, pool, hold, tell, die, count, crowd: sendInCrowd };
await roles[options.role as keyof typeof roles]();
