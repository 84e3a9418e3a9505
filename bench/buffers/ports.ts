// The ports of a process in a measurement of buffers, all used alike: they send numbers as metadata and receive them, with a frame or without.
import type { BufferFrame, PubSubService, Sample } from 'sealane';
import { META_BYTES, makeFrame, numberMetadata } from './frames.js';

/** What goes with the metadata: a descriptor of its own, a buffer of a pool, or nothing, as a plain sample. */
export type Way = 'fd' | 'pool' | 'plain';

export interface Sender {
  send(value: number): void;
  connected(subscribers: number): Promise<void>;
}

/** What receives for the loops that are timed. Each takes a frame, reads its metadata, and gives it back. */
export interface Receiver {
  /** What is there now; undefined: nothing. */
  poll(): number | undefined;
  /** Blocks the thread until something is there, asleep after so many milliseconds of looking; undefined: as many as by default. */
  block(spinMs: number | undefined): number;
  /** Waits in the event loop. */
  next(): Promise<number>;
  connected(): Promise<void>;
}

/** The publisher's clock is asked for each sample unless `timestamps` is false: for all ways alike. */
const PUBLISHER = { prefault: true } as const;

async function descriptorSender(service: PubSubService): Promise<Sender> {
  const { fd } = makeFrame();
  const publisher = await service.bufferPublisher({ ...PUBLISHER, metadata: numberMetadata });
  return {
    send: (value) => {
      publisher.send(value, fd);
    },
    connected: (subscribers) => publisher.connected(subscribers),
  };
}

async function poolSender(service: PubSubService, buffers: number): Promise<Sender> {
  const frames = Array.from({ length: buffers }, makeFrame);
  const fds = frames.map(({ fd }) => fd);
  const pool = await service.bufferPool(fds, { ...PUBLISHER, metadata: numberMetadata });
  for (const frame of frames) frame.close();
  return {
    send: (value) => {
      for (;;) {
        const buffer = pool.acquire();
        if (buffer === undefined) continue;
        buffer.send(value);
        return;
      }
    },
    connected: (subscribers) => pool.connected(subscribers),
  };
}

async function plainSender(service: PubSubService): Promise<Sender> {
  const publisher = await service.publisher(PUBLISHER);
  const { hot } = publisher;
  return {
    send: (value) => {
      const loan = hot.loan(META_BYTES);
      loan.bytes.set(numberMetadata.encode(value));
      loan.send();
    },
    connected: (subscribers) => publisher.connected(subscribers),
  };
}

/** `buffers`: of a pool. */
export function openSender(way: Way, service: PubSubService, buffers: number): Promise<Sender> {
  if (way === 'plain') return plainSender(service);
  return way === 'pool' ? poolSender(service, buffers) : descriptorSender(service);
}

function takeFrame(frame: BufferFrame<number>): number {
  const value = frame.meta;
  if (frame.descriptors.length !== 1) throw new Error(`frame ${value} has not its one descriptor`);
  frame.release();
  return value;
}

async function frameReceiver(service: PubSubService): Promise<Receiver> {
  const subscriber = await service.bufferSubscriber({ metadata: numberMetadata });
  return {
    poll: () => {
      const frame = subscriber.receiveHot();
      return frame === undefined ? undefined : takeFrame(frame);
    },
    block: (spinMs) => {
      const frame = subscriber.receiveBlocking({ spinMs });
      if (frame === undefined) throw new Error('no frame came');
      return takeFrame(frame);
    },
    next: async () => takeFrame(await subscriber.next()),
    connected: () => subscriber.connected(),
  };
}

function takeSample(sample: Sample): number {
  const value = numberMetadata.decode(sample.bytes);
  sample.release();
  return value;
}

async function plainReceiver(service: PubSubService): Promise<Receiver> {
  const subscriber = await service.subscriber();
  const { hot } = subscriber;
  return {
    poll: () => {
      const sample = hot.receive();
      return sample === undefined ? undefined : takeSample(sample);
    },
    block: (spinMs) => {
      const sample = hot.receiveBlocking({ spinMs });
      if (sample === undefined) throw new Error('no sample came');
      return takeSample(sample);
    },
    next: async () => takeSample(await subscriber.next()),
    connected: () => subscriber.connected(),
  };
}

export function openReceiver(way: Way, service: PubSubService): Promise<Receiver> {
  return way === 'plain' ? plainReceiver(service) : frameReceiver(service);
}
