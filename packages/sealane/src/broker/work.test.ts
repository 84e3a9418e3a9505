/** Work in portions, in turns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Budget, type Chore, FairWork, WorkLane } from './work.js';

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
  const lane = new WorkLane(1);
  work.add(
    lane,
    chore(10, () => order.push('done')),
  );
  assert.deepEqual(order, ['done']);
});

test('chores of one connection are done in their order, also when a later one is small', async () => {
  const order: string[] = [];
  const work = new FairWork();
  const lane = new WorkLane(1);
  await new Promise<void>((resolve) => {
    work.add(
      lane,
      chore(100_000, () => order.push('large')),
    );
    work.add(
      lane,
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
  const lane = new WorkLane(1);
  await new Promise<void>((resolve) => {
    work.add(
      lane,
      chore(1_000_000, () => {
        order.push('large');
        resolve();
      }),
    );
    work.add(
      new WorkLane(2),
      chore(5_000, () => order.push('small')),
    );
  });
  assert.deepEqual(order, ['small', 'large']);
});

test('the event loop turns between two rounds', async () => {
  const order: string[] = [];
  const work = new FairWork();
  const lane = new WorkLane(1);
  await new Promise<void>((resolve) => {
    work.add(
      lane,
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
  const lane = new WorkLane(1);
  work.add(lane, {
    work: () => {
      work.add(
        lane,
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
  const lane = new WorkLane(1);
  work.add(lane, { work: () => false, abandon: (error) => order.push(`first ${error}`) });
  work.add(lane, { work: () => false, abandon: (error) => order.push(`second ${error}`) });
  work.close('ended');
  assert.deepEqual(order, ['first ended', 'second ended']);
});

test('a chore that is added while another is at work comes behind it', () => {
  const order: string[] = [];
  const work = new FairWork();
  const lane = new WorkLane(1);
  work.add(
    lane,
    chore(1, () => {
      work.add(
        lane,
        chore(1, () => order.push('second')),
      );
      order.push('first');
    }),
  );
  assert.deepEqual(order, ['first', 'second']);
});

/** A chore of steps that can't be cut, each of which costs `units`. */
function coarse(steps: number, units: number, onStep: () => void): Chore {
  let left = steps;
  return {
    work(budget: Budget): boolean {
      while (left > 0 && budget.units > 0) {
        left--;
        budget.units -= units;
        onStep();
      }
      return left === 0;
    },
    abandon: () => undefined,
  };
}

test("one connection's large chore does not delay another of the same user", async () => {
  const order: string[] = [];
  const work = new FairWork();
  await new Promise<void>((resolve) => {
    work.add(
      new WorkLane(1),
      chore(1_000_000, () => {
        order.push('large');
        resolve();
      }),
    );
    work.add(
      new WorkLane(1),
      chore(5_000, () => order.push('small')),
    );
  });
  assert.deepEqual(order, ['small', 'large']);
});

test('who oversteps its turn sits out the turns that it owes', async () => {
  const work = new FairWork();
  let coarseSteps = 0;
  let stepsBefore = 0;
  await new Promise<void>((resolve) => {
    work.add(
      new WorkLane(1),
      coarse(1_000, 8_000, () => coarseSteps++),
    );
    work.add(
      new WorkLane(1),
      chore(80_000, () => {
        stepsBefore = coarseSteps;
        resolve();
      }),
    );
  });
  work.close(undefined);
  // As many units for the one as for the other: ten steps, and one more or less at the ends.
  assert(stepsBefore >= 8 && stepsBefore <= 12, `${stepsBefore} steps`);
});

test('a user with many connections gets no more than a user with one', async () => {
  const work = new FairWork();
  let units = 0;
  let unitsBefore = 0;
  await new Promise<void>((resolve) => {
    for (let count = 0; count < 200; count++) {
      work.add(
        new WorkLane(1),
        coarse(10_000, 1, () => units++),
      );
    }
    work.add(
      new WorkLane(2),
      chore(40_000, () => {
        unitsBefore = units;
        resolve();
      }),
    );
  });
  work.close(undefined);
  // What was done on the spot before the other came, and the same share.
  assert(unitsBefore < 60_000, `${unitsBefore} units came first`);
});

test('who comes back for little again and again does not keep the others from their turns', async () => {
  const work = new FairWork();
  const lanes = Array.from({ length: 100 }, () => new WorkLane(1));
  let done = false;
  let rounds = 0;
  const again = (): void => {
    if (done) return;
    rounds++;
    for (const lane of lanes)
      if (lane.chores.length === 0)
        work.add(
          lane,
          chore(300, () => undefined),
        );
    setImmediate(again);
  };
  again();
  await new Promise<void>((resolve) => {
    work.add(
      new WorkLane(1),
      chore(20_000, () => {
        done = true;
        resolve();
      }),
    );
  });
  // Some 40 turns of its own, each between those of 100 others: without them, it would never come to its end.
  assert(rounds < 2_000, `${rounds} rounds`);
});

test('a process with many connections gets no more than another process of its user', async () => {
  const work = new FairWork();
  let units = 0;
  let unitsBefore = 0;
  await new Promise<void>((resolve) => {
    for (let count = 0; count < 200; count++) {
      work.add(
        new WorkLane(1, 7),
        coarse(10_000, 1, () => units++),
      );
    }
    work.add(
      new WorkLane(1, 8),
      chore(40_000, () => {
        unitsBefore = units;
        resolve();
      }),
    );
  });
  work.close(undefined);
  assert(unitsBefore < 60_000, `${unitsBefore} units came first`);
});

test('a process that asks for less than its share is served before those who always have more to do', async () => {
  const work = new FairWork();
  let units = 0;
  for (let count = 0; count < 200; count++) {
    work.add(
      new WorkLane(1, count % 10),
      coarse(10_000, 1, () => units++),
    );
  }
  const lane = new WorkLane(1, 1_000);
  for (let count = 0; count < 20; count++) {
    const before = units;
    await new Promise<void>((resolve) => {
      work.add(lane, chore(50, resolve));
      setImmediate(() => undefined);
    });
    // A turn of each other process at most, and none of each connection.
    assert(units - before <= 10_000, `${units - before} units came first`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  work.close(undefined);
});

test('what was used on the spot is given back with the next turn of the event loop', async () => {
  const work = new FairWork();
  const lane = new WorkLane(1);
  for (let turn = 0; turn < 10; turn++) {
    let done = 0;
    for (let count = 0; count < 4; count++)
      work.add(
        lane,
        chore(450, () => done++),
      );
    assert.equal(done, 4);
    await new Promise((resolve) => setImmediate(resolve));
  }
});
