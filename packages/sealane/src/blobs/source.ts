/**
 * Turns whatever a caller puts into a sealed memfd: bytes, files, descriptors, streams.
 * Owns the memfd until it hands it over; borrows descriptors; closes files that it opened itself.
 */
import { Blob as PlatformBlob } from 'node:buffer';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { orAborted } from '../base/abort.js';
import { checkDescriptor } from '../base/check.js';
import { abortedError, invalidArgument, SealaneError } from '../base/errors.js';
import { INLINE_COPY_BYTES } from '../base/limits.js';
import { copyRange } from '../os/copy.js';
import { BLOB_SEALS, inspect } from '../os/descriptor.js';
import { Memfd } from '../os/memfd.js';
import { readToEnd } from '../os/reading.js';
import { type HasDescriptor, hasDescriptor, openFile, toPath, withPath } from './files.js';

/**
 * What can be put: bytes, the path of a file (a string or a `file:` URL), an open descriptor (a regular file is read from its
 * beginning to its end, whatever its position; anything else until it ends), a stream of chunks (strings count as UTF-8), or a Blob
 * or File of the platform.
 */
export type PutSource =
  | ArrayBuffer
  | SharedArrayBuffer
  | ArrayBufferView
  | string
  | URL
  | HasDescriptor
  | PlatformBlob
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
  if (typeof source === 'string' || source instanceof URL)
    return fillFromFile(memfd, toPath('source', source), options);
  if (source instanceof PlatformBlob) return fillFromBlob(memfd, source, options);
  if (isAsyncIterable(source)) return fillFromChunks(memfd, source, options);
  if (hasDescriptor(source)) {
    checkDescriptor('source.fd', source.fd);
    return fillFromDescriptor(memfd, source.fd, options);
  }
  const kinds = 'bytes, a path, a file: URL, an open descriptor, an async iterable of chunks, or a Blob';
  throw invalidArgument('source', `be ${kinds}`, source);
}

async function fillFromBytes(memfd: Memfd, bytes: Uint8Array, options: FillOptions): Promise<void> {
  checkObjectSize(bytes.length, options.maxBytes);
  throwIfAborted(options.signal);
  await memfd.writeAsync(bytes, 0);
  options.onProgress?.(bytes.length, bytes.length);
}

async function fillFromFile(memfd: Memfd, path: string, options: FillOptions): Promise<void> {
  const opening = openFile(path, 'r');
  const file = await orAborted(opening, options.signal, putAborted).catch((error) => {
    // A file system that takes its time is not waited for; the file is closed when it is open.
    opening.then((late) => late.discard()).catch(() => undefined);
    throw error;
  });
  try {
    await fillFromDescriptor(memfd, file.fd, options);
  } catch (error) {
    throw withPath(error, path);
  } finally {
    await file.discard();
  }
}

async function fillFromDescriptor(memfd: Memfd, fd: number, options: FillOptions): Promise<void> {
  const info = inspect(fd);
  // A regular file of size 0 may still have content: files of /proc tell no size.
  if (!info.regular || info.size === 0) return fillFromChunks(memfd, readToEnd(fd, options.signal), options);
  checkObjectSize(info.size, options.maxBytes);
  const progress = options.onProgress;
  const onProgress = progress === undefined ? undefined : (bytes: number) => progress(bytes, info.size);
  const copied = await copyRange(fd, 0, memfd.fd, 0, info.size, options.signal, onProgress);
  if (copied === info.size) return;
  const message = `the source had ${info.size} bytes and only ${copied} could be copied: it was cut off meanwhile; put it again`;
  throw new SealaneError('ERR_SEALANE_SIZE_MISMATCH', message);
}

async function fillFromBlob(memfd: Memfd, blob: PlatformBlob, options: FillOptions): Promise<void> {
  const { size } = blob;
  checkObjectSize(size, options.maxBytes);
  const progress = options.onProgress;
  const onProgress = progress === undefined ? undefined : (bytes: number) => progress(bytes, size);
  await fillFromChunks(memfd, blob.stream() as AsyncIterable<Uint8Array>, { ...options, onProgress });
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
  const iterator = iteratorOf(chunks);
  try {
    for (;;) {
      const next = Promise.resolve(iterator.next());
      next.catch(() => undefined);
      const result: unknown = await orAborted(next, signal, putAborted);
      if (typeof result !== 'object' || result === null)
        throw invalidArgument("the source's next()", 'resolve with an object', result);
      const { done, value } = result as IteratorResult<T>;
      if (done) return;
      yield value;
    }
  } finally {
    // A generator ends only when it yields: waiting for that would be waiting for the source.
    endIteration(iterator).catch(() => undefined);
    if (chunks instanceof Readable) chunks.destroy();
  }
}

function iteratorOf<T>(chunks: AsyncIterable<T>): AsyncIterator<T> {
  const iterator: Partial<AsyncIterator<T>> | undefined = chunks[Symbol.asyncIterator]();
  if (typeof iterator?.next !== 'function')
    throw invalidArgument('the iterator of the source', 'have a function next()', iterator);
  return iterator as AsyncIterator<T>;
}

async function endIteration(iterator: AsyncIterator<unknown>): Promise<void> {
  await iterator.return?.();
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
  if (ArrayBuffer.isView(source)) return viewOf(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return viewOf(source, 0);
  return undefined;
}

function viewOf(buffer: ArrayBufferLike, offset: number, length?: number): Uint8Array {
  try {
    return new Uint8Array(buffer, offset, length);
  } catch {
    // A view of a detached buffer has no bytes, as one of an empty buffer has; only the attempt to make one tells them apart.
    throw invalidArgument('the source', 'not be detached: it was transferred, or its blob closed', buffer);
  }
}

function isAsyncIterable(source: unknown): source is AsyncIterable<Uint8Array | string> {
  const iterable = typeof source === 'object' && source !== null && Symbol.asyncIterator in source;
  return iterable && typeof source[Symbol.asyncIterator] === 'function';
}
