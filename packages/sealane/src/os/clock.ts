/** The time of day in nanoseconds, as text: it has 19 digits, and a number holds 15. Owns the text of the current second. */
import { addon } from '../native/addon.js';

let second = -1;
let secondText = '';

/** CLOCK_REALTIME in nanoseconds since 1970 (UTC), as decimal digits. It follows the clock of the machine, also backwards. */
export function realtimeNs(): string {
  const native = addon();
  native.clockRealtime();
  const [seconds = 0, nanoseconds = 0] = native.scratch;
  if (seconds !== second) {
    second = seconds;
    secondText = String(seconds);
  }
  // The digit in front keeps the zeros. An integer of 32 bits, which the number is, becomes text faster than a double.
  return secondText + String((1_000_000_000 + nanoseconds) | 0).slice(1);
}
