/**
 * A listener's port: takes what all its notifiers have counted, in turn, and notices of those that come and go. Owns the ends of its pairs.
 * Draining allocates nothing.
 */
import type { PortFigures } from '../../shm/figures.js';
import { LISTENER_FIGURE_MISSED_DEADLINES, LISTENER_FIGURE_RECEIVED } from '../../shm/layout.js';
import { NONE } from '../../shm/outcome.js';
import type { EventSettings } from '../domain/event-settings.js';
import type { PortAddress } from '../pairs/address.js';
import type { ControlLoop } from '../pairs/control.js';
import { ReceiverPort } from '../pairs/receiver-port.js';
import type { EventInlet } from './event-inlet.js';

/** An id that was notified. */
export interface EventNotification {
  readonly type: 'event';
  readonly id: number;
  /** How often the notifier has notified it since it was received last; at least 1. */
  readonly count: number;
  readonly notifier: PortAddress;
}

/** Nothing came for as long as the service's `deadlineMs`; told again each time that it has passed once more. */
export interface DeadlineMissed {
  readonly type: 'deadline';
  /** Milliseconds since something was received, or since the listener was made: more each time, until something comes. */
  readonly elapsedMs: number;
}

/** What a listener is told. */
export type EventNotice = EventNotification | DeadlineMissed;

/** What a port needs to know. Everything was checked. */
export interface ListenerPortOptions {
  readonly settings: EventSettings;
  readonly loop: ControlLoop;
  readonly figures: PortFigures;
  /** The connection of an inlet is over. What it sent may still be received. */
  onGone(inlet: EventInlet): void;
}

/** What comes of a notifier's coming or going. */
interface OwnNotice {
  readonly id: number;
  count: number;
  notifier: PortAddress;
}

/** Notices that are kept one by one; beyond that those of an id are counted together, with the last notifier. */
const MAX_NOTICES = 1_024;

/**
 * Looks in a row, a few microseconds, before a thread that waits looks at the clock and lets others have the processor: what a notifier that is
 * awake answers comes within them, and is late by a system call otherwise.
 */
const QUICK_LOOKS = 64;

export class ListenerPort extends ReceiverPort<EventInlet> {
  readonly #settings: EventSettings;
  readonly #onGone: (inlet: EventInlet) => void;
  readonly #notices: OwnNotice[] = [];
  /** Whose turn it is. */
  #next = 0;
  #received = 0;
  #missedDeadlines = 0;
  /** When something was received last, by performance.now(); and when a deadline was told of, if that is later. */
  #lastMs = performance.now();
  #deadlineFromMs = this.#lastMs;
  /** It sleeps for what can be drained. */
  #draining = false;

  constructor({ settings, loop, figures, onGone }: ListenerPortOptions) {
    super('the listener', loop);
    this.#settings = settings;
    this.#onGone = onGone;
    figures.onWrite = (cells) => this.#tellFigures(cells);
  }

  /** Notifications that were received so far: the sum of all counts. */
  get received(): number {
    return this.#received;
  }

  override get ready(): boolean {
    return this.#notices.length > 0 || super.ready;
  }

  override add(inlet: EventInlet): void {
    this.#tell(this.#settings.notifierCreated, inlet.peer);
    super.add(inlet);
  }

  /** The next notice, or undefined. Notifiers take turns. Throws ERR_SEALANE_CLOSED. */
  receive(): EventNotice | undefined {
    this.serveNowAndThen();
    let notice = this.#take();
    if (notice === undefined && this.rearm()) notice = this.#take();
    return notice ?? this.#missedDeadline();
  }

  /** Hands over all that there is now; returns how many ids that were. Throws ERR_SEALANE_CLOSED, and what the handler throws. */
  drain(handler: (id: number, count: number) => void): number {
    this.serveNowAndThen();
    let ids = this.#drain(handler);
    if (ids === 0 && this.rearm()) ids = this.#drain(handler);
    return ids;
  }

  /** The next notice; blocks the thread until there is one, or undefined after `timeoutMs`. Looks for `spinMs` before it sleeps. */
  receiveBlocking(timeoutMs: number, spinMs: number): EventNotice | undefined {
    let notice: EventNotice | undefined;
    for (let looks = quickLooks(timeoutMs, spinMs); looks > 0; looks--) {
      notice = this.receive();
      if (notice !== undefined) return notice;
    }
    const nowMs = performance.now();
    const spinUntilMs = nowMs + Math.min(spinMs, timeoutMs);
    while (notice === undefined && this.pause(nowMs + timeoutMs, spinUntilMs)) notice = this.receive();
    return notice;
  }

