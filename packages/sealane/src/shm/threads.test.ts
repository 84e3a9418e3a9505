/** Both halves of a pair in two threads at full speed: nothing is lost, delivered twice, or changed while it is held. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type ChannelShape, channelBytes, channelShape } from './channel.js';
import { CompletionReader } from './completion.js';
import { FULL, NONE } from './outcome.js';
import { SlotPool } from './slot-pool.js';
import { SubmissionWriter } from './submission.js';
import type { ThreadData, ThreadResult } from './threads.test.helper.js';

const SAMPLES = 200_000;
/** Where nothing gives way both spin for each other, which takes its time on few processors. */
const SAMPLES_WAITING = 20_000;

/** The publisher's half: sends numbered samples, and counts those that gave way. */
class Writer {
  gaveWay = 0;
  readonly #ring: SubmissionWriter;
  readonly #completions: CompletionReader;
  readonly #pool: SlotPool;

  constructor(
    words: Int32Array,
    private readonly content: Int32Array,
    shape: ChannelShape,
    slots: number,
    bufferSize: number,
  ) {
    this.#ring = new SubmissionWriter(words, shape.submissionCells, bufferSize);
    this.#completions = new CompletionReader(words, shape, slots);
    this.#pool = new SlotPool(slots, slots);
  }

  /** False: the reader has failed. */
  send(number: number, overflow: boolean): boolean {
    const slot = this.#slot();
    this.content[slot] = number;
    while (this.#ring.checkRoom() === FULL) {
      if (overflow) this.#takeBack();
      if (Atomics.load(this.content, this.#pool.slots) !== 0) return false;
    }
    this.#ring.publish(slot);
    return true;
  }

  #slot(): number {
    this.#reclaim();
    const slot = this.#pool.takeAny();
    assert.notEqual(slot, NONE, 'the reader has no more than it may');
    return slot;
  }

  #reclaim(): void {
    for (let slot = this.#completions.take(); slot !== NONE; slot = this.#completions.take()) {
      assert.ok(slot >= 0, 'what came back makes sense');
      this.#pool.release(slot);
    }
  }

  #takeBack(): void {
    const slot = this.#ring.takeBack();
    if (slot === NONE) return;
    this.gaveWay += 1;
    this.#pool.release(slot);
  }
}

const shared = (words: number) => new Int32Array(new SharedArrayBuffer(words * 4));

/** Returns how many the reader took and how many gave way. */
async function race(bufferSize: number, maxBorrowed: number, overflow: boolean): Promise<[number, number]> {
  const last = overflow ? SAMPLES : SAMPLES_WAITING;
  const slots = bufferSize + maxBorrowed + 1;
  const shape = channelShape(bufferSize, slots);
  const [words, content] = [shared(channelBytes(shape) / 4), shared(slots + 1)];
  const workerData: ThreadData = { words, content, shape, slots, maxBorrowed, last };
  const worker = new Worker(new URL('./threads.test.helper.js', import.meta.url), { workerData });
  const [answered] = [once(worker, 'message') as Promise<[ThreadResult]>, await once(worker, 'online')];
  const writer = new Writer(words, content, shape, slots, bufferSize);
  for (let number = 1; number <= last; number++) if (!writer.send(number, overflow)) break;
  const [{ taken, problem }] = await answered;
  assert.equal(problem, undefined);
  return [taken, writer.gaveWay];
}

for (const [bufferSize, maxBorrowed] of [
  [1, 1],
  [3, 2],
  [8, 4],
] as const) {
  const sizes = `a buffer of ${bufferSize} and ${maxBorrowed} borrowed`;

  test(`every sample is delivered once, with ${sizes}`, async () => {
    assert.deepEqual(await race(bufferSize, maxBorrowed, false), [SAMPLES_WAITING, 0]);
  });

  test(`every sample is delivered once or gives way, with ${sizes}`, async () => {
    const [taken, gaveWay] = await race(bufferSize, maxBorrowed, true);
    assert.equal(taken + gaveWay, SAMPLES);
  });
}
