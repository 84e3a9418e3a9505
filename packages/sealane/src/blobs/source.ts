/**
 * Turns whatever a caller puts into a sealed memfd: bytes, files, descriptors, streams.
 * Owns the memfd until it hands it over; borrows descriptors; closes files that it opened itself.
 */
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { orAborted } from '../base/abort.js';
import { abortedError, invalidArgument, SealaneError } from '../base/errors.js';
import { INLINE_COPY_BYTES } from '../base/limits.js';
import { copyRange } from '../os/copy.js';
import { BLOB_SEALS, inspect } from '../os/descriptor.js';
import { Memfd } from '../os/memfd.js';
import { fileError, type HasDescriptor, hasDescriptor, openFile, streamDescriptor } from './files.js';

/**
 * What can be put: bytes, the path of a file (a string or a `file:` URL), an open descriptor (a regular file is read from its
 * beginning to its end, whatever its position; anything else until it ends), or a stream of chunks (strings count as UTF-8).
 */
export type PutSource =
  | ArrayBuffer
  | SharedArrayBuffer
  | ArrayBufferView
  | string
  | URL
  | HasDescriptor
  | AsyncIterable<Uint8Array | string>
  | ReadableStream<Uint8Array>;

export interface FillOptions {
  /** Most bytes that the broker takes. */
  maxBytes: number;
  signal: AbortSignal | undefined;
  /** Told after each step: bytes so far, and bytes in all where they are known. */
  onProgress: ((bytes: number, total: number | undefined) => void) | undefined;
}

/** The name under which our memory shows in /proc/PID/maps and /proc/PID/fd. */
export const MEMFD_NAME = 'sealane';

/** Chunk of a stream up to which a synchronous write (about 20 us) beats a thread. */
const INLINE_CHUNK_BYTES = 65_536;

/** A sealed memfd with the bytes of a small source, made at once; undefined for any other source. */
export function sealSmall(source: PutSource, maxBytes: number): Memfd | undefined {
  const bytes = asBytes(source);
  if (bytes === undefined || bytes.length > INLINE_COPY_BYTES) return undefined;
  checkObjectSize(bytes.length, maxBytes);
  return Memfd.sealed(MEMFD_NAME, bytes);
}

/** A sealed memfd with the bytes of any source. The caller owns it. The source may be changed once this resolves. */
export async function sealSource(source: PutSource, options: FillOptions): Promise<Memfd> {
  const memfd = Memfd.create(MEMFD_NAME);
  try {
    await fill(memfd, source, options);
    await memfd.sealAsync(BLOB_SEALS);
    return memfd;
  } catch (error) {
    memfd.close();
    throw error;
  }
}

async function fill(memfd: Memfd, source: PutSource, options: FillOptions): Promise<void> {
  const bytes = asBytes(source);
  if (bytes !== undefined) return fillFromBytes(memfd, bytes, options);
  if (typeof source === 'string' || source instanceof URL) return fillFromFile(memfd, source, options);
  if (isAsyncIterable(source)) return fillFromChunks(memfd, source, options);
  if (hasDescriptor(source)) return fillFromDescriptor(memfd, source.fd, options);
  throw invalidArgument(
    'source',
    'be bytes, a path, a URL, an open descriptor, or an async iterable of chunks',
    source,
  );
}

async function fillFromBytes(memfd: Memfd, bytes: Uint8Array, options: FillOptions): Promise<void> {
  checkObjectSize(bytes.length, options.maxBytes);
  throwIfAborted(options.signal);
  await memfd.writeAsync(bytes, 0);
  options.onProgress?.(bytes.length, bytes.length);
}

async function fillFromFile(memfd: Memfd, path: string | URL, options: FillOptions): Promise<void> {
  const opening = openFile(path, 'r');
  const file = await orAborted(opening, options.signal, putAborted).catch((error) => {
    // Opening a pipe waits for whoever writes into it; the file is closed when that happens.
    opening.then((late) => late.close()).catch(() => undefined);
    throw error;
  });
  try {
    await fillFromDescriptor(memfd, file.fd, options);
  } finally {
    await file.close();
  }
}

async function fillFromDescriptor(memfd: Memfd, fd: number, options: FillOptions): Promise<void> {
  if (!Number.isInteger(fd) || fd < 0) throw invalidArgument('source.fd', 'be an open descriptor', fd);
  const info = inspect(fd);
  // A regular file of size 0 may still have content: files of /proc tell no size.
  if (!info.regular || info.size === 0) return fillFromStream(memfd, fd, options);
  checkObjectSize(info.size, options.maxBytes);
  const progress = options.onProgress;
  const onProgress = progress === undefined ? undefined : (bytes: number) => progress(bytes, info.size);
  const copied = await copyRange(fd, 0, memfd.fd, 0, info.size, options.signal, onProgress);
  if (copied === info.size) return;
  const message = `the source had ${info.size} bytes and only ${copied} could be copied: it was cut off meanwhile; put it again`;
  throw new SealaneError('ERR_SEALANE_SIZE_MISMATCH', message);
}

/** Reads a descriptor until it ends. The caller's descriptor stays open. */
async function fillFromStream(memfd: Memfd, fd: number, options: FillOptions): Promise<void> {
  try {
    await fillFromChunks(memfd, streamDescriptor(fd), options);
  } catch (error) {
    throw error instanceof SealaneError ? error : fileError(`can't read descriptor ${fd}`, error);
  }
}

async function fillFromChunks(
  memfd: Memfd,
  chunks: AsyncIterable<Uint8Array | string>,
  options: FillOptions,
): Promise<void> {
  let size = 0;
  for await (const chunk of untilAborted(chunks, options.signal)) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : asBytes(chunk);
    if (bytes === undefined)
      throw invalidArgument('a chunk of the source', 'be a Uint8Array or a string', chunk);
    checkObjectSize(size + bytes.length, options.maxBytes);
    if (bytes.length > INLINE_CHUNK_BYTES) await memfd.writeAsync(bytes, size);
    else memfd.write(bytes, size);
    size += bytes.length;
    options.onProgress?.(size, undefined);
  }
}

/** The chunks, until the signal fires: then it throws at once, and leaves a source that has not answered to itself. */
async function* untilAborted<T>(
  chunks: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = iterator.next();
      next.catch(() => undefined);
      const result = await orAborted(next, signal, putAborted);
      if (result.done) return;
      yield result.value;
    }
  } finally {
    // A generator ends only when it yields: waiting for that would be waiting for the source.
    Promise.resolve(iterator.return?.()).catch(() => undefined);
    if (chunks instanceof Readable) chunks.destroy();
  }
}

function putAborted(signal: AbortSignal): SealaneError {
  return abortedError('the put', signal);
}

/** Throws ERR_SEALANE_LIMIT_EXCEEDED for more bytes than the broker takes in one object. */
export function checkObjectSize(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new SealaneError(
    'ERR_SEALANE_LIMIT_EXCEEDED',
    `${bytes} bytes are over the ${maxBytes} that the broker takes in one object (its option maxObjectBytes)`,
  );
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw putAborted(signal);
}

/** A view of anything that is bytes already; undefined for the rest. */
function asBytes(source: unknown): Uint8Array | undefined {
  if (source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return new Uint8Array(source);
  return undefined;
}

function isAsyncIterable(source: unknown): source is AsyncIterable<Uint8Array | string> {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source;
}
