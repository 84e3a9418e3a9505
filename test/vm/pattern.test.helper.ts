// The test pattern of the kernel's own camera, in XR24: bars of eight colours, and text on them that changes with each picture.
import assert from 'node:assert/strict';
import type { FrameMetadata } from 'sealane';

/** Red, green and blue of the bars, from the left: white, yellow, cyan, green, magenta, red, blue, black. */
const BARS = ['111', '110', '011', '010', '101', '100', '001', '000'];

/** Between the most of a colour that is not there and the least of one that is: bars have three quarters of full brightness. */
const THRESHOLD = 96;

/** Rows without text, at the bottom. */
const PLAIN_ROWS = 16;

/** The first row with text, and how many its first line has: the time. */
const TEXT_ROW = 16;
const TEXT_ROWS = 16;

const PIXEL_BYTES = 4;

/** Some rows of a picture. */
export function rowsOf(
  memory: Uint8Array,
  { planes }: FrameMetadata,
  first: number,
  count: number,
): Uint8Array {
  const [plane] = planes;
  assert.ok(plane !== undefined);
  const start = plane.offset + first * plane.stride;
  return memory.subarray(start, start + count * plane.stride);
}

/** The rows that tell when a picture was taken, copied. */
export function timeOf(memory: Uint8Array, frame: FrameMetadata): Uint8Array {
  return rowsOf(memory, frame, TEXT_ROW, TEXT_ROWS).slice();
}

/** Fails unless the picture is the pattern. */
export function requirePattern(memory: Uint8Array, frame: FrameMetadata): void {
  const first = frame.height - PLAIN_ROWS;
  const row = rowsOf(memory, frame, first, 1);
  const colors = BARS.map((_, bar) => {
    const at = PIXEL_BYTES * Math.floor(((bar + 0.5) * frame.width) / BARS.length);
    const [blue = 0, green = 0, red = 0] = row.subarray(at, at + 3);
    return [red, green, blue].map((level) => (level > THRESHOLD ? '1' : '0')).join('');
  });
  assert.deepEqual(colors, BARS);
  for (let below = 1; below < PLAIN_ROWS; below++)
    assert.equal(Buffer.compare(rowsOf(memory, frame, first + below, 1), row), 0, 'bars are upright');
}
