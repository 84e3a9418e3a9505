/** For tests: what an audit wrote, read as strictly as a reader may, and a sink in memory that is as slow as the test wants. */
import assert from 'node:assert/strict';
import type { AuditSink, AuditWritten } from './sink.js';

/** A line of the audit, as JSON has it. */
export interface Line {
  ts_ns: number;
  op: string;
  operation: string;
  result: string;
  selector: string | null;
  object_id: number | null;
  name: string | null;
  size: number | null;
  count: number | null;
  digest: string | null;
  job_id: string | null;
  error: string | null;
  pid: number;
  uid: number;
  gid: number;
}

/** The fields in their order. */
export const FIELDS = [
  'ts_ns',
  'op',
  'operation',
  'result',
  'selector',
  'object_id',
  'name',
  'size',
  'count',
  'digest',
  'job_id',
  'error',
  'pid',
  'uid',
  'gid',
];

/** The lines of an audit. Fails unless each is whole: ended by a newline, and one object with all fields in their order. */
export function readLines(text: string): Line[] {
  if (text === '') return [];
  assert(text.endsWith('\n'), `the last line is torn: ${JSON.stringify(text.slice(-200))}`);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      const value = JSON.parse(line) as Line;
      assert.deepEqual(Object.keys(value), FIELDS);
      return value;
    });
}

/** What an operator was told, and a way to wait for it. */
export class Told {
  readonly messages: string[] = [];
  #onMessage: (() => void) | undefined;

  readonly say = (message: string): void => {
    this.messages.push(message);
    this.#onMessage?.();
  };

  /** The message of this number, counted from 0, now or later. */
  async message(index: number): Promise<string> {
    // The timers that lead to a message keep no process alive.
    const alive = setInterval(() => undefined, 60_000);
    try {
      for (;;) {
        const message = this.messages[index];
        if (message !== undefined) return message;
        await new Promise<void>((resolve) => {
          this.#onMessage = resolve;
        });
      }
    } finally {
      clearInterval(alive);
    }
  }
}

/** A sink in memory. It takes everything at once, or what the test lets it take. */
export class MemorySink implements AuditSink {
  /** How many writes there were. */
  writes = 0;
  #text = '';
  #held: { lines: Uint8Array; done: AuditWritten } | undefined;
  #holding = false;
  #onAsked: (() => void) | undefined;

  get text(): string {
    return this.#text;
  }

  get lines(): Line[] {
    return readLines(this.#text);
  }

  /** The bytes of the write under way, while the sink holds. */
  get waiting(): number {
    return this.#held?.lines.length ?? 0;
  }

  write(lines: Uint8Array, done: AuditWritten): void {
    assert.equal(this.#held, undefined, 'a write came while another one was under way');
    this.writes++;
    this.#held = { lines, done };
    this.#onAsked?.();
    if (!this.#holding) setImmediate(() => this.take());
  }

  /** Resolves when a write is under way. */
  async asked(): Promise<void> {
    if (this.#held !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#onAsked = resolve;
    });
  }

  /** Takes nothing from now on but what {@link take} takes. */
  hold(): void {
    this.#holding = true;
  }

  /** Takes everything from now on. */
  release(): void {
    this.#holding = false;
    this.take();
  }

  /** Takes so many bytes of the write under way, and says so, or fails. */
  take(bytes = Number.POSITIVE_INFINITY, error?: Error): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    const written = Math.min(bytes, held.lines.length);
    this.#text += Buffer.from(held.lines.subarray(0, written)).toString();
    held.done(error, written);
  }
}
