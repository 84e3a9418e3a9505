/**
 * The audit of one broker: takes records, and hands their lines to the sink in batches, one write at a time.
 * Owns the lines that wait, their bound, and what happens at the bound: the broker waits, or lines are dropped and counted.
 * Trusts the sink to say truly what it wrote, and not to be quick.
 */
import { checkInteger, checkOptions } from '../../base/check.js';
import { invalidArgument } from '../../base/errors.js';
import { realtimeNs } from '../../os/clock.js';
import { countLines, Lines } from './lines.js';
import { type AuditRecord, formatRecord, NOTHING } from './record.js';
import type { AuditSink } from './sink.js';
import { type Say, Trouble, warnProcess } from './trouble.js';

/** What happens when the sink does not keep up: the broker reads no further request until it does, or lines are dropped. */
export type AuditOverflow = 'wait' | 'drop';

/** The audit of a broker. */
export interface AuditOptions {
  /** Where the lines go. Borrowed: close it after the broker. */
  sink: AuditSink;
  /** At the bound of what waits to be written. Default: 'wait'. */
  whenFull?: AuditOverflow | undefined;
  /** Bytes that may wait to be written. Default 8 MiB; 4 KiB to 256 MiB. What was asked before it was reached may exceed it. */
  maxBufferBytes?: number | undefined;
  /** Told in one line when the audit can't be written, and when it can again. Default: a warning of the process. */
  onTrouble?: Say | undefined;
}

/** About a second of the busiest broker. */
const DEFAULT_BUFFER_BYTES = 8_388_608;

/** Least and greatest bound of what waits: room for a line, and far below the longest string. */
const MIN_BUFFER_BYTES = 4_096;
const MAX_BUFFER_BYTES = 268_435_456;

/**
 * Time between the beginnings of two writes, in milliseconds: one costs as much as some requests. It is what a broker that is killed
 * may owe; what comes after a pause is written at once.
 */
const WRITE_INTERVAL_MS = 10;

/** How long to wait after a write that failed, in milliseconds. */
const RETRY_MS = 1_000;

/** How long a broker that ends waits for a sink that takes nothing, in milliseconds. */
const END_GRACE_MS = 2_000;

/** What is full is so until this share of the bound is left: so that it does not change with every line. */
const ROOM_SHARE = 0.5;

/** Throws ERR_SEALANE_INVALID_ARGUMENT unless `value` is {@link AuditOptions}. */
export function checkAuditOptions(value: unknown): asserts value is AuditOptions {
  checkOptions('options.audit', value, ['sink', 'whenFull', 'maxBufferBytes', 'onTrouble']);
  const { sink, whenFull, maxBufferBytes, onTrouble } = value as Record<string, unknown>;
  if (typeof (sink as Partial<AuditSink> | undefined)?.write !== 'function')
    throw invalidArgument('options.audit.sink', 'have a method write', sink);
  if (whenFull !== undefined && whenFull !== 'wait' && whenFull !== 'drop')
    throw invalidArgument('options.audit.whenFull', "be 'wait' or 'drop'", whenFull);
  if (maxBufferBytes !== undefined)
    checkInteger('options.audit.maxBufferBytes', maxBufferBytes, MIN_BUFFER_BYTES, MAX_BUFFER_BYTES);
  if (onTrouble !== undefined && typeof onTrouble !== 'function')
    throw invalidArgument('options.audit.onTrouble', 'be a function', onTrouble);
}

export class AuditLog {
  readonly #sink: AuditSink;
  readonly #waits: boolean;
  readonly #maxBytes: number;
  readonly #trouble: Trouble;
  readonly #listeners = new Set<() => void>();
  /** What no write has taken up. */
  readonly #lines = new Lines();
  /** What is being written, or waits to be tried again. */
  #writing: Uint8Array | undefined;
  #full = false;
  #dropped = 0;
  #droppedSinceNs = '';
  #wroteAtMs = Number.NEGATIVE_INFINITY;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;
  #onEnd: (() => void) | undefined;
  #ended = false;

  constructor({ sink, whenFull = 'wait', maxBufferBytes, onTrouble }: AuditOptions) {
    this.#sink = sink;
    this.#waits = whenFull === 'wait';
    this.#maxBytes = maxBufferBytes ?? DEFAULT_BUFFER_BYTES;
    this.#trouble = new Trouble(onTrouble ?? warnProcess, this.#waits);
  }

  /** Whether nothing may be done now that would have to be recorded. */
  get blocked(): boolean {
    return this.#full && this.#waits;
  }

