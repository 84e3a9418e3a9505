// One publisher of ours and its subscribers, each a process; nothing is dropped.
import type { Station } from '../../harness/station.js';
import { STREAM_BUFFER, type Stream, type StreamOptions } from '../sides.js';
import { Group } from './group.js';

export class OurStream implements Stream {
  readonly #group: Group;
  readonly #sender: Station;
  readonly #subscribers: readonly Station[];
  readonly #payloadBytes: number;

  private constructor(group: Group, sender: Station, subscribers: readonly Station[], payloadBytes: number) {
    this.#group = group;
    this.#sender = sender;
    this.#subscribers = subscribers;
    this.#payloadBytes = payloadBytes;
  }

  static start({ payloadBytes, subscribers: count }: StreamOptions): Promise<OurStream> {
    const group = new Group();
    const pinned = count === 1;
    const settings = {
      ...{ bufferSize: STREAM_BUFFER, overflow: false, maxPublishers: 1, maxSubscribers: count },
      ...{ maxBytes: payloadBytes, maxBorrowed: 2 },
    };
    return group.build(async () => {
      const sender = await group.start(pinned ? 'client' : 'anywhere', { settings, sendsTo: 'stream' });
      const place = pinned ? 'broker' : 'anywhere';
      const subscribers = await Promise.all(
        Array.from({ length: count }, () => group.start(place, { settings, receivesFrom: 'stream' })),
      );
      await sender.call('connected', { subscribers: count });
      return new OurStream(group, sender, subscribers, payloadBytes);
    });
  }

  async run(count: number): Promise<number> {
    const receiving = this.#count(count);
    const sending = this.#sender.call<number>('stream', { count, payloadBytes: this.#payloadBytes });
    return Math.max(...(await Promise.all([sending, ...receiving])));
  }

  async burst(count: number): Promise<number> {
    const nanoseconds = await this.#sender.call<number>('stream', {
      count,
      payloadBytes: this.#payloadBytes,
    });
    await Promise.all(this.#count(count));
    return nanoseconds;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#group[Symbol.asyncDispose]();
  }

  /** More than one has no core of its own: they wait for samples as workers do. */
  #count(count: number): Promise<number>[] {
    const sleeps = this.#subscribers.length > 1;
    return this.#subscribers.map((subscriber) =>
      subscriber.call<number>('count', { count, payloadBytes: this.#payloadBytes, sleeps }),
    );
  }
}
