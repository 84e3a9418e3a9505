// A process of the tests with real buffers: does what its orders say, one after another, and answers each with a line.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fstatSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  type BufferFrame,
  type BufferPool,
  type BufferPublisher,
  type DmaBuf,
  type FrameMetadata,
  type FrameMetadataInput,
  fourcc,
  frameMetadata,
  Node,
  type PubSubService,
  pictureLayout,
  V4l2Source,
} from 'sealane';
import { Memfd } from 'sealane/internal';
import type { PeerOptions } from '../services/nodes.test.helper.js';
import { CAMERA } from './camera.test.helper.js';
import { heap, PAGE, udmabuf } from './devices.test.helper.js';
import type {
  CameraAnswer,
  CameraOrder,
  HoldOrder,
  Order,
  PictureOrder,
  Plane,
  Said,
  SendOrder,
  Told,
} from './orders.test.helper.js';

const { directory, role }: PeerOptions = JSON.parse(process.argv[2] ?? '{}');
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit();
}, 500).unref();

const node = await Node.create({ name: role, directory });
const metadata = frameMetadata;
const XR24 = fourcc('XR24');

/** A camera that streams into a pool. */
class Recording {
  readonly answer: CameraAnswer;
  readonly #source: V4l2Source;
  readonly #pool: BufferPool<FrameMetadataInput>;
  readonly #stop = new AbortController();
  readonly #end: Promise<Told[]>;

  private constructor(source: V4l2Source, pool: BufferPool<FrameMetadataInput>) {
    this.#source = source;
    this.#pool = pool;
    const { width, height, bytesPerLine: stride } = source.format;
    this.answer = { width, height, stride, inodes: source.descriptors.map(inodeOf) };
    this.#end = this.#record();
  }

  static async start(service: PubSubService, order: CameraOrder): Promise<Recording> {
    const { width, height, buffers, access } = order;
    const source = V4l2Source.open(CAMERA, { width, height, buffers, access, formats: [XR24] });
    setRate(order.perSecond);
    return new Recording(source, await service.bufferPool(source.descriptors, { metadata }));
  }

  /** Closes the device first, then its pool; what was told of all pictures. */
  async close(): Promise<Told[]> {
    this.#stop.abort();
    const told = await this.#end;
    this.#source.close();
    this.#pool.close();
    return told;
  }

  async #record(): Promise<Told[]> {
    const told: Told[] = [];
    try {
      for await (const sent of this.#source.stream(this.#pool, { signal: this.#stop.signal }))
        told.push({
          index: sent.index,
          sequence: sent.metadata.sequence,
          ns: String(sent.metadata.timestampNs),
        });
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    }
    return told;
  }
}

let recording: Recording | undefined;
const publishers = new Map<string, BufferPublisher<Said>>();
const pictures: BufferPublisher<FrameMetadataInput>[] = [];
const held: BufferFrame<FrameMetadata>[] = [];
let nextValue = 1;

function setRate(perSecond: number): void {
  const words = [CAMERA, String(perSecond)];
  const { stdout, stderr } = spawnSync('/programs/camera', words, { encoding: 'utf8' });
  assert.equal(stdout, `${perSecond}\n`, stderr);
}

function inodeOf(fd: number): number {
  return fstatSync(fd).ino;
}

async function open({ service, settings = {} }: Exclude<Order, { do: 'close' }>) {
  return await node.service(service).publishSubscribe(settings);
}

/** Memory of the kind, filled by `fill`. */
function memory(kind: Plane, bytes: number, fill: (bytes: Uint8Array) => void): DmaBuf | Memfd {
  if (kind === 'memfd') {
    const content = new Uint8Array(bytes);
    fill(content);
    return Memfd.sealed('plane', content);
  }
  const buffer = (kind === 'heap' ? heap : udmabuf).make(bytes);
  using mapping = buffer.map('read-write');
  using _access = buffer.cpuAccess('write');
  fill(mapping.bytes);
  return buffer;
}

async function send(order: SendOrder): Promise<number> {
  const { service, planes, subscribers } = order;
  const publisher = publishers.get(service) ?? (await (await open(order)).bufferPublisher<Said>());
  publishers.set(service, publisher);
  await publisher.connected(subscribers);
  const values = planes.map(() => nextValue++ % 256);
  const made = planes.map((kind, index) => memory(kind, PAGE, (bytes) => bytes.fill(values[index] ?? 0)));
  try {
    const descriptors = made.map(({ fd }) => fd);
    return publisher.send({ values, inodes: descriptors.map(inodeOf) }, descriptors);
  } finally {
    for (const one of made) one.close();
  }
}

async function picture(order: PictureOrder): Promise<number> {
  const { from, width, height, sequence } = order;
  const publisher = await (await open(order)).bufferPublisher({ metadata });
  pictures.push(publisher);
  await publisher.connected();
  const { bytes, planes } = pictureLayout(XR24, width, height);
  const stride = planes[0]?.stride ?? 0;
  using made = memory(from, Math.ceil(bytes / PAGE) * PAGE, (memory) => {
    for (let row = 0; row < height; row++) memory.fill(row % 256, row * stride, (row + 1) * stride);
  });
  const said = { width, height, fourcc: XR24, sequence };
  publisher.send({ ...said, planes: planes.map((plane) => ({ descriptor: 0, ...plane })) }, made.fd);
  return inodeOf(made.fd);
}

async function hold(order: HoldOrder): Promise<unknown> {
  const subscriber = await (await open(order)).bufferSubscriber({
    metadata,
    allow: 'dma-buf',
  });
  while (held.length < order.count) held.push(await subscriber.next());
  return held.map(({ token, buffer }) => ({ token, buffer }));
}

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'camera':
      recording = await Recording.start(await open(order), order);
      return recording.answer;
    case 'close':
      return (await recording?.close()) ?? [];
    case 'send':
      return await send(order);
    case 'picture':
      return await picture(order);
    case 'hold':
      return await hold(order);
  }
}

for await (const line of createInterface({ input: process.stdin }))
  writeSync(1, `${JSON.stringify(await obey(JSON.parse(line)))}\n`);
