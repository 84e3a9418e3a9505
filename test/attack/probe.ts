// Loaded into the broker's process before its own program (`--import`): answers each message with what the process holds, after a full
// collection (`--expose-gc`). Keeps the process alive for nothing.
import { readdirSync } from 'node:fs';

/** What a broker's process holds. */
export interface Holdings {
  readonly descriptors: number;
  /** Bytes of the JavaScript heap and of what it keeps outside. */
  readonly heapBytes: number;
}

process.on('message', () => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const holdings: Holdings = {
    descriptors: readdirSync('/proc/self/fd').length,
    heapBytes: heapUsed + external,
  };
  process.send?.(holdings);
});
process.channel?.unref();
