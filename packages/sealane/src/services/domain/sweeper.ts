/**
 * Looks after the ports at the other end of connections that are over and were not withdrawn: when their nodes turn out to be dead, what
 * they left is removed. Owns the suspicion, and the timer by which it looks again.
 */
import { isSealaneError } from '../../base/errors.js';
import type { Domain } from './domain.js';
import { isAlive } from './node-files.js';
import { exists, sweepLocked } from './sweep.js';

/**
 * How soon it looks again, in milliseconds, twice as long each time: the kernel may close the connections of a process that was killed
 * before the socket at which it listened, and another may hold the lock.
 */
const FIRST_RETRY_MS = 10;
/** After so many looks, 2.5 seconds, the node lives: it has lost this one connection. */
const MAX_LOOKS = 8;

export class Sweeper implements Disposable {
  readonly #domain: Domain;
  /** How often each was looked at. */
  readonly #suspects = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #waitMs = FIRST_RETRY_MS;
  #closed = false;

  constructor(domain: Domain) {
    this.#domain = domain;
  }

  /** A connection with a port of that node is over. `file`: that of the port; who closes a port withdraws it before. */
  suspect(node: string, file: string): void {
    if (this.#closed || !exists(file)) return;
    this.#suspects.set(node, 0);
    this.#waitMs = FIRST_RETRY_MS;
    this.#look();
  }

  /** Looks again if it is time, for an owner whose event loop may not turn. */
  retry(): void {
    if (this.#suspects.size > 0 && performance.now() >= this.#dueMs) this.#look();
  }

  /** Gives up: whoever sees it next removes what is still there. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#suspects.clear();
    clearTimeout(this.#timer);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #look(): void {
    const dead = [...this.#suspects.keys()].filter((node) => !isAlive(this.#domain, node));
    if (dead.length > 0 && this.#sweep(dead)) for (const node of dead) this.#suspects.delete(node);
    for (const [node, looks] of this.#suspects) {
      if (looks < MAX_LOOKS) this.#suspects.set(node, looks + 1);
      else this.#suspects.delete(node);
    }
    this.#setTimer();
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    if (this.#suspects.size === 0) return;
    this.#dueMs = performance.now() + this.#waitMs;
    this.#timer = setTimeout(() => this.retry(), this.#waitMs + 1).unref();
    this.#waitMs *= 2;
  }

  /** False: to be tried again. What can't be removed stays, and is met again. */
  #sweep(dead: readonly string[]): boolean {
    try {
      return this.#domain.tryLocked(() => sweepLocked(this.#domain, dead)) !== undefined;
    } catch (error) {
      if (isSealaneError(error)) return true;
      throw error;
    }
  }
}
