/**
 * What is attached to a WaitSet: a port, a descriptor, an interval. Each knows when it is to be reported, and keeps what was reported and
 * not read from being reported for ever. Owns nothing but its place in the set: ports and descriptors are borrowed.
 */
import { isSealaneError } from '../base/errors.js';
import type { Readiness } from '../os/index.js';
import type { Waitable } from './pairs/waitable.js';

/** Something that is attached to a {@link WaitSet}. Detached by detach(), with `using`, or when the set is closed. */
export interface Attachment extends Disposable {
  /** For messages, and for whoever tells several apart by it. */
  readonly name: string;
  /** False once it was detached, or what it waited for was closed. */
  readonly attached: boolean;
  /** Waits for it no longer. What was attached stays open. Idempotent. */
  detach(): void;
}

/** Why {@link WaitSet.wait} has returned. */
export type Ready =
  /** A port has something to receive. `unread`: it was reported before, and nothing was received from it since. */
  | { readonly type: 'port'; readonly attachment: Attachment; readonly unread: boolean }
  /** A descriptor can be read or written, or has ended (both). `unread`: it was reported before, nothing was added, and it still can. */
  | {
      readonly type: 'descriptor';
      readonly attachment: Attachment;
      readonly readable: boolean;
      readonly writable: boolean;
      readonly unread: boolean;
    }
  /** Nothing came to a port for longer than its deadline. `elapsedMs`: since something did, or since it was attached. */
  | { readonly type: 'deadline'; readonly attachment: Attachment; readonly elapsedMs: number }
  /** An interval is over. `periods`: how often since it was reported last; more than 1: the thread did not wait meanwhile. */
  | { readonly type: 'interval'; readonly attachment: Attachment; readonly periods: number }
  /** What was attached was closed. It is detached now. */
  | { readonly type: 'closed'; readonly attachment: Attachment };

/** How long what is left unread is not reported again, in milliseconds: whoever forgets it shall notice, not use a processor up. */
const UNREAD_MS = 100;

/** The common part, and what a set asks of each. */
export abstract class Attached implements Attachment {
  #attached = true;
  readonly #onDetach: (attached: Attached) => void;

  protected constructor(
    readonly name: string,
    onDetach: (attached: Attached) => void,
  ) {
    this.#onDetach = onDetach;
  }

  get attached(): boolean {
    return this.#attached;
  }

  detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    this.endWaiting();
    this.#onDetach(this);
  }

  [Symbol.dispose](): void {
    this.detach();
  }

  /** What is to be reported now. */
  abstract look(nowMs: number): Ready | undefined;

  /** When to look again although nothing happens, by performance.now(). */
  abstract get dueMs(): number;

  /** The thread is about to sleep. True: it must not, there is something to report. */
  beginWaiting(): boolean {
    return false;
  }

  endWaiting(): void {}

  /** The last report. */
  protected closed(): Ready {
    this.detach();
    return { type: 'closed', attachment: this };
  }
}

/** A port, perhaps with a deadline. */
export class AttachedPort extends Attached {
  readonly #port: Waitable;
  readonly #deadlineMs: number;
  #received: number;
  /** When it was reported, if nothing was received from it since. */
  #reportedMs: number | undefined;
  /** When something was there last. */
  #seenMs = performance.now();
  #deadlineDueMs: number;
  #waiting = false;

  /** `deadlineMs`: Infinity: none. */
  constructor(name: string, port: Waitable, deadlineMs: number, onDetach: (attached: Attached) => void) {
    super(name, onDetach);
    this.#port = port;
    this.#deadlineMs = deadlineMs;
    this.#received = port.received;
    this.#deadlineDueMs = this.#seenMs + deadlineMs;
  }

  get dueMs(): number {
    return this.#reportedMs === undefined ? this.#deadlineDueMs : this.#reportedMs + UNREAD_MS;
  }

  look(nowMs: number): Ready | undefined {
    const { closed, ready, received } = this.#port;
    if (closed) return this.closed();
    const progress = received !== this.#received;
    this.#received = received;
    if (ready || progress) this.#saw(nowMs);
    if (!ready || progress) this.#reportedMs = undefined;
    return ready ? this.#report(nowMs) : this.#miss(nowMs);
  }

