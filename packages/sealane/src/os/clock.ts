/**
 * Clocks in nanoseconds. The time of day is text: it has 19 digits, and a number holds 15. Owns the text of the current second, and those of
 * three digits, of which the rest is put together: turning a number into text takes longer.
 */
import { addon } from '../native/addon.js';

const THREE_DIGITS: readonly string[] = Array.from({ length: 1_000 }, (_, number) =>
  String(number).padStart(3, '0'),
);

let second = -1;
let secondText = '';

/** CLOCK_REALTIME in nanoseconds since 1970 (UTC), as decimal digits. It follows the clock of the machine, also backwards. */
export function realtimeNs(): string {
  const native = addon();
  native.clockRealtime();
  const seconds = native.scratch[0] as number;
  const nanoseconds = native.scratch[1] as number;
  if (seconds !== second) {
    second = seconds;
    secondText = String(seconds);
  }
  const microseconds = Math.floor(nanoseconds / 1_000);
  const milliseconds = Math.floor(microseconds / 1_000);
  return (
    secondText +
    THREE_DIGITS[milliseconds] +
    THREE_DIGITS[microseconds - milliseconds * 1_000] +
    THREE_DIGITS[nanoseconds - microseconds * 1_000]
  );
}

/** Nanoseconds of CLOCK_MONOTONIC, the same clock in all processes of this machine. Exact for 104 days after its start, then to 2 ns. */
export function monotonicNs(): number {
  const native = addon();
  native.clockMonotonic();
  return (native.scratch[0] as number) * 1e9 + (native.scratch[1] as number);
}

/**
 * Writes the nanoseconds of CLOCK_MONOTONIC to two words, the low one first: as a number of 64 bits lies in the memory of x86-64 and
 * arm64. Allocates nothing.
 */
export function stampMonotonic(words: Int32Array | Uint32Array, index: number): void {
  const native = addon();
  native.clockMonotonic();
  words[index] = native.scratch[2] as number;
  words[index + 1] = native.scratch[3] as number;
}