  /** Calls `listener` whenever {@link blocked} may have changed. The result ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes a record. Never blocks. */
  record(record: AuditRecord): void {
    if (this.#ended) return;
    if (this.#full && !this.#waits) this.#drop();
    else this.#append(formatRecord(record, realtimeNs()));
  }

  /**
   * Writes what is left, and resolves: when that is done, or when the sink has taken nothing for two seconds. What comes after
   * is lost. Idempotent.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #close(): Promise<void> {
    if (this.#dropped > 0) this.#appendDropped();
    if (this.#bytes === 0) {
      this.#end(0);
      return Promise.resolve();
    }
    const ended = new Promise<void>((resolve) => {
      this.#onEnd = resolve;
    });
    this.#waitForSink();
    const underWay = this.#writing !== undefined && this.#timer === undefined;
    this.#unschedule();
    if (this.#writing === undefined) this.#flush();
    else if (!underWay) this.#write(this.#writing);
    return ended;
  }

  get #bytes(): number {
    return this.#lines.bytes + (this.#writing?.length ?? 0);
  }

  #append(line: string): void {
    this.#lines.append(line);
    if (this.#bytes >= this.#maxBytes) this.#setFull(true);
    if (this.#writing === undefined) this.#schedule();
  }

  #schedule(): void {
    if (this.#immediate !== undefined || this.#timer !== undefined) return;
    const hurry = this.#lines.plenty || this.#onEnd !== undefined;
    const delayMs = hurry ? 0 : this.#wroteAtMs + WRITE_INTERVAL_MS - performance.now();
    if (delayMs > 0) this.#timer = setTimeout(() => this.#flush(), delayMs);
    else this.#immediate = setImmediate(() => this.#flush());
  }

  #unschedule(): void {
    clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
    this.#immediate = undefined;
    this.#timer = undefined;
  }

  #flush(): void {
    this.#unschedule();
    this.#wroteAtMs = performance.now();
    const lines = this.#lines.take();
    if (lines !== undefined) this.#write(lines);
  }

  #write(lines: Uint8Array): void {
    this.#unschedule();
    this.#writing = lines;
    let answered = false;
    const done = (error: Error | undefined, written: number): void => {
      if (answered || this.#writing !== lines) return;
      answered = true;
      this.#onWritten(lines, error, written);
    };
    try {
      this.#sink.write(lines, done);
    } catch (error) {
      setImmediate(done, error instanceof Error ? error : new Error(String(error)), 0);
    }
  }

  #onWritten(lines: Uint8Array, error: Error | undefined, written: number): void {
    const rest = lines.subarray(Math.max(0, written));
    this.#writing = rest;
    if (written > 0 && this.#onEnd !== undefined) this.#waitForSink();
    if (error !== undefined) this.#trouble.failed(error);
    if (rest.length === 0) this.#onAllWritten(lines);
    else if (error === undefined) this.#write(rest);
    else this.#retry(rest);
    if (this.#full && this.#bytes <= this.#maxBytes * ROOM_SHARE) this.#setFull(false);
  }

  #onAllWritten(lines: Uint8Array): void {
    this.#writing = undefined;
    this.#lines.giveBack(lines);
    if (this.#lines.bytes > 0) this.#schedule();
    else if (this.#dropped === 0) this.#drained();
  }

  #retry(rest: Uint8Array): void {
    this.#timer = setTimeout(() => this.#write(rest), RETRY_MS);
  }

  #drained(): void {
    if (this.#onEnd === undefined) this.#trouble.drained();
    else this.#end(0);
  }

  #end(lost: number): void {
    this.#ended = true;
    clearTimeout(this.#grace);
    this.#trouble.end(lost);
    this.#onEnd?.();
  }

  #setFull(full: boolean): void {
    if (full === this.#full) return;
    this.#full = full;
    if (full) this.#trouble.full();
    else this.#trouble.room();
    if (!full && this.#dropped > 0) this.#appendDropped();
    for (const listener of this.#listeners) listener();
  }

  #drop(): void {
    if (this.#dropped === 0) this.#droppedSinceNs = realtimeNs();
    this.#dropped++;
    this.#trouble.dropped();
  }

  /** Says in a line what is missing. */
  #appendDropped(): void {
    const count = this.#dropped;
    this.#dropped = 0;
    const error = `${count} lines since ${this.#droppedSinceNs} were dropped: the audit was not taken as fast as it was written`;
    const peer = { pid: process.pid, uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1 };
    const record: AuditRecord = { ...NOTHING, operation: 'dropped', result: 'error', count, error, peer };
    this.#append(formatRecord(record, realtimeNs()));
  }

  #waitForSink(): void {
    clearTimeout(this.#grace);
    this.#grace = setTimeout(() => this.#giveUp(), END_GRACE_MS);
  }

  /** The sink takes nothing: what waits is lost. */
  #giveUp(): void {
    this.#unschedule();
    const begun = this.#writing === undefined ? 0 : countLines(this.#writing);
    this.#writing = undefined;
    this.#end(begun + this.#lines.clear());
  }
}
