/** The subscriber's half of a pair in a thread of its own: takes, holds, verifies and gives back as fast as it can. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ChannelShape } from './channel.js';
import { CompletionWriter } from './completion.js';
import { NONE } from './outcome.js';
import { SubmissionReader } from './submission.js';

/** What the thread is given. */
export interface ThreadData {
  readonly words: Int32Array;
  /** The content of each slot: the number of the sample. The last element says that the reader has failed. */
  readonly content: Int32Array;
  readonly shape: ChannelShape;
  readonly slots: number;
  readonly maxBorrowed: number;
  readonly last: number;
}

/** What it answers. */
export interface ThreadResult {
  readonly taken: number;
  readonly problem: string | undefined;
}

class Reader {
  readonly #ring: SubmissionReader;
  readonly #completions: CompletionWriter;
  readonly #held: { slot: number; number: number }[] = [];
  #taken = 0;
  #last = 0;

  constructor(private readonly data: ThreadData) {
    const { words, shape, slots } = data;
    this.#ring = new SubmissionReader(words, shape.submissionCells, slots);
    this.#completions = new CompletionWriter(words, shape);
  }

  run(): ThreadResult {
    while (this.#last < this.data.last) {
      const slot = this.#ring.take();
      const problem = slot === NONE ? undefined : this.#borrow(slot);
      if (problem !== undefined) return { taken: this.#taken, problem };
    }
    return { taken: this.#taken, problem: undefined };
  }

  #borrow(slot: number): string | undefined {
    if (slot < 0) return `the ring answers ${slot}`;
    const number = this.data.content[slot] ?? 0;
    if (number <= this.#last) return `after ${this.#last} came ${number}`;
    this.#last = number;
    this.#taken += 1;
    this.#held.push({ slot, number });
    return this.#held.length < this.data.maxBorrowed ? undefined : this.#giveBack();
  }

  #giveBack(): string | undefined {
    for (const { slot, number } of this.#held.splice(0, 1 + (this.#taken % this.data.maxBorrowed))) {
      const now = this.data.content[slot];
      if (now !== number) return `slot ${slot} changed from ${number} to ${now} while it was held`;
      this.#completions.release(slot);
    }
    return undefined;
  }
}

const data = workerData as ThreadData;
const result = new Reader(data).run();
if (result.problem !== undefined) Atomics.store(data.content, data.slots, 1);
parentPort?.postMessage(result);
