/**
 * What is published: a file or standard input, read piece by piece. Owns the descriptor of a file it opened. A file is read straight into
 * the memory that is given; what comes through a pipe is copied there once.
 */
import { fstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { usageError } from '../failure.js';

const STANDARD_INPUT = '-';
/** How much of a pipe's end is kept while a whole of unknown length is read: what a service can carry in one sample. */
const MAX_WHOLE_BYTES = 4_294_967_296;
const LINE_FEED = 10;

/** Bytes from somewhere. */
export interface Input extends AsyncDisposable {
  /** All there is, if that is known: a file's size. */
  readonly knownBytes: number | undefined;
  /** Fills `target`; returns how many bytes there were: fewer only at the end. */
  fill(target: Uint8Array): Promise<number>;
  /** All that is left. */
  rest(): Promise<Buffer>;
  /** What is left, line by line, without line ends. The views are good until the next one. */
  lines(): AsyncGenerator<Uint8Array, void, void>;
}

/** Opens a file, or standard input, which `signal` ends at once. */
export async function openInput(path: string | undefined, signal: AbortSignal): Promise<Input> {
  if (path !== undefined && path !== STANDARD_INPUT) return new FileInput(await open(path));
  signal.addEventListener('abort', () => process.stdin.destroy(signal.reason as Error), { once: true });
  return new StreamInput(process.stdin as AsyncIterable<Uint8Array>);
}

class FileInput implements Input {
  readonly #file: FileHandle;
  readonly knownBytes: number | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
    const stats = fstatSync(file.fd);
    this.knownBytes = stats.isFile() && stats.size > 0 ? stats.size : undefined;
  }

  async fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const { bytesRead } = await this.#file.read(target, filled, target.length - filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  async rest(): Promise<Buffer> {
    return await this.#file.readFile();
  }

  lines(): AsyncGenerator<Uint8Array, void, void> {
    return splitLines(this.#file.createReadStream({ autoClose: false }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** Chunks as they come. */
class StreamInput implements Input {
  readonly knownBytes = undefined;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #left: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const chunk = await this.#next();
      if (chunk === undefined) break;
      const part = chunk.subarray(0, target.length - filled);
      target.set(part, filled);
      filled += part.length;
      this.#left = chunk.subarray(part.length);
    }
    return filled;
  }

  async rest(): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) return Buffer.concat(chunks);
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_WHOLE_BYTES) throw tooMuch();
    }
  }

  lines(): AsyncGenerator<Uint8Array, void, void> {
    return splitLines({ [Symbol.asyncIterator]: () => this.#chunks });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return?.();
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#left.length > 0) {
      const left = this.#left;
      this.#left = new Uint8Array();
      return left;
    }
    const { value, done } = await this.#chunks.next();
    return done ? undefined : value;
  }
}

function tooMuch(): Error {
  return usageError('more than 4 GiB came on standard input', 'publish it in parts with --size SIZE');
}

/** A line that came in one chunk is a view of it. What follows the last line end is a line too, unless it is empty. */
async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let parts: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      const piece = chunk.subarray(start, end);
      yield parts.length === 0 ? piece : Buffer.concat([...parts, piece]);
      parts = [];
      start = end + 1;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}
