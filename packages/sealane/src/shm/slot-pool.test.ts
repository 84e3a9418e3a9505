/** The record of slots, against a plain count of who needs each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NONE } from './outcome.js';
import { SlotPool } from './slot-pool.js';

/** A pool and how many need each slot. */
class Model {
  readonly #needed = new Map<number, number>();
  readonly #pool: SlotPool;
  #seen = 0;

  constructor(
    private readonly slots: number,
    private readonly warm: number,
  ) {
    this.#pool = new SlotPool(slots, warm);
  }

  take(): void {
    const free = this.#seen - this.#needed.size;
    this.#taken(this.#pool.take(), free > 0 || this.#seen < Math.min(this.warm, this.slots));
  }

  takeAny(): void {
    this.#taken(this.#pool.takeAny(), this.#needed.size < this.slots);
  }

  retain(index: number): void {
    const slot = this.#pick(index);
    if (slot === undefined) return;
    this.#pool.retain(slot);
    this.#needed.set(slot, (this.#needed.get(slot) ?? 0) + 1);
  }

  release(index: number): void {
    const slot = this.#pick(index);
    if (slot === undefined) return;
    this.#pool.release(slot);
    const left = (this.#needed.get(slot) ?? 0) - 1;
    if (left === 0) this.#needed.delete(slot);
    else this.#needed.set(slot, left);
  }

  check(): void {
    assert.equal(this.#pool.used, this.#needed.size);
  }

  #taken(slot: number, expected: boolean): void {
    assert.equal(slot !== NONE, expected);
    if (slot === NONE) return;
    assert.ok(slot >= 0 && slot < this.slots);
    assert.ok(!this.#needed.has(slot), `slot ${slot} is taken twice`);
    this.#needed.set(slot, 1);
    this.#seen = Math.max(this.#seen, slot + 1);
  }

  #pick(index: number): number | undefined {
    const slots = [...this.#needed.keys()];
    return slots[index % slots.length];
  }
}

test('a slot is free exactly when nobody needs it', () => {
  const actions = fc.array(
    fc.tuple(fc.constantFrom('take', 'takeAny', 'retain', 'release', 'release'), fc.nat()),
    {
      maxLength: 200,
    },
  );
  const sizes = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 14 }));
  fc.assert(
    fc.property(sizes, actions, ([slots, warm], steps) => {
      const model = new Model(slots, warm);
      for (const [action, index] of steps) {
        if (action === 'take') model.take();
        else if (action === 'takeAny') model.takeAny();
        else if (action === 'retain') model.retain(index);
        else model.release(index);
        model.check();
      }
    }),
    { numRuns: 500 },
  );
});

test('the slot that came back last is taken first', () => {
  const pool = new SlotPool(4, 4);
  const [first, second] = [pool.take(), pool.take()];
  pool.release(second);
  pool.release(first);
  assert.equal(pool.take(), first);
  assert.equal(pool.take(), second);
});