  /** As drain(); blocks as receiveBlocking(). */
  drainBlocking(handler: (id: number, count: number) => void, timeoutMs: number, spinMs: number): number {
    let ids = 0;
    for (let looks = quickLooks(timeoutMs, spinMs); looks > 0; looks--) {
      ids = this.drain(handler);
      if (ids > 0) return ids;
    }
    const nowMs = performance.now();
    const spinUntilMs = nowMs + Math.min(spinMs, timeoutMs);
    while (ids === 0 && this.#pauseDraining(nowMs + timeoutMs, spinUntilMs)) ids = this.drain(handler);
    return ids;
  }

  /** Also when a deadline is missed. */
  override async untilReady(signal?: AbortSignal): Promise<void> {
    const { deadlineMs } = this.#settings;
    const timer =
      deadlineMs === 0 ? undefined : setTimeout(() => this.wake(), this.#deadlineLeftMs()).unref();
    try {
      await super.untilReady(signal);
    } finally {
      clearTimeout(timer);
    }
  }

  protected override sleepMs(leftMs: number): number {
    const ms = super.sleepMs(leftMs);
    return this.#settings.deadlineMs === 0 || this.#draining ? ms : Math.min(ms, this.#deadlineLeftMs());
  }

  /** Sleeps on when a deadline is missed: that is not drained, and so would be missed again at once, for ever. */
  #pauseDraining(untilMs: number, spinUntilMs: number): boolean {
    this.#draining = true;
    try {
      return this.pause(untilMs, spinUntilMs);
    } finally {
      this.#draining = false;
    }
  }

  protected override report(inlet: EventInlet): void {
    this.#onGone(inlet);
  }

  protected override forgotten({ peer, dropped }: EventInlet): void {
    // This side ended the connection: nothing has happened to the notifier.
    if (this.closed) return;
    const { notifierDropped, notifierDead } = this.#settings;
    this.#tell(dropped ? notifierDropped : notifierDead, peer);
  }

  #tell(id: number | null, notifier: PortAddress): void {
    if (id === null) return;
    const last = this.#notices.length < MAX_NOTICES ? undefined : this.#notices.find((one) => one.id === id);
    if (last === undefined) {
      this.#notices.push({ id, count: 1, notifier });
      return;
    }
    last.count += 1;
    last.notifier = notifier;
  }

  /** Notices of notifiers first: one has come before anything of it, and is told as gone once nothing of it is left. */
  #take(): EventNotification | undefined {
    const own = this.#notices.shift() ?? this.#takeInTurn() ?? this.#notices.shift();
    if (own === undefined) return undefined;
    this.#count(own.count);
    return { type: 'event', id: own.id, count: own.count, notifier: own.notifier };
  }

  #takeInTurn(): OwnNotice | undefined {
    const { inlets } = this;
    for (let tries = 0; tries < inlets.length; tries++) {
      if (this.#next >= inlets.length) this.#next = 0;
      const inlet = inlets[this.#next++] as EventInlet;
      const id = this.#takeFrom(inlet);
      if (id !== NONE) return { id, count: inlet.count, notifier: inlet.peer };
    }
    return undefined;
  }

  #takeFrom(inlet: EventInlet): number {
    const id = inlet.take();
    if (id === NONE && (inlet.ended || inlet.lie !== undefined)) this.retire(inlet);
    return id;
  }

  #drain(handler: (id: number, count: number) => void): number {
    let ids = this.#drainNotices(handler);
    for (const inlet of this.inlets) {
      // No more than there are: a notifier that never stops must not hold the others up.
      for (let left = this.#settings.eventIds; left > 0; left--) {
        const id = this.#takeFrom(inlet);
        if (id === NONE) break;
        const { count } = inlet;
        this.#count(count);
        ids += 1;
        handler(id, count);
      }
    }
    return ids + this.#drainNotices(handler);
  }

  #drainNotices(handler: (id: number, count: number) => void): number {
    let ids = 0;
    for (let left = this.#notices.length; left > 0 && !this.closed; left--) {
      const notice = this.#notices.shift();
      if (notice === undefined) break;
      this.#count(notice.count);
      ids += 1;
      handler(notice.id, notice.count);
    }
    return ids;
  }

  #count(count: number): void {
    this.#received += count;
    if (this.#settings.deadlineMs === 0) return;
    this.#lastMs = performance.now();
    this.#deadlineFromMs = this.#lastMs;
  }

  #tellFigures(cells: Float64Array): void {
    cells[LISTENER_FIGURE_RECEIVED] = this.#received;
    cells[LISTENER_FIGURE_MISSED_DEADLINES] = this.#missedDeadlines;
  }

  #missedDeadline(): DeadlineMissed | undefined {
    if (this.#settings.deadlineMs === 0 || this.#deadlineLeftMs() > 0) return undefined;
    const nowMs = performance.now();
    this.#deadlineFromMs = nowMs;
    this.#missedDeadlines += 1;
    return { type: 'deadline', elapsedMs: nowMs - this.#lastMs };
  }

  /** Whole milliseconds until the deadline is missed, as a timer that is set to them never fires before. */
  #deadlineLeftMs(): number {
    const leftMs = this.#deadlineFromMs + this.#settings.deadlineMs - performance.now();
    return Math.max(0, Math.ceil(leftMs));
  }
}

/** Who may not spin looks once. */
function quickLooks(timeoutMs: number, spinMs: number): number {
  return Math.min(timeoutMs, spinMs) > 0 ? QUICK_LOOKS : 1;
}
