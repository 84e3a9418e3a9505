/** The ring to a subscriber, against a plain queue; close to the wrap of its positions; and against a side that lies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHANNEL_HEAD_AT, CHANNEL_TAIL_AT } from './layout.js';
import { CORRUPT, FULL, NONE, powerOfTwo } from './outcome.js';
import { SubmissionReader, SubmissionWriter } from './submission.js';

const HEAD = CHANNEL_HEAD_AT / 4;
const TAIL = CHANNEL_TAIL_AT / 4;
const SLOTS = 1_000;

/** Both halves on memory of their own; positions begin at `start`. */
function pair(limit: number, start = 0) {
  const cells = powerOfTwo(limit);
  const words = new Int32Array(TAIL + 1 + cells);
  words[HEAD] = start;
  words[TAIL] = start;
  const writer = new SubmissionWriter(words, cells, limit, start);
  const reader = new SubmissionReader(words, cells, SLOTS);
  return { words, cells, writer, reader };
}

type Step = 'publish' | 'overflow' | 'take' | 'take back' | 'look';
const steps = fc.array(fc.constantFrom<Step>('publish', 'publish', 'overflow', 'take', 'take back', 'look'), {
  maxLength: 200,
});
/** Also those from which a few samples lead over the greatest int32, and over 2^32. */
const starts = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 2 ** 31 - 20, max: 2 ** 31 - 1 }),
  fc.integer({ min: -20, max: -1 }),
);

/** A pair and the queue that says what must be in it. */
class Model {
  readonly #pair: ReturnType<typeof pair>;
  readonly #queue: number[] = [];
  #next = 0;

  constructor(
    private readonly limit: number,
    start: number,
  ) {
    this.#pair = pair(limit, start);
  }

  step(step: Step): void {
    const { writer, reader } = this.#pair;
    if (step === 'publish') this.#publish();
    else if (step === 'overflow') this.#overflow();
    else if (step === 'take') this.#take();
    else if (step === 'take back') this.#takeBack();
    else assert.equal(writer.look(), this.#queue.length < this.limit ? NONE : FULL);
    assert.equal(reader.ready, this.#queue.length > 0);
  }

  #take(): void {
    const { reader } = this.#pair;
    const slot = this.#queue.shift() ?? NONE;
    assert.equal(reader.take(), slot);
    // Known is what was there when the reader last looked at the tail.
    if (slot !== NONE) assert.ok(reader.left >= 0 && reader.left <= this.#queue.length);
  }

  #publish(): void {
    const { writer } = this.#pair;
    assert.equal(writer.checkRoom(), this.#queue.length < this.limit ? NONE : FULL);
    if (this.#queue.length === this.limit) return;
    const slot = this.#next++ % SLOTS;
    writer.publish(slot);
    this.#queue.push(slot);
  }

  #overflow(): void {
    const { writer } = this.#pair;
    if (writer.checkRoom() === FULL) assert.equal(writer.takeBack(), this.#queue.shift());
    this.#publish();
  }

  /** The writer knows of what was taken only once it has looked. */
  #takeBack(): void {
    const { writer } = this.#pair;
    writer.look();
    assert.equal(writer.takeBack(), this.#queue.shift() ?? NONE);
  }
}

test('the ring is a queue of its limit, wherever its positions are', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), starts, steps, (limit, start, taken) => {
      const model = new Model(limit, start);
      for (const step of taken) model.step(step);
    }),
    // A reader that found nothing, while the oldest gave way: the head comes to where the reader began.
    { numRuns: 500, examples: [[1, -1, ['take', 'publish', 'overflow', 'take']]] },
  );
});

test('a writer that has not looked does not take back what was taken', () => {
  const { writer, reader } = pair(2);
  writer.publish(7);
  assert.equal(reader.take(), 7);
  assert.equal(writer.takeBack(), NONE);
  assert.equal(writer.look(), NONE);
  assert.equal(writer.length, 0);
});

test('what the subscriber writes into the cells changes nothing of what is taken back', () => {
  const { writer, words } = pair(2);
  writer.publish(7);
  writer.publish(8);
  words.fill(99, TAIL + 1);
  assert.equal(writer.look(), FULL);
  assert.equal(writer.takeBack(), 7);
  assert.equal(writer.takeBack(), 8);
});

test('a head that can not be is corrupt to the writer', () => {
  fc.assert(
    fc.property(starts, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (start, lie) => {
      const { writer, reader, words } = pair(4, start);
      for (const slot of [1, 2, 3, 4]) writer.publish(slot);
      reader.take();
      writer.look();
      // Taken so far: 1 of 4.
      words[HEAD] = lie;
      const ahead = (lie - start) | 0;
      const answer = writer.look();
      assert.equal(answer, ahead >= 1 && ahead <= 4 ? NONE : CORRUPT);
    }),
    { numRuns: 1_000 },
  );
});

test('a head that moves back after it was seen is corrupt to the writer', () => {
  const { writer, reader, words } = pair(4);
  for (const slot of [1, 2]) writer.publish(slot);
  reader.take();
  assert.equal(writer.look(), NONE);
  words[HEAD] = 0;
  assert.equal(writer.look(), CORRUPT);
});

test('a tail that can not be is corrupt to the reader', () => {
  fc.assert(
    fc.property(starts, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (start, lie) => {
      const { reader, words } = pair(4, start);
      words[TAIL] = lie;
      const ahead = (lie - start) | 0;
      const expected = ahead === 0 ? NONE : ahead > 0 && ahead <= 4 ? 0 : CORRUPT;
      assert.equal(reader.take(), expected);
    }),
    { numRuns: 1_000 },
  );
});

test('a cell that names no slot is corrupt to the reader', () => {
  for (const lie of [-1, SLOTS, 2 ** 31 - 1, -(2 ** 31)]) {
    const { writer, reader } = pair(4);
    writer.publish(lie);
    assert.equal(reader.take(), CORRUPT);
  }
});
