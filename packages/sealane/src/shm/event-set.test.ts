/** The event set against plain counts, at the wraps of its words; in two threads at full speed; and against sides that write what they like. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { beginEventSet, EventReader, EventWriter, eventSetBytes } from './event-set.js';
import type { EventThreadData } from './event-thread.test.helper.js';
import { EVENTS_COUNTS_AT, EVENTS_PENDING_AT } from './layout.js';
import { CORRUPT, NONE } from './outcome.js';

const COUNTS = EVENTS_COUNTS_AT / 4;
const PENDING = EVENTS_PENDING_AT / 4;

/** Close to the wraps of the low word's lower bits, of all of it, and to the greatest count. */
const starts = fc.oneof(
  fc.constant(0),
  ...[2 ** 31, 2 ** 32, 3 * 2 ** 31, 2 ** 33, 2 ** 53 - 100].map((wrap) =>
    fc.integer({ min: wrap - 5, max: wrap + 1 }),
  ),
);

/** Both halves on memory of their own; each id was notified, and told, as often as it says. */
function pair(ids: number, told: readonly number[] = []) {
  const words = new Int32Array(eventSetBytes(ids) / 4);
  beginEventSet(words, ids);
  const writer = new EventWriter(words, ids, told);
  const reader = new EventReader(words, ids);
  for (const [id, start] of told.entries()) {
    if (start === 0) continue;
    Atomics.or(words, PENDING + (id >>> 5), 1 << (id & 31));
    assert.deepEqual([reader.take(), reader.count], [id, start]);
  }
  assert.equal(reader.take(), NONE);
  return { words, writer, reader };
}

test('every notification is told exactly once, in whatever order ids come and wherever their counts are', () => {
  const steps = fc.array(fc.oneof(fc.nat({ max: 69 }), fc.constant('take' as const)), { maxLength: 200 });
  const told = fc.array(starts, { minLength: 70, maxLength: 70 });
  fc.assert(
    fc.property(steps, told, (all, from) => {
      const { writer, reader } = pair(70, from);
      const left = new Map<number, number>();
      const take = () => {
        const id = reader.take();
        if (id === NONE) return false;
        assert.equal(reader.count, left.get(id), `of ${id}`);
        left.delete(id);
        return true;
      };
      for (const step of all) {
        if (step === 'take') {
          const some = left.size > 0;
          assert.equal(take(), some);
        } else {
          const marked = writer.notify(step);
          assert.ok(!marked || reader.ready);
          left.set(step, (left.get(step) ?? 0) + 1);
        }
      }
      while (take());
      assert.equal(left.size, 0);
      assert.equal(reader.ready, false);
    }),
    { numRuns: 300 },
  );
});

test('only the notification that marks an id asks to wake', () => {
  const { writer, reader } = pair(64);
  assert.deepEqual([writer.notify(33), writer.notify(33), writer.notify(1)], [true, false, true]);
  assert.deepEqual([reader.take(), reader.count], [1, 1]);
  assert.deepEqual([reader.take(), reader.count], [33, 2]);
  assert.equal(writer.notify(33), true);
});

test('a busy id does not keep the others from their turn', () => {
  const { writer, reader } = pair(96);
  for (const id of [0, 40, 90]) writer.notify(id);
  const taken = [1, 2, 3].map(() => {
    writer.notify(0);
    return reader.take();
  });
  assert.deepEqual(
    taken.sort((a, b) => a - b),
    [0, 40, 90],
  );
});

test('a count that is read between the stores of its two words is the one before', () => {
  for (const n of [2 ** 31, 2 ** 32, 3 * 2 ** 31]) {
    const { words, reader } = pair(1, [n - 4]);
    words[COUNTS + 1] = (n - 1) | 0;
    words[COUNTS] = n / 2 ** 31;
    words[PENDING] = 1;
    assert.deepEqual([reader.take(), reader.count], [0, 3]);
    words[COUNTS + 1] = n | 0;
    words[PENDING] = 1;
    assert.deepEqual([reader.take(), reader.count], [0, 1]);
  }
});

