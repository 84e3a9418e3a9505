/** The heap behind times to live. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Expiry } from './expiry.js';
import type { StoredObject } from './object.js';
import { TestStore } from './store.test.helper.js';

test('dropped objects do not pile up in the heap', () => {
  const made = new TestStore();
  const expiry = new Expiry(() => undefined);
  for (let count = 0; count < 10_000; count++) {
    const object = made.put(1, undefined);
    expiry.add(object, 1e6 + (count % 100));
    object.markDropped();
    expiry.dropped();
  }
  assert(expiry.size < 200, `${expiry.size} entries`);
  expiry.close();
});

test('what is left after many drops still ends in its order', async () => {
  const made = new TestStore();
  const ended: number[] = [];
  const due = new Map<StoredObject, number>();
  // The timer of the heap lets a process end; this test has to wait for it.
  const wait = setInterval(() => undefined, 1_000);
  await new Promise<void>((resolve) => {
    const expiry = new Expiry((object) => {
      object.markDropped();
      expiry.dropped();
      ended.push(due.get(object) ?? 0);
      if (ended.length === 250) resolve();
    });
    for (let count = 0; count < 500; count++) {
      const object = made.put(1, undefined);
      const ttlMs = 50 * (1 + ((count * 37) % 5));
      due.set(object, ttlMs);
      expiry.add(object, ttlMs);
      if (count % 2 === 1) continue;
      object.markDropped();
      expiry.dropped();
    }
  });
  clearInterval(wait);
  assert.deepEqual(
    ended,
    ended.toSorted((a, b) => a - b),
  );
});
