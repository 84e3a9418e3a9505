/** The ring of slots that come back, against a plain queue; close to the wrap of its positions; and against a subscriber that lies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ChannelShape, channelBytes, channelShape, completionTailAt } from './channel.js';
import { CompletionReader, CompletionWriter } from './completion.js';
import { CORRUPT, NONE } from './outcome.js';

const starts = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 2 ** 31 - 20, max: 2 ** 31 - 1 }),
  fc.integer({ min: -20, max: -1 }),
);

/** Both halves on memory of their own; positions begin at `start`. */
function pair(slots: number, start = 0) {
  const shape: ChannelShape = channelShape(4, slots);
  const words = new Int32Array(channelBytes(shape) / 4);
  const tail = completionTailAt(shape) / 4;
  words[tail] = start;
  const writer = new CompletionWriter(words, shape, start);
  const reader = new CompletionReader(words, shape, slots, start);
  return { words, shape, tail, writer, reader };
}

test('the ring is a queue with room for every slot, wherever its positions are', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), starts, fc.array(fc.boolean()), (slots, start, steps) => {
      const { writer, reader } = pair(slots, start);
      const away = Array.from({ length: slots }, (_, slot) => slot);
      const back: number[] = [];
      for (const release of steps) {
        const slot = release ? away.shift() : undefined;
        if (slot !== undefined) {
          writer.release(slot);
          back.push(slot);
        } else if (!release) {
          const taken = reader.take();
          assert.equal(taken, back.shift() ?? NONE);
          if (taken !== NONE) away.push(taken);
        }
      }
      for (const slot of back) assert.equal(reader.take(), slot);
      assert.equal(reader.take(), NONE);
    }),
    { numRuns: 500 },
  );
});

test('a tail that can not be is corrupt', () => {
  fc.assert(
    fc.property(starts, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (start, lie) => {
      const { reader, words, tail, shape } = pair(5, start);
      words[tail] = lie;
      const ahead = (lie - start) | 0;
      const expected = ahead === 0 ? NONE : ahead > 0 && ahead <= shape.completionCells ? 0 : CORRUPT;
      assert.equal(reader.take(), expected);
    }),
    { numRuns: 1_000 },
  );
});

test('a cell that names no slot is corrupt', () => {
  for (const lie of [-1, 5, 2 ** 31 - 1, -(2 ** 31)]) {
    const { writer, reader } = pair(5);
    writer.release(lie);
    assert.equal(reader.take(), CORRUPT);
  }
});
