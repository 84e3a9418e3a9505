/** The time of day against the clock that Node.js has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realtimeNs } from './clock.js';

test('the time of day has nine digits after the second, and lies between two looks at the clock', () => {
  for (let round = 0; round < 1_000; round++) {
    const beforeMs = Date.now();
    const ns = realtimeNs();
    const afterMs = Date.now();
    assert.match(ns, /^\d{19}$/);
    const ms = Number(BigInt(ns) / 1_000_000n);
    assert(ms >= beforeMs && ms <= afterMs, `${beforeMs} ${ns} ${afterMs}`);
  }
});

test('nanoseconds are told apart: most of a thousand times differ in what milliseconds leave out', () => {
  const rests = new Set(Array.from({ length: 1_000 }, () => realtimeNs().slice(-6)));
  assert(rests.size > 500, `${rests.size} different`);
});
