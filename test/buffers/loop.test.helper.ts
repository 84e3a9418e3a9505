// Frames of a pool that go round in one thread: acquired, sent, received, and given back.
import type { BufferPool, BufferSubscriber, MetadataCodec, Node, ServiceOptions } from 'sealane';
import { plane } from './marks.test.helper.js';

/** Metadata of which neither direction allocates anything. */
export interface Count {
  value: number;
}

const BYTES = 8;

/** Writes into the frame, and reads into the object that there is. */
export const countMetadata: MetadataCodec<Count> = {
  encode: ({ value }) => Uint8Array.of(value),
  encodeInto: ({ value }, into) => {
    into[0] = value;
    into[1] = value >>> 8;
    return BYTES;
  },
  decode: (bytes, used = { value: 0 }) => {
    used.value = (bytes[0] ?? 0) + (bytes[1] ?? 0) * 256;
    return used;
  },
};

/** Memory for a pool, which duplicates it. */
export function planesOf(count: number): number[] {
  return Array.from({ length: count }, (_, index) => plane(1, index, 0).fd);
}

/** A pool and a subscriber that is connected to it. */
export async function service(node: Node, planes: readonly number[], settings: ServiceOptions = {}) {
  const made = await node.service('frames').publishSubscribe(settings);
  const pool = await made.bufferPool<Count>(planes, { metadata: countMetadata, maxBytes: BYTES });
  const subscriber = await made.bufferSubscriber<Count>({ metadata: countMetadata });
  await subscriber.connected();
  return { pool, subscriber, made };
}

/** So many frames, each checked. */
export function loop(pool: BufferPool<Count>, subscriber: BufferSubscriber<Count>, frames: number): void {
  const meta: Count = { value: 0 };
  for (let index = 0; index < frames; index++) {
    meta.value = index & 0xffff;
    pool.acquire()?.send(meta);
    const frame = subscriber.receiveHot();
    if (frame === undefined || frame.meta.value !== meta.value || frame.descriptors.length !== 1)
      throw new Error(`round ${index} got another frame`);
    frame.release();
  }
}
