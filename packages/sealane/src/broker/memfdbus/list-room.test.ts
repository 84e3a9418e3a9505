/** The memory of lists: who holds most gives way, and nothing is counted twice or for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from './failures.js';
import { type ListHolder, ListRoom } from './list-room.js';

function isTooLarge(error: unknown): boolean {
  return error instanceof Refusal && error.text === 'list response too large';
}

class Holder implements ListHolder {
  evicted = false;

  constructor(
    private readonly room: ListRoom,
    readonly pid: number,
    readonly uid = 1,
  ) {}

  take(bytes: number): void {
    this.room.take(this, bytes);
  }

  evict(): void {
    this.evicted = true;
    this.room.release(this);
  }
}

test('one holder may take all, and not a byte more', () => {
  const room = new ListRoom(100);
  const only = new Holder(room, 1);
  only.take(100);
  assert.throws(() => only.take(1), isTooLarge);
  only.take(100);
});

test('who holds most gives way to who asks for less', () => {
  const room = new ListRoom(100);
  const [large, small] = [new Holder(room, 1), new Holder(room, 2)];
  large.take(80);
  small.take(20);
  small.take(1);
  assert.deepEqual([large.evicted, small.evicted], [true, false]);
  small.take(79);
  assert.throws(() => small.take(1), isTooLarge);
});

test('who asks for most is refused, and others keep what they have', () => {
  const room = new ListRoom(100);
  const [small, large] = [new Holder(room, 1), new Holder(room, 2)];
  small.take(40);
  assert.throws(() => large.take(61), isTooLarge);
  assert(!small.evicted);
  large.take(60);
});

test('many small lists of one process give way to one list of another', () => {
  const room = new ListRoom(100);
  const many = Array.from({ length: 10 }, () => new Holder(room, 1));
  for (const holder of many) holder.take(10);
  const other = new Holder(room, 2);
  other.take(45);
  assert.deepEqual(
    many.map(({ evicted }) => evicted),
    [true, true, true, true, true, false, false, false, false, false],
  );
  for (const holder of [...many, other]) room.release(holder);
  new Holder(room, 3).take(100);
});
