/**
 * Lines that wait to be written, as bytes. Owns the memory, and keeps a piece of it for the next lines.
 * A line is encoded when it comes: later its text would have to be fetched into the cache once more.
 */

/** Bytes of a chunk: more than a busy broker writes in ten milliseconds. */
const CHUNK_BYTES = 262_144;

/** Most bytes of a character (a UTF-16 unit) in UTF-8. */
const MOST_CHARACTER_BYTES = 3;

const NEWLINE = 0x0a;

export class Lines {
  #filling: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #filled = 0;
  #spare: Buffer | undefined;
  /** In their order; each holds whole lines. */
  readonly #full: Uint8Array[] = [];
  #fullBytes = 0;

  /** Bytes that wait. */
  get bytes(): number {
    return this.#fullBytes + this.#filled;
  }

  /** Whether more waits than one write takes. */
  get plenty(): boolean {
    return this.#full.length > 0;
  }

  append(line: string): void {
    const most = line.length * MOST_CHARACTER_BYTES;
    if (most > CHUNK_BYTES - this.#filled) this.#turn();
    if (most > CHUNK_BYTES) this.#push(Buffer.from(line));
    else this.#filled += this.#filling.write(line, this.#filled);
  }

  /** The first of the lines, or undefined. They belong to the caller until they are given back. */
  take(): Uint8Array | undefined {
    if (this.#full.length === 0) this.#turn();
    const lines = this.#full.shift();
    this.#fullBytes -= lines?.length ?? 0;
    return lines;
  }

  /** Gives back what {@link take} answered, or the rest of it: its memory is used again. */
  giveBack({ buffer }: Uint8Array): void {
    if (buffer.byteLength === CHUNK_BYTES) this.#spare = Buffer.from(buffer);
  }

  /** Forgets them; answers how many there were. */
  clear(): number {
    let count = 0;
    for (let lines = this.take(); lines !== undefined; lines = this.take()) count += countLines(lines);
    return count;
  }

  /** What was filled so far stands behind what is full. */
  #turn(): void {
    if (this.#filled === 0) return;
    this.#push(this.#filling.subarray(0, this.#filled));
    this.#filling = this.#spare ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#spare = undefined;
    this.#filled = 0;
  }

  #push(lines: Uint8Array): void {
    this.#full.push(lines);
    this.#fullBytes += lines.length;
  }
}

/** How many lines end in these bytes. */
export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
