/**
 * A file, pipe or standard output as the sink of an audit. Owns what it opened. Whatever happens (a full disk, a rotation, another
 * program's half line), lines in it stay whole: a line that was begun is ended before anything else is written, or written anew
 * in the next file when the old one takes nothing more.
 */
import { checkDescriptor, checkPath } from '../../base/check.js';
import { closedError } from '../../base/errors.js';
import { Output } from '../../os/output.js';
import type { AuditSink, AuditWritten } from './sink.js';

/** PATH_MAX of Linux, less the final zero. */
const MAX_PATH_BYTES = 4_095;

const NEWLINE = 0x0a;
const NONE = Buffer.alloc(0);
const NEWLINE_BYTES = Buffer.of(NEWLINE);

/** The sink of an audit: `Broker.start({ audit: { sink: await AuditFile.open('audit.log') } })`. */
export class AuditFile implements AuditSink, AsyncDisposable {
  readonly #path: string | undefined;
  #output: Output;
  /** What was opened anew, until the line under way is ended. */
  #next: Output | undefined;
  /** To be written before anything else. */
  #lead: Uint8Array = NONE;
  /** What is out of a line that is not all out. */
  #begun: Uint8Array = NONE;
  #busy = false;
  #failed = false;
  #closed = false;
  #opening: Promise<void> = Promise.resolve();

  private constructor(output: Output, path: string | undefined) {
    this.#output = output;
    this.#path = path;
    if (output.torn) this.#lead = NEWLINE_BYTES;
  }

  /**
   * Opens a file for appending, mode 0600 if it is new; it may be a named pipe that somebody reads. Or takes a borrowed
   * descriptor, as 1 for standard output: a file, a pipe, a socket or a terminal. Throws ERR_SEALANE_INVALID_ARGUMENT,
   * ERR_SEALANE_EXHAUSTED, and ERR_SEALANE_SYSTEM (ELOOP: a symbolic link; ENXIO: a named pipe that nobody reads; ENOENT, EACCES ...).
   */
  static async open(file: string | number): Promise<AuditFile> {
    if (typeof file === 'number') {
      checkDescriptor('the descriptor of the audit', file);
      return new AuditFile(await Output.borrow(file), undefined);
    }
    checkPath('the path of the audit', file, MAX_PATH_BYTES);
    return new AuditFile(await Output.open(file), file);
  }

  /** Writes lines; for the broker. */
  write(lines: Uint8Array, done: AuditWritten): void {
    this.#switch();
    if (this.#closed) {
      setImmediate(done, closedError('the audit'), 0);
      return;
    }
    const lead = this.#lead;
    this.#busy = true;
    this.#output.write(lead.length === 0 ? lines : Buffer.concat([lead, lines]), (error, written) => {
      this.#busy = false;
      this.#failed = error !== undefined;
      this.#lead = lead.subarray(written);
      const taken = Math.max(0, written - lead.length);
      this.#note(lines.subarray(0, taken));
      this.#switch();
      done(error, taken);
    });
  }

  /**
   * Opens the path anew, after it was renamed: the line under way is ended in the old file, the next one goes to the new one. When
   * the promise is rejected (as that of {@link open}), the old file stays in use. No effect on a descriptor.
   */
  reopen(): Promise<void> {
    const reopened = this.#opening.then(() => this.#reopen());
    this.#opening = reopened.catch(() => undefined);
    return reopened;
  }

  /** Closes the file: after the broker was stopped. A borrowed descriptor stays open. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening;
    await this.#next?.close();
    await this.#output.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #reopen(): Promise<void> {
    if (this.#path === undefined || this.#closed) return;
    const output = await Output.open(this.#path);
    void this.#next?.close();
    this.#next = output;
    if (!this.#busy) this.#switch();
    // The reader of a pipe may have stopped for good; nothing has been written of what waits for it.
    else if (this.#begun.length === 0) this.#output.interrupt();
  }

  /** Goes over to the new file, if there is one and no line is under way that the old one may still take. */
  #switch(): void {
    const next = this.#next;
    if (next === undefined || (this.#begun.length > 0 && !this.#failed)) return;
    void this.#output.close();
    this.#output = next;
    this.#next = undefined;
    this.#lead = next.torn ? Buffer.concat([NEWLINE_BYTES, this.#begun]) : this.#begun;
    this.#failed = false;
  }

  /** Keeps in mind how far the line under way is out. */
  #note(taken: Uint8Array): void {
    if (taken.length === 0) return;
    const end = taken.lastIndexOf(NEWLINE) + 1;
    // A copy of what is left of a batch, which is large.
    if (end > 0) this.#begun = end === taken.length ? NONE : Buffer.from(taken.subarray(end));
    else this.#begun = Buffer.concat([this.#begun, taken]);
  }
}
