/** Work in portions, in turns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Budget, type Chore, FairWork } from './work.js';

/** Takes `left` units, one at a time, and tells when it is done. */
function chore(left: number, done: () => void): Chore {
  let remaining = left;
  return {
    work(budget: Budget): boolean {
      while (remaining > 0 && budget.units > 0) {
        remaining--;
        budget.units--;
      }
      if (remaining === 0) done();
      return remaining === 0;
    },
    abandon: () => undefined,
  };
}

test('a small chore is done on the spot', () => {
  const order: string[] = [];
  const work = new FairWork();
  work.add(
    1,
    chore(10, () => order.push('done')),
  );
  assert.deepEqual(order, ['done']);
});

test('chores of one user are done in their order, also when a later one is small', async () => {
  const order: string[] = [];
  const work = new FairWork();
  await new Promise<void>((resolve) => {
    work.add(
      1,
      chore(100_000, () => order.push('large')),
    );
    work.add(
      1,
      chore(1, () => {
        order.push('small');
        resolve();
      }),
    );
  });
  assert.deepEqual(order, ['large', 'small']);
});

test("one user's large chore does not delay another's", async () => {
  const order: string[] = [];
  const work = new FairWork();
  await new Promise<void>((resolve) => {
    work.add(
      1,
      chore(1_000_000, () => {
        order.push('large');
        resolve();
      }),
    );
    work.add(
      2,
      chore(5_000, () => order.push('small')),
    );
  });
  assert.deepEqual(order, ['small', 'large']);
});

test('the event loop turns between two rounds', async () => {
  const order: string[] = [];
  const work = new FairWork();
  await new Promise<void>((resolve) => {
    work.add(
      1,
      chore(100_000, () => {
        order.push('large');
        resolve();
      }),
    );
    setTimeout(() => order.push('timer'), 0);
    setImmediate(() => order.push('immediate'));
  });
  assert.equal(order.at(-1), 'large');
  assert(order.includes('immediate'));
});

test('a chore that throws is abandoned, and those behind it are done', () => {
  const order: string[] = [];
  const work = new FairWork();
  work.add(1, {
    work: () => {
      work.add(
        1,
        chore(1, () => order.push('behind')),
      );
      throw new Error('a bug');
    },
    abandon: (error) => order.push(String(error)),
  });
  assert.deepEqual(order, ['Error: a bug', 'behind']);
});

test('chores that wait when the broker ends are abandoned', () => {
  const order: string[] = [];
  const work = new FairWork();
  work.add(1, { work: () => false, abandon: (error) => order.push(`first ${error}`) });
  work.add(1, { work: () => false, abandon: (error) => order.push(`second ${error}`) });
  work.close('ended');
  assert.deepEqual(order, ['first ended', 'second ended']);
});

test('a chore that is added while another is at work comes behind it', () => {
  const order: string[] = [];
  const work = new FairWork();
  work.add(
    1,
    chore(1, () => {
      work.add(
        1,
        chore(1, () => order.push('second')),
      );
      order.push('first');
    }),
  );
  assert.deepEqual(order, ['first', 'second']);
});
