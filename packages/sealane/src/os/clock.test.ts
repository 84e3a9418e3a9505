/** The clocks against those that Node.js has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { monotonicNs, realtimeNs, stampMonotonic } from './clock.js';

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

test('the monotonic clock is the one of process.hrtime, and never goes back', () => {
  let lastNs = 0;
  for (let round = 0; round < 1_000; round++) {
    const before = process.hrtime.bigint();
    const ns = monotonicNs();
    const after = process.hrtime.bigint();
    assert(before <= BigInt(ns) && BigInt(ns) <= after, `${before} ${ns} ${after}`);
    assert(ns >= lastNs);
    lastNs = ns;
  }
});

test('a stamp is the monotonic clock as 64 bits at its place, and leaves its neighbours alone', () => {
  const stamps = new BigInt64Array(3).fill(-1n);
  for (const words of [new Int32Array(stamps.buffer), new Uint32Array(stamps.buffer)]) {
    for (let round = 0; round < 1_000; round++) {
      const before = process.hrtime.bigint();
      stampMonotonic(words, 2);
      const after = process.hrtime.bigint();
      const ns = stamps[1] ?? 0n;
      assert(before <= ns && ns <= after, `${before} ${ns} ${after}`);
    }
  }
  assert.deepEqual([stamps[0], stamps[2]], [-1n, -1n]);
});
