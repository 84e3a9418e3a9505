/** What happens around a node or service, as streams that any number of consumers can follow. Owns what each has not taken yet. */
import { closedError } from '../base/errors.js';
import { Doorbell } from './pairs/doorbell.js';

/** Events that one consumer may be behind; then the oldest are dropped, and it is told how many. */
const MAX_BEHIND = 1_024;

/** What a consumer that is too slow is told. */
export interface EventsMissed {
  readonly type: 'missed';
  /** How many events were dropped. */
  readonly count: number;
}

/** Hands each event to all who follow. */
export class EventSource<T> {
  readonly #followers = new Set<Follower<T>>();
  #closed = false;

  constructor(
    /** For errors: what was closed. */
    private readonly what: string,
  ) {}

  emit(event: T): void {
    for (const follower of this.#followers) follower.push(event);
  }

  /** Events from now on; call next() to begin. Ends when the source closes. Throws ERR_SEALANE_ABORTED when the signal fires. */
  follow(signal?: AbortSignal): AsyncIterableIterator<T | EventsMissed> {
    if (this.#closed) throw closedError(this.what);
    const follower = new Follower<T>(signal, () => this.#followers.delete(follower));
    this.#followers.add(follower);
    return follower;
  }

  close(): void {
    this.#closed = true;
    for (const follower of this.#followers) follower.end();
  }
}

class Follower<T> implements AsyncIterableIterator<T | EventsMissed> {
  readonly #events: T[] = [];
  readonly #signal: AbortSignal | undefined;
  readonly #onEnd: () => void;
  readonly #bell = new Doorbell('the stream of events');
  #missed = 0;
  #ended = false;

  constructor(signal: AbortSignal | undefined, onEnd: () => void) {
    this.#signal = signal;
    this.#onEnd = onEnd;
  }

  push(event: T): void {
    if (this.#events.length >= MAX_BEHIND) {
      this.#events.shift();
      this.#missed += 1;
    }
    this.#events.push(event);
    this.#bell.ring();
  }

  end(): void {
    this.#ended = true;
    this.#bell.ring();
  }

  async next(): Promise<IteratorResult<T | EventsMissed>> {
    for (;;) {
      const event = this.#take();
      if (event !== undefined) return { value: event, done: false };
      if (this.#ended) return this.return();
      try {
        await this.#bell.wait(this.#signal, 'following events');
      } catch (error) {
        await this.return();
        throw error;
      }
    }
  }

  async return(): Promise<IteratorResult<T | EventsMissed>> {
    this.#events.length = 0;
    this.#onEnd();
    this.end();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): T | EventsMissed | undefined {
    if (this.#missed === 0) return this.#events.shift();
    const count = this.#missed;
    this.#missed = 0;
    return { type: 'missed', count };
  }
}