test('marks that tell nothing new are silent, and what was marked at the end is all that is told after it', () => {
  const { words, writer, reader } = pair(64);
  words[PENDING] = 0xff;
  assert.equal(reader.take(), NONE);
  writer.notify(2);
  writer.notify(40);
  reader.finish();
  writer.notify(3);
  words[PENDING + 1] = -1;
  assert.deepEqual([reader.take(), reader.take(), reader.take()].sort(), [NONE, 2, 40].sort());
  assert.equal(reader.ready, false);
});

test('a goodbye is seen', () => {
  const { writer, reader } = pair(1);
  assert.equal(reader.saidGoodbye, false);
  writer.sayGoodbye();
  assert.equal(reader.saidGoodbye, true);
});

test('a count that went back or can not be, and an id that there is not, are corrupt', () => {
  for (const [high, low] of [
    [0, 6],
    [0, -1],
    [-1, 0],
    [2 ** 22 + 1, 0],
    [-(2 ** 31), -(2 ** 31)],
  ] as const) {
    const { words, reader } = pair(3, [0, 7]);
    words.set([high, low], COUNTS + 2);
    words[PENDING] = 2;
    assert.equal(reader.take(), CORRUPT, `${high} ${low}`);
  }
  for (const bit of [3, 31]) {
    const { words, reader } = pair(3);
    words[PENDING] = 1 << bit;
    assert.equal(reader.take(), CORRUPT, `id ${bit}`);
  }
});

test('whatever the memory says, a reader tells ids that there are with counts that can be, or says that it is corrupt', () => {
  const garbage = fc.array(fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1)), {
    minLength: 80,
    maxLength: 80,
  });
  fc.assert(
    fc.property(fc.array(garbage, { minLength: 1, maxLength: 5 }), (all) => {
      const { words, reader } = pair(40);
      for (const lies of all) {
        words.set(lies.slice(0, 2), PENDING);
        words.set(lies, COUNTS);
        for (let id = reader.take(); id !== NONE && id !== CORRUPT; id = reader.take()) {
          assert.ok(id >= 0 && id < 40);
          assert.ok(Number.isSafeInteger(reader.count) && reader.count > 0);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('a writer tells right counts whatever the reader writes', () => {
  const { words, writer } = pair(8);
  for (let round = 1; round <= 10; round++) {
    words.fill(-1, PENDING);
    writer.notify(5);
    words.fill(0, PENDING);
    writer.notify(5);
    assert.equal(words[COUNTS + 11], 2 * round);
  }
});

/** A thread that does something to an event set, until it is done or told to stop. */
function thread(t: { after(fn: () => unknown): void }, data: EventThreadData): Worker {
  const worker = new Worker(new URL('./event-thread.test.helper.js', import.meta.url), { workerData: data });
  t.after(() => worker.terminate());
  return worker;
}

test('two threads at full speed: no notification is lost or told twice', async (t) => {
  const ids = 40;
  const words = new Int32Array(new SharedArrayBuffer(eventSetBytes(ids)));
  const told = Array.from({ length: ids }, (_, id) => (id % 2 === 0 ? 2 ** 32 - 2_000 : 0));
  const rounds = 300_000;
  const worker = thread(t, { words, ids, told, rounds, does: 'notify' });
  const done = once(worker, 'message');
  const reader = new EventReader(words, ids);
  const counts = new Float64Array(ids);
  let sum = 0;
  const total = rounds + told.reduce((all, one) => all + one, 0);
  while (sum < total) {
    const id = reader.take();
    assert.notEqual(id, CORRUPT);
    if (id === NONE) continue;
    counts[id] = (counts[id] as number) + reader.count;
    sum += reader.count;
  }
  const [expected] = (await done) as [number[]];
  assert.deepEqual([...counts], expected);
  assert.equal(reader.take(), NONE);
});

test('a notifier that never holds its count still does not hold the listener up', async (t) => {
  const ids = 1;
  const words = new Int32Array(new SharedArrayBuffer(eventSetBytes(ids)));
  const worker = thread(t, { words, ids, told: [], rounds: 0, does: 'flicker' });
  await once(worker, 'message');
  const reader = new EventReader(words, ids);
  while (reader.take() !== CORRUPT);
});
