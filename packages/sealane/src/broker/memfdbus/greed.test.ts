/** Who gives way: by user, by process, by age. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findGreediest } from './greed.js';

interface Held {
  name: string;
  uid: number;
  pid: number;
  amount: number;
}

function greediest(
  ...holders: [name: string, uid: number, pid: number, amount?: number][]
): string | undefined {
  const all = holders.map(([name, uid, pid, amount = 1]): Held => ({ name, uid, pid, amount }));
  return findGreediest(all, ({ amount }) => amount)?.name;
}

test('nobody gives way where nobody holds anything', () => {
  assert.equal(greediest(), undefined);
});

test('the user who holds most gives way, whatever one process of another has', () => {
  const result = greediest(['other', 2, 20, 3], ['first', 1, 10, 2], ['second', 1, 11, 2]);
  assert.equal(result, 'first');
});

test('of that user the process that holds most gives way, and of that its oldest', () => {
  const slow = ['slow', 1, 10] as const;
  assert.equal(greediest([...slow], ['older', 1, 11], ['newer', 1, 11], ['other', 2, 12]), 'older');
});

test('amounts count, not holders', () => {
  assert.equal(greediest(['a', 1, 10, 1], ['b', 1, 10, 1], ['large', 1, 11, 5]), 'large');
});

test('among equals the oldest gives way', () => {
  assert.equal(greediest(['oldest', 1, 10], ['next', 2, 20], ['last', 3, 30]), 'oldest');
});
