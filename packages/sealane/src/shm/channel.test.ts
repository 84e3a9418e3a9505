/** Where the words of a pair's memory lie: apart, in bounds, and with room for what they carry. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { beginChannel, channelBytes, channelShape, completionTailAt } from './channel.js';
import { CHANNEL_LINE_BYTES, CHANNEL_MAGIC, CHANNEL_TAIL_AT, CHANNEL_VERSION } from './layout.js';
import { MAX_SLOTS, powerOfTwo } from './outcome.js';

test('rings have a power of two of cells: for the buffer, and for all slots and one more', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 65_536 }),
      fc.integer({ min: 1, max: MAX_SLOTS }),
      (buffer, slots) => {
        const { submissionCells, completionCells } = channelShape(buffer, slots);
        assert.ok(submissionCells >= buffer && submissionCells < 2 * buffer);
        assert.ok(completionCells > slots && completionCells <= 2 * slots);
        for (const cells of [submissionCells, completionCells]) assert.equal(cells & (cells - 1), 0);
      },
    ),
  );
});

test('the rings lie on lines of their own, within the memory', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 65_536 }), fc.integer({ min: 1, max: 10_000 }), (buffer, slots) => {
      const shape = channelShape(buffer, slots);
      const tail = completionTailAt(shape);
      assert.equal(tail % CHANNEL_LINE_BYTES, 0);
      assert.ok(CHANNEL_TAIL_AT + 4 * (1 + shape.submissionCells) <= tail);
      assert.ok(tail + 4 * (1 + shape.completionCells) <= channelBytes(shape));
    }),
  );
});

test('the least power of two is found, to the greatest that there is', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 1_023, 1_024, 1_025].map(powerOfTwo),
    [1, 2, 4, 4, 8, 1_024, 1_024, 2_048],
  );
  assert.equal(powerOfTwo(2 ** 30), 2 ** 30);
});

test('a new channel says what it is, and is empty', () => {
  const shape = channelShape(3, 5);
  const words = new Int32Array(channelBytes(shape) / 4);
  beginChannel(words, shape);
  assert.deepEqual([...words.subarray(0, 4)], [CHANNEL_MAGIC, CHANNEL_VERSION, 4, 8]);
  assert.ok(words.subarray(4).every((word) => word === 0));
});
