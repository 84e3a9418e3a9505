/**
 * Serves the control descriptors of one node: its socket, the connections of its pairs, what watches its domain. On the event loop
 * by itself; without one, whenever its owner asks, as those do who poll or block. Owns the epoll instance, not what it watches.
 */
import { MAX_POLL_MS, Readiness, Watcher } from '../../os/index.js';

/** Called when something can be read, or written where that was asked for. Must not throw. */
export type Ready = (readable: boolean, writable: boolean) => void;

/** How long whoever polls may go on before control is served, in milliseconds. */
const SERVE_EVERY_MS = 2;

/** The control descriptors of one node. */
export class ControlLoop implements Disposable {
  readonly #readiness = Readiness.open();
  readonly #watcher: Watcher;
  readonly #handlers = new Map<number, Ready>();
  readonly #timers = new Set<() => void>();
  #nextKey = 0;
  #servedMs = 0;

  constructor() {
    try {
      this.#watcher = new Watcher(this.#readiness.fd, () => this.serve());
      this.#watcher.want(true, false);
    } catch (error) {
      this.#readiness.close();
      throw error;
    }
  }

  /** Readable while something is to be served. Borrowed: it stays the loop's. Throws ERR_SEALANE_CLOSED. */
  get fd(): number {
    return this.#readiness.fd;
  }

  get closed(): boolean {
    return this.#readiness.closed;
  }

  /** Watches a borrowed descriptor; returns the key under which {@link unwatch} ends that. */
  watch(fd: number, ready: Ready): number {
    const key = this.#nextKey++;
    this.#readiness.add(fd, key);
    this.#handlers.set(key, ready);
    return key;
  }

  /** Says whether to tell of something to read: the default. Without, only errors and the end are told. */
  want(fd: number, key: number, readable: boolean): void {
    this.#readiness.change(fd, key, { readable, writable: false });
  }

  /** Ends a watch. Before the descriptor is closed. */
  unwatch(fd: number, key: number): void {
    if (!this.#handlers.delete(key) || this.#readiness.closed) return;
    this.#readiness.remove(fd);
  }

  /** Calls `due` now and then while control is served without the event loop: it looks at its own clock. Returns what ends that. */
  onServe(due: () => void): () => void {
    this.#timers.add(due);
    return () => this.#timers.delete(due);
  }

  /** Serves what is ready now. */
  serve(): void {
    this.#poll(0);
  }

  /** Serves if that was not done for a while, for an owner whose event loop may not turn: what timers would do is done too. `nowMs`: performance.now(). */
  serveIfDue(nowMs = performance.now()): void {
    if (nowMs - this.#servedMs >= SERVE_EVERY_MS) this.wait(0);
  }

  /** Waits until something is ready, at most `ms`, and serves it. Blocks the thread, never longer than terminate() may wait. */
  wait(ms: number): void {
    this.#poll(Math.min(ms, MAX_POLL_MS));
    for (const due of this.#timers) due();
  }

  /** Keeps the event loop alive: the default. */
  ref(): void {
    this.#watcher.ref();
  }

  /** Lets the event loop end. */
  unref(): void {
    this.#watcher.unref();
  }

  #poll(ms: number): void {
    if (this.#readiness.closed) return;
    const count = this.#readiness.poll(ms);
    for (let index = 0; index < count; index++) {
      const ready = this.#handlers.get(this.#readiness.key(index));
      ready?.(this.#readiness.readable(index), this.#readiness.writable(index));
      if (this.#readiness.closed) return;
    }
    this.#servedMs = performance.now();
  }

  close(): void {
    this.#handlers.clear();
    this.#watcher.close();
    this.#readiness.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
