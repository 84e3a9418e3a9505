/**
 * Times to live: one heap and one timer for all objects. Owns neither objects nor their end: it tells when one is due.
 * Measures with the monotonic clock, so that setting the wall clock drops nothing.
 */
import type { StoredObject } from './object.js';

interface Entry {
  readonly dueMs: number;
  readonly object: StoredObject;
}

/** Objects that end at once, some 0.2 ms; the rest follows with the next request, or in the next turn of the event loop. */
const BATCH = 32;

/** Dropped objects that may stay in the heap; with more, and when they are the greater part, it is built anew. */
const TOMBSTONES_IGNORED = 64;

export class Expiry {
  #heap: Entry[] = [];
  #tombstones = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;

  /** `onDue` must drop the object. */
  constructor(private readonly onDue: (object: StoredObject) => void) {}

  /** Objects that wait for their end, those dropped early and not yet forgotten included. */
  get size(): number {
    return this.#heap.length;
  }

  /** Ends `object` after `ttlMs` milliseconds. */
  add(object: StoredObject, ttlMs: number): void {
    const entry = { dueMs: performance.now() + ttlMs, object };
    this.#heap.push(entry);
    this.#siftUp(this.#heap.length - 1, entry);
    this.#arm();
  }

  /** Takes note that an object with a time to live was dropped: its entry is only in the way now. */
  dropped(): void {
    this.#tombstones++;
    if (this.#tombstones > TOMBSTONES_IGNORED && this.#tombstones * 2 > this.#heap.length) this.#rebuild();
  }

  /**
   * Ends what is due, a bounded number at once. Called by the timer, and before each request, so that nobody sees an object
   * after its time although the timer is late.
   */
  sweep(): void {
    const first = this.#heap[0];
    if (first === undefined) return;
    const nowMs = performance.now();
    if (first.dueMs > nowMs) return;
    for (let count = 0; count < BATCH; count++) {
      const entry = this.#heap[0];
      if (entry === undefined || entry.dueMs > nowMs) break;
      this.#pop();
      if (entry.object.dropped) this.#tombstones--;
      else this.#end(entry.object);
    }
    this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#heap = [];
  }

  #end(object: StoredObject): void {
    // Its entry is gone already; the drop will count it as a tombstone.
    this.#tombstones--;
    this.onDue(object);
  }

  #arm(): void {
    const dueMs = this.#heap[0]?.dueMs;
    if (dueMs === undefined || dueMs >= this.#timerDueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(1, Math.ceil(dueMs - performance.now())));
    this.#timer.unref();
  }

  #onTimer(): void {
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    this.sweep();
    this.#arm();
  }

  #rebuild(): void {
    this.#heap = this.#heap.filter((entry) => !entry.object.dropped);
    this.#tombstones = 0;
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) {
      const entry = this.#heap[index];
      if (entry !== undefined) this.#siftDown(index, entry);
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#siftDown(0, last);
  }

  #siftUp(from: number, entry: Entry): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex];
      if (parent === undefined || parent.dueMs <= entry.dueMs) break;
      this.#heap[index] = parent;
      index = parentIndex;
    }
    this.#heap[index] = entry;
  }

  #siftDown(from: number, entry: Entry): void {
    let index = from;
    for (;;) {
      const childIndex = this.#lesserChild(index);
      const child = this.#heap[childIndex];
      if (child === undefined || child.dueMs >= entry.dueMs) break;
      this.#heap[index] = child;
      index = childIndex;
    }
    this.#heap[index] = entry;
  }

  #lesserChild(index: number): number {
    const left = 2 * index + 1;
    const leftDueMs = this.#heap[left]?.dueMs ?? Number.POSITIVE_INFINITY;
    const rightDueMs = this.#heap[left + 1]?.dueMs ?? Number.POSITIVE_INFINITY;
    return rightDueMs < leftDueMs ? left + 1 : left;
  }
}
