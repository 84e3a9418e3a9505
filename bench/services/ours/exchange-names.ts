// What both sides of an exchange have to know of each other.
import type { ServiceOptions } from 'sealane';

export const THERE = 'there';
export const BACK = 'back';

/** The largest payload; the pages of what is smaller are all that it uses. */
export const MAX_PAYLOAD_BYTES = 16 * 2 ** 20;

/** Of an answer: the number of bytes that were seen, as a float64. */
export const ANSWER_BYTES = 8;

/** One payload is under way at a time, and one answer of each consumer. */
export function settingsOf(maxBytes: number, subscribers: number): ServiceOptions {
  return {
    ...{ maxBytes, bufferSize: 1, maxBorrowed: 1, maxLoaned: 1 },
    ...{ maxSubscribers: subscribers, maxPublishers: 8, maxNodes: 16 },
  };
}
