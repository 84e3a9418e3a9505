// A process of the tests of buffers that come back: what it does is its role. It says what happens in lines, and is told in lines.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type BufferFrame, type BufferPool, Node } from 'sealane';
import type { PeerOptions } from '../services/nodes.test.helper.js';
import { type Mark, plane } from './marks.test.helper.js';

const options: PeerOptions = JSON.parse(process.argv[2] ?? '{}');
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit();
}, 500).unref();

const say = (line: unknown) => writeSync(1, `${JSON.stringify(line)}\n`);

async function open() {
  const node = await Node.create({ name: options.role, directory: options.directory });
  return await node.service(options.service).publishSubscribe(options.settings ?? {});
}

async function subscribe() {
  const subscriber = await (await open()).bufferSubscriber<Mark>();
  await subscriber.connected();
  say('connected');
  return subscriber;
}

/** Gives each frame back at once. */
async function echo(): Promise<void> {
  for await (const frame of await subscribe()) frame.release();
}

/** Keeps frames, and gives the oldest back for every line. */
async function keep(): Promise<void> {
  const subscriber = await subscribe();
  const kept: BufferFrame<Mark>[] = [];
  createInterface({ input: process.stdin }).on('line', () => kept.shift()?.release());
  for await (const frame of subscriber) say(kept.push(frame));
}

async function pool(): Promise<BufferPool<Mark>> {
  const buffers = Array.from({ length: Number(options.buffers) }, (_, index) => plane(1, index, 0).fd);
  const made = await (await open()).bufferPool<Mark>(buffers);
  await made.connected();
  return made;
}

/** Sends so many frames, with the thread blocked while no buffer is free. */
async function fill(): Promise<void> {
  const buffers = await pool();
  say('connected');
  for (let frame = 1; frame <= Number(options.frames); frame++) {
    const buffer = buffers.acquireBlocking({ spinMs: Number(options.spinMs) });
    buffer?.send({ sender: 1, frame, planes: 1 });
  }
  say('sent');
}

/** Sends until no buffer is free, then waits for one, with the thread blocked, and tells what came of it. */
async function wait(): Promise<void> {
  const buffers = await pool();
  for (let buffer = buffers.acquire(); buffer !== undefined; buffer = buffers.acquire())
    buffer.send({ sender: 1, frame: buffer.index, planes: 1 });
  say(buffers.acquireBlocking({ timeoutMs: 20 })?.index ?? 'none');
  say(buffers.acquireBlocking()?.index ?? 'none');
}

await { echo, keep, fill, wait }[options.role as 'echo' | 'keep' | 'fill' | 'wait']();
