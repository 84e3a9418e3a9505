/**
 * Watching names: an asynchronous iterator that asks the broker for the next version only when its consumer does, so that a
 * slow consumer skips to the newest by itself. Owns the watch at the broker; the consumer owns the blobs.
 */
import { abortedError, SealaneError } from '../base/errors.js';
import { Blob } from './blob.js';
import type { Connection, Reply } from './connection.js';
import { toBlobInfo } from './info.js';

export interface WatchOptions {
  /** Yields each version, in order, also those that were dropped meanwhile. Default: only the newest of each name. */
  every?: boolean | undefined;
  /** Begins with what is there already: the newest version of each name. Default: true. */
  existing?: boolean | undefined;
  /** Takes the pattern as a plain name, in which `*` and `\` stand for themselves. Default: false. */
  literal?: boolean | undefined;
  /** Ends the iteration with ERR_SEALANE_ABORTED. */
  signal?: AbortSignal | undefined;
}

/** The blobs of a watch. Leaving a `for await` ends the watch; so do `return()` and the end of the connection. */
export class Watch implements AsyncIterableIterator<Blob>, AsyncDisposable {
  readonly #connection: Connection;
  readonly #signal: AbortSignal | undefined;
  readonly #id: Promise<number>;
  readonly #stop = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  #ended = false;

  /** @internal */
  constructor(connection: Connection, pattern: string, options: WatchOptions) {
    this.#connection = connection;
    this.#signal = options.signal;
    const { every = false, existing = true, literal = false } = options;
    const opened = connection.ask({ type: 'watch', pattern, every, existing, literal });
    this.#id = opened.then(({ answer }) => answer.requestId);
    this.#id.catch(() => {});
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next version, as soon as there is one. The caller owns it. */
  next(): Promise<IteratorResult<Blob, undefined>> {
    const result = this.#last.then(() => this.#next());
    this.#last = result.catch(() => {});
    return result;
  }

  /** Ends the watch; a next() that waits resolves as done. */
  async return(): Promise<IteratorResult<Blob, undefined>> {
    await this.#end();
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  async #next(): Promise<IteratorResult<Blob, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    try {
      const reply = await this.#askNext(await this.#id);
      return { done: false, value: toBlob(reply) };
    } catch (error) {
      return await this.#finish(error);
    }
  }

  async #askNext(watch: number): Promise<Reply<'next'>> {
    const signals = this.#signal === undefined ? [this.#stop.signal] : [this.#stop.signal, this.#signal];
    const signal = signals.length === 1 ? this.#stop.signal : AbortSignal.any(signals);
    return await this.#connection.ask({ type: 'next', watch }, undefined, signal);
  }

  async #finish(error: unknown): Promise<IteratorResult<Blob, undefined>> {
    const stopped = this.#stop.signal.aborted;
    await this.#end();
    if (stopped) return { done: true, value: undefined };
    if (this.#signal?.aborted) throw abortedError('the watch', this.#signal);
    throw error as SealaneError;
  }

  async #end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#stop.abort();
    try {
      await this.#connection.ask({ type: 'cancel', target: await this.#id });
    } catch {
      // The watch, or the connection with it, is gone already: that is what was wanted.
    }
  }
}

/** The blob of an answer that carries one. Takes its descriptor. @internal */
export function toBlob({ answer, descriptor }: Reply<'get' | 'next'>): Blob {
  if (descriptor !== undefined) return new Blob(descriptor, toBlobInfo(answer.object));
  const message = `the broker answered ${answer.type} without a descriptor; this process may be out of descriptors`;
  throw new SealaneError('ERR_SEALANE_EXHAUSTED', message);
}