  /** Its publishers need not wake this thread for more of what it does not read. */
  override beginWaiting(): boolean {
    if (this.#port.closed) return true;
    if (this.#reportedMs !== undefined) return false;
    this.#waiting = true;
    return this.#port.beginWaiting();
  }

  override endWaiting(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#port.endWaiting();
  }

  #saw(nowMs: number): void {
    this.#seenMs = nowMs;
    this.#deadlineDueMs = nowMs + this.#deadlineMs;
  }

  #report(nowMs: number): Ready | undefined {
    const unread = this.#reportedMs !== undefined;
    if (unread && nowMs < this.dueMs) return undefined;
    this.#reportedMs = nowMs;
    return { type: 'port', attachment: this, unread };
  }

  #miss(nowMs: number): Ready | undefined {
    if (nowMs < this.#deadlineDueMs) return undefined;
    this.#deadlineDueMs = nowMs + this.#deadlineMs;
    return { type: 'deadline', attachment: this, elapsedMs: nowMs - this.#seenMs };
  }
}

/** What a descriptor is attached for. */
export interface DescriptorInterest {
  readonly readable: boolean;
  readonly writable: boolean;
}

/**
 * A descriptor. Watched for its edges: what is added to it is told at once, and what was told is looked at anew only after a while. So
 * who leaves something unread does not spin, and who read it all is told of what came before it waits again.
 */
export class AttachedDescriptor extends Attached {
  readonly #readiness: Readiness;
  readonly #key: number;
  readonly #interest: DescriptorInterest & { readonly edge: true };
  #readable = false;
  #writable = false;
  /** When it was reported; undefined: and found to be read since, or never. */
  #reportedMs: number | undefined;
  #lookedAnew = false;
  /** It was closed without being detached. */
  #gone = false;

  constructor(
    name: string,
    readonly fd: number,
    key: number,
    interest: DescriptorInterest,
    readiness: Readiness,
    onDetach: (attached: Attached) => void,
  ) {
    super(name, onDetach);
    this.#key = key;
    this.#interest = { ...interest, edge: true };
    this.#readiness = readiness;
    readiness.add(fd, key, this.#interest);
  }

  get key(): number {
    return this.#key;
  }

  get dueMs(): number {
    return this.#reportedMs === undefined ? Number.POSITIVE_INFINITY : this.#reportedMs + UNREAD_MS;
  }

  /** The kernel told of it. */
  onReady(readable: boolean, writable: boolean): void {
    this.#readable ||= readable;
    this.#writable ||= writable;
  }

  /** Has it looked at anew if it was reported a while ago: true, and what is still to be read is told by the next poll. */
  lookAnew(nowMs: number): boolean {
    if (nowMs < this.dueMs) return false;
    this.#lookedAnew = true;
    try {
      this.#readiness.change(this.fd, this.#key, this.#interest);
    } catch (error) {
      if (!isSealaneError(error, 'ERR_SEALANE_SYSTEM')) throw error;
      this.#gone = true;
    }
    return true;
  }

  look(nowMs: number): Ready | undefined {
    if (this.#gone) return this.closed();
    const [readable, writable, unread] = [this.#readable, this.#writable, this.#lookedAnew];
    this.#readable = this.#writable = this.#lookedAnew = false;
    if (readable || writable) {
      this.#reportedMs = nowMs;
      return { type: 'descriptor', attachment: this, readable, writable, unread };
    }
    if (unread) this.#reportedMs = undefined;
    return undefined;
  }
}

/** A time that passes again and again. */
export class AttachedInterval extends Attached {
  readonly #periodMs: number;
  #overMs: number;

  constructor(name: string, periodMs: number, onDetach: (attached: Attached) => void) {
    super(name, onDetach);
    this.#periodMs = periodMs;
    this.#overMs = performance.now() + periodMs;
  }

  get dueMs(): number {
    return this.#overMs;
  }

  /** In step with the first one, however late it is looked at. */
  look(nowMs: number): Ready | undefined {
    if (nowMs < this.#overMs) return undefined;
    const periods = 1 + Math.floor((nowMs - this.#overMs) / this.#periodMs);
    this.#overMs += periods * this.#periodMs;
    return { type: 'interval', attachment: this, periods };
  }
}
