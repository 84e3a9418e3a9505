/** The notifier's half of an event set in a thread of its own: an honest one as fast as it can, or one that never holds a count still. */
import { parentPort, workerData } from 'node:worker_threads';
import { EventWriter } from './event-set.js';
import { EVENTS_COUNTS_AT, EVENTS_PENDING_AT } from './layout.js';

/** What the thread is given. */
export interface EventThreadData {
  readonly words: Int32Array;
  readonly ids: number;
  /** How often each id was notified before. */
  readonly told: readonly number[];
  /** How often it notifies. */
  readonly rounds: number;
  readonly does: 'notify' | 'flicker';
}

/** Answers how often each id was notified in all. */
function notify({ words, ids, told, rounds }: EventThreadData): void {
  const writer = new EventWriter(words, ids, told);
  const counts = Array.from({ length: ids }, (_, id) => told[id] ?? 0);
  for (let id = 0; id < ids; id++) Atomics.or(words, EVENTS_PENDING_AT / 4 + (id >>> 5), 1 << (id & 31));
  for (let round = 0; round < rounds; round++) {
    const id = (round * 7) % ids;
    writer.notify(id);
    counts[id] = (counts[id] ?? 0) + 1;
  }
  parentPort?.postMessage(counts);
}

function flicker({ words }: EventThreadData): void {
  parentPort?.postMessage('begins');
  for (let round = 0; ; round = (round + 1) % 0x40_0000) {
    Atomics.store(words, EVENTS_COUNTS_AT / 4, round);
    Atomics.or(words, EVENTS_PENDING_AT / 4, 1);
  }
}

const data = workerData as EventThreadData;
if (data.does === 'notify') notify(data);
else flicker(data);
