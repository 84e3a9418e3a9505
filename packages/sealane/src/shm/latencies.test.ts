/** The histogram of latencies: where times lie, and what is told of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { monotonicNs } from '../os/index.js';
import { LatencyMeter, latencyBegin, latencyBucket, latencyQuantile } from './latencies.js';
import { LATENCY_BUCKETS } from './layout.js';

/** Words with the time of a sample that was sent so many nanoseconds ago. */
function sentAgo(ns: number): Int32Array {
  const words = new Int32Array(2);
  const at = monotonicNs() - ns;
  words[0] = at | 0;
  words[1] = at / 2 ** 32;
  return words;
}

function total(cells: Float64Array): number {
  return cells.reduce((sum, count) => sum + count, 0);
}

test('every bucket begins where the one before ends, and holds what lies between', () => {
  for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
    const begin = latencyBegin(bucket);
    const end = latencyBegin(bucket + 1);
    assert.ok(end > begin);
    assert.ok((end - begin) / begin <= 1 / 8 || end - begin === 1);
    assert.equal(latencyBucket(begin), bucket);
    assert.equal(latencyBucket(end - 0.001), bucket);
  }
});

test('what takes longer than the last bucket reaches counts in it', () => {
  for (const ns of [2 ** 40, 2 ** 53, 2 ** 63, 2 ** 64, Number.MAX_VALUE, Number.POSITIVE_INFINITY])
    assert.equal(latencyBucket(ns), LATENCY_BUCKETS - 1);
});

test('quantiles are the middles of their buckets', () => {
  const cells = new Float64Array(LATENCY_BUCKETS);
  assert.equal(latencyQuantile(cells, 0.5), undefined);
  cells[latencyBucket(1_000)] = 98;
  cells[latencyBucket(1_000_000)] = 2;
  const near = (share: number, ns: number) =>
    assert.ok(Math.abs((latencyQuantile(cells, share) as number) - ns) <= ns / 14);
  near(0.5, 1_000);
  near(0.98, 1_000);
  near(0.99, 1_000_000);
  near(1, 1_000_000);
});

test('a sample counts in the bucket of the time since it was sent', () => {
  const cells = new Float64Array(LATENCY_BUCKETS);
  const meter = new LatencyMeter(cells);
  for (let sample = 0; sample < 5; sample++) meter.count(sentAgo(1_000_000), 0);
  assert.equal(total(cells), 5);
  assert.ok((latencyQuantile(cells, 0.5) as number) >= 900_000);
});

test('a sample that states no time, or one to come, is not measured', () => {
  const cells = new Float64Array(LATENCY_BUCKETS);
  const meter = new LatencyMeter(cells);
  for (const words of [new Int32Array(2), sentAgo(-1e12), new Int32Array([-1, -1])]) {
    meter.count(words, 0);
  }
  assert.equal(total(cells), 0);
});
