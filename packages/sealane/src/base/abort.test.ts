/** Many wait on one signal with one listener. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { onAbort } from './abort.js';

test('all that wait are told once, with one listener on the signal', () => {
  const controller = new AbortController();
  const told: number[] = [];
  const forget = Array.from({ length: 50 }, (_, index) => onAbort(controller.signal, () => told.push(index)));
  assert.equal(getEventListeners(controller.signal, 'abort').length, 1);
  forget[7]?.();
  controller.abort();
  assert.deepEqual(told.length, 49);
  assert.ok(!told.includes(7));
});

test('a signal can be listened to again after all have gone', () => {
  const controller = new AbortController();
  onAbort(controller.signal, () => assert.fail('it was taken back'))();
  let told = 0;
  onAbort(controller.signal, () => told++);
  controller.abort();
  assert.equal(told, 1);
});
