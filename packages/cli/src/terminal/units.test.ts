// Sizes and times, both directions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatAge,
  formatBytes,
  formatDuration,
  formatRate,
  formatRatio,
  formatRemaining,
  parseDuration,
  parseSize,
} from './units.js';

test('sizes are read with and without units', () => {
  const sizes: [string, number][] = [
    ['0', 0],
    ['1048576', 1_048_576],
    ['512b', 512],
    ['64K', 65_536],
    ['64KiB', 65_536],
    ['64kb', 64_000],
    ['64MiB', 67_108_864],
    ['1.5 GiB', 1_610_612_736],
    ['2T', 2 * 1024 ** 4],
    ['2TB', 2e12],
    ['1.1KB', 1100],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseSize(text), bytes, text);
});

test('what is no whole number of bytes is refused', () => {
  for (const text of [
    '',
    '-1',
    'x',
    '1x',
    '1.5',
    '0.0001KiB',
    '1e3',
    '0x10',
    'MiB',
    '1 2',
    '99999999T',
    'constructor',
  ]) {
    assert.equal(parseSize(text), undefined, text);
  }
});

test('times need a unit', () => {
  const times: [string, number | undefined][] = [
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['10', undefined],
    ['0.5ms', undefined],
    ['s', undefined],
    ['-1s', undefined],
  ];
  for (const [text, ms] of times) assert.equal(parseDuration(text), ms, text);
});

test('sizes are printed with three digits', () => {
  const printed = [0, 999, 1000, 1024, 1_048_575, 102_000_000, 2 ** 30, 1e15, -2048].map(formatBytes);
  assert.deepEqual(printed, [
    '0 B',
    '999 B',
    '0.98 KiB',
    '1.00 KiB',
    '1.00 MiB',
    '97.3 MiB',
    '1.00 GiB',
    '909 TiB',
    '-2.00 KiB',
  ]);
});

test('times are printed in the unit that fits', () => {
  const printed = [0.0204, 1.5, 85.24, 999.4, 1240, 59_400, 200_000, 7_300_000, 100_000_000].map(
    formatDuration,
  );
  assert.deepEqual(printed, [
    '20 us',
    '1.50 ms',
    '85.2 ms',
    '999 ms',
    '1.24 s',
    '59.4 s',
    '3m 20s',
    '2h 1m',
    '1d 3h',
  ]);
});

test('ages, rates and ratios are short', () => {
  assert.deepEqual([-5, 45_000, 7_197_000].map(formatRemaining), ['0s', '45s', '1h 59m']);
  assert.deepEqual([-5, 59_999, 60_000, 7_200_000, 172_800_000].map(formatAge), [
    '0s',
    '59s',
    '1m',
    '2h',
    '2d',
  ]);
  assert.deepEqual([formatRate(2 ** 30, 500), formatRate(1, 0)], ['2.00 GiB/s', '-']);
  assert.deepEqual([formatRatio(10, 8), formatRatio(240, 10)], ['1.3x', '24x']);
});
