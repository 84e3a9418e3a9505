/** Where the lines of an audit go. Types only; what a sink owns is its own matter. */

/** Tells what became of a write. `written`: how many of the bytes are out for good, counted from the first. */
export type AuditWritten = (error: Error | undefined, written: number) => void;

/** Takes the lines of an audit. `AuditFile` is one; a program may bring its own. */
export interface AuditSink {
  /**
   * Writes lines, of which each but the last one under way ends in a newline, or a part of them. The bytes do not change until
   * `done` is called: once, later, never from inside. The rest comes again: at once, or after a second's pause if there was an error.
   * At most one write is under way.
   */
  write(lines: Uint8Array, done: AuditWritten): void;
}
