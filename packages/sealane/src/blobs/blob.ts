/**
 * One object that this process holds: a descriptor of sealed memory, and views over it.
 * Owns the descriptor and its mappings. Trusts nobody: the seals are checked before the first byte is mapped.
 */
import type { Readable } from 'node:stream';
import {
  checkCallback,
  checkDescriptor,
  checkInteger,
  checkOptions,
  checkSignal,
  isRecord,
} from '../base/check.js';
import { abortedError, closedError, invalidArgument, SealaneError } from '../base/errors.js';
import { copyRange } from '../os/copy.js';
import {
  closeDescriptor,
  type DescriptorInfo,
  duplicate,
  inspect,
  OwnedDescriptor,
  requireBlobDescriptor,
} from '../os/descriptor.js';
import { offerDescriptor, takeDescriptor } from '../os/handoff.js';
import type { Mappable } from '../os/mappable.js';
import { Mapping } from '../os/mapping.js';
import { Memfd } from '../os/memfd.js';
import { sha256OfDescriptor } from '../os/sha256.js';
import {
  type HasDescriptor,
  hasDescriptor,
  notRegular,
  openFile,
  streamDescriptor,
  toPath,
  withPath,
} from './files.js';
import { type BlobInfo, DIGEST_PREFIX } from './info.js';

/** What a worker opens a blob from: plain data that survives postMessage. Good for one {@link openBlob}. */
export interface BlobToken {
  readonly sealane: 'blob-token/1';
  /** Unguessable, and known to this process only. */
  readonly key: string;
  readonly info: BlobInfo;
}

/** A constructor of typed arrays. */
export type TypedArrayConstructor<T> = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
};

export interface TransferOptions {
  signal?: AbortSignal | undefined;
  /** Told as it goes: bytes so far, bytes in all. */
  onProgress?: ((bytes: number, total: number) => void) | undefined;
}

/** Views inside one aligned piece of this size share its mapping. Small: V8 counts mapped bytes as its own. */
const WINDOW_BYTES = 262_144;

/** Most living views of one blob that have a mapping of their own: an eighth of what the kernel allows a process. */
const MAX_PARTS = 8_192;

/** Closes the descriptors of blobs that were forgotten. A safety net: close() is what frees memory in time. */
const forgotten = new FinalizationRegistry<Memfd>((memfd) => memfd.close());

/**
 * An immutable object, mapped into this process when asked for. The bytes are the publisher's own pages: nothing was copied. A
 * write into a view lands on a private copy of the page and is seen by nobody else. Closing empties every view.
 */
export class Blob implements Mappable, Disposable {
  /** What the broker said of the object when it handed it over. */
  readonly info: BlobInfo;
  readonly #memfd: Memfd;
  readonly #seals: number;
  #whole: Mapping | undefined;
  #digest: string | undefined;
  /** Aligned parts that small views share, by their number. */
  readonly #windows = new Map<number, Mapping>();
  /** Parts that were mapped for large views. They are kept by their buffers, so that forgotten views are freed. */
  readonly #parts = new Set<WeakRef<Mapping>>();
  readonly #keepers = new WeakMap<ArrayBuffer, Mapping>();
  /** How many parts there may be before those that were freed are looked for: twice what was left last time. */
  #partsToSweep = 64;

  /** @internal Takes the descriptor, also when it throws. Throws what requireBlobDescriptor throws. */
  constructor(descriptor: number, info: BlobInfo) {
    const checked = checkOrClose(descriptor, info.size);
    this.#memfd = Memfd.take(descriptor, checked);
    this.#seals = checked.seals;
    this.info = info;
    this.#digest = info.digest;
    forgotten.register(this, this.#memfd, this);
  }

  get id(): number {
    return this.info.id;
  }

  get name(): string | undefined {
    return this.info.name;
  }

  /** Bytes. */
  get size(): number {
    return this.info.size;
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.info.metadata;
  }

  get seals(): number {
    return this.#seals;
  }

  get closed(): boolean {
    return this.#memfd.closed;
  }

  /** The blob's own descriptor, borrowed: valid until close(). {@link Blob.fd} gives one to keep. */
  get descriptor(): number {
    return this.#open().fd;
  }

  /**
   * All of it, as a view over the sealed pages; the same one each time. The mapping is made at first use and holds addresses,
   * not memory. V8 counts the bytes as its own: holding a view of 1 GiB makes each full collection dear, so map a part
   * with {@link Blob.view} where a part will do. Node.js 20 refuses more than 4 GiB (map parts).
   * Throws ERR_SEALANE_CLOSED, and ERR_SEALANE_EXHAUSTED when there are no more mappings (vm.max_map_count).
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#mapWhole(false).bytes;
  }

  /** Maps all of it and reads the pages in, so that later reads don't fault; does nothing when all of it is mapped already. */
  populate(): void {
    this.#mapWhole(true);
  }

  /**
   * A part, as a view over the sealed pages. `offset` and `length` in bytes, inside the object. Only the part is mapped, or the
   * aligned 256 KiB around it, which other small views share. A write into a view shows in those views that share its mapping, and
   * nowhere else. Throws ERR_SEALANE_INVALID_ARGUMENT for a part that is not inside, and ERR_SEALANE_EXHAUSTED for too many mappings.
   */
  view(offset = 0, length?: number): Uint8Array<ArrayBuffer> {
    this.#open();
    checkInteger('offset', offset, 0, this.size);
    if (length !== undefined) checkInteger('length', length, 0, this.size - offset);
    return this.#view(offset, length ?? this.size - offset);
  }

  #view(offset: number, length: number): Uint8Array<ArrayBuffer> {
    if (length === 0) return new Uint8Array(0);
    if (this.#whole !== undefined || length === this.size)
      return this.bytes.subarray(offset, offset + length);
    const window = Math.floor(offset / WINDOW_BYTES);
    if (window !== Math.floor((offset + length - 1) / WINDOW_BYTES))
      return this.#mapPart(offset, length).bytes;
    const inside = offset - window * WINDOW_BYTES;
    return this.#mapWindow(window).bytes.subarray(inside, inside + length);
  }

  /**
   * A typed array over the sealed pages, for example `blob.as(Float32Array)`. `byteOffset` in bytes, `length` in elements;
   * by default to the end. Throws ERR_SEALANE_MISALIGNED when the offset, or the rest without `length`, is no multiple of
   * the element size, and ERR_SEALANE_INVALID_ARGUMENT for a part that is not inside.
   */
  as<T>(type: TypedArrayConstructor<T>, byteOffset = 0, length?: number): T {
    if (!isTypedArrayConstructor(type))
      throw invalidArgument('type', 'be a constructor of typed arrays, such as Float32Array', type);
    checkInteger('byteOffset', byteOffset, 0, this.size);
    const width = type.BYTES_PER_ELEMENT;
    requireMultiple('byteOffset', byteOffset, width);
    if (length === undefined) requireMultiple('the size after byteOffset', this.size - byteOffset, width);
    const elements = length === undefined ? (this.size - byteOffset) / width : length;
    checkInteger('length', elements, 0, Math.floor((this.size - byteOffset) / width));
    const bytes = this.view(byteOffset, elements * width);
    return new type(bytes.buffer, bytes.byteOffset, elements);
  }

  /**
   * All of it as UTF-8 text (malformed parts become U+FFFD). Copies: strings live in V8's heap. Throws
   * ERR_SEALANE_LIMIT_EXCEEDED for more than a string can hold (about 512 MiB).
   */
  text(): string {
    using mapping = Mapping.private(this.#open().fd, 0, this.size);
    try {
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(mapping.bytes);
    } catch (cause) {
      const message = `the ${this.size} bytes of the blob ${this.id} don't fit one string of this Node.js; decode parts`;
      throw new SealaneError('ERR_SEALANE_LIMIT_EXCEEDED', message, { cause });
    }
  }

  /** A stream of copies of 1 MiB each. It holds a descriptor of its own: the blob may be closed meanwhile. */
  stream(): Readable {
    return streamDescriptor(this.#open().fd);
  }

  /** A duplicate of the descriptor, which the caller owns and closes. Its file offset is shared: read it by position. */
  fd(): number {
    return duplicate(this.#open().fd);
  }

  /**
   * Writes all of it into a file, off the event loop: to a path (created or truncated), or to an open regular file from its
   * beginning. Resolves with the bytes written. Throws ERR_SEALANE_SYSTEM (a full disk, say) and ERR_SEALANE_ABORTED.
   */
  async copyTo(file: string | URL | HasDescriptor, options: TransferOptions = {}): Promise<number> {
    checkOptions('options', options, ['signal', 'onProgress']);
    checkSignal('signal', options.signal);
    checkCallback('onProgress', options.onProgress);
    if (options.signal?.aborted) throw abortedError('the copy', options.signal);
    using held = OwnedDescriptor.duplicate(this.#open().fd);
    if (hasDescriptor(file)) {
      checkDescriptor('file.fd', file.fd);
      if (!inspect(file.fd).regular) throw notRegular(`descriptor ${file.fd}`);
      return await this.#copyTo(held.fd, file.fd, options);
    }
    if (typeof file !== 'string' && !(file instanceof URL)) {
      throw invalidArgument('file', 'be a path, a URL, or have a descriptor', file);
    }
    return await this.#copyToPath(held.fd, toPath('file', file), options);
  }

  /** The SHA-256 of the content, as `sha256:HEX`; computed off the event loop when it is not known yet, then remembered. */
  async digest(options: { signal?: AbortSignal } = {}): Promise<string> {
    checkOptions('options', options, ['signal']);
    checkSignal('signal', options.signal);
    if (this.#digest !== undefined) return this.#digest;
    this.#digest = DIGEST_PREFIX + (await sha256OfDescriptor(this.#open().fd, this.size, options.signal));
    return this.#digest;
  }

  /**
   * A token for another thread of this process: post it to a worker, which calls {@link openBlob} with it, once. The token
   * keeps the object alive by itself, so this blob may be closed at once; it is freed when it is opened, or when the thread that made
   * it ends. Throws ERR_SEALANE_LIMIT_EXCEEDED when 4,096 tokens wait to be opened.
   */
  token(): BlobToken {
    return { sealane: 'blob-token/1', key: offerDescriptor(this.#open().fd), info: this.info };
  }

  /** Empties every view, frees the memory of private copies, and closes the descriptor. Idempotent. */
  close(): void {
    if (this.#memfd.closed) return;
    forgotten.unregister(this);
    this.#whole?.close();
    for (const window of this.#windows.values()) window.close();
    for (const part of this.#parts) part.deref()?.close();
    this.#windows.clear();
    this.#parts.clear();
    this.#memfd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(): Memfd {
    if (this.#memfd.closed) throw closedError(`the blob ${this.id}`);
    return this.#memfd;
  }

  #mapWhole(populate: boolean): Mapping {
    // First, so that a closed blob says that it is closed, also one that was mapped.
    const { fd } = this.#open();
    this.#whole ??= Mapping.private(fd, 0, this.size, { populate });
    return this.#whole;
  }

  #mapWindow(window: number): Mapping {
    const mapped = this.#windows.get(window);
    if (mapped !== undefined) return mapped;
    const offset = window * WINDOW_BYTES;
    const mapping = Mapping.private(this.#open().fd, offset, Math.min(WINDOW_BYTES, this.size - offset));
    this.#windows.set(window, mapping);
    return mapping;
  }

  #mapPart(offset: number, length: number): Mapping {
    if (this.#parts.size >= this.#partsToSweep) this.#sweepParts();
    const mapping = Mapping.private(this.#open().fd, offset, length);
    this.#keepers.set(mapping.buffer, mapping);
    this.#parts.add(new WeakRef(mapping));
    return mapping;
  }

  /** Forgets parts whose views were collected. Throws when too many are left: V8 aborts the process where the kernel has no mapping left. */
  #sweepParts(): void {
    for (const part of this.#parts) if (part.deref() === undefined) this.#parts.delete(part);
    if (this.#parts.size >= MAX_PARTS) {
      const message = `${MAX_PARTS} large views of the blob ${this.id} are alive; keep one, or use blob.bytes.subarray()`;
      throw new SealaneError('ERR_SEALANE_EXHAUSTED', message);
    }
    this.#partsToSweep = Math.min(MAX_PARTS, Math.max(64, 2 * this.#parts.size));
  }

  async #copyToPath(from: number, path: string, options: TransferOptions): Promise<number> {
    const file = await openFile(path, 'w');
    try {
      if (!inspect(file.fd).regular) throw notRegular(JSON.stringify(path));
      const copied = await this.#copyTo(from, file.fd, options);
      await file.close();
      return copied;
    } catch (error) {
      await file.discard();
      throw withPath(error, path);
    }
  }

  async #copyTo(from: number, to: number, options: TransferOptions): Promise<number> {
    const { onProgress } = options;
    const report = onProgress === undefined ? undefined : (bytes: number) => onProgress(bytes, this.size);
    return await copyRange(from, 0, to, 0, this.size, options.signal, report);
  }
}

/**
 * Opens a blob that another thread of this process handed over with {@link Blob.token}. No byte is copied. Throws
 * ERR_SEALANE_BAD_TOKEN for a token that was opened before, comes from another process, or whose thread has ended.
 */
export function openBlob(token: BlobToken): Blob {
  checkToken(token);
  const descriptor = takeDescriptor(token.key);
  if (descriptor === undefined) {
    const why = 'it was opened before, comes from another process, or its thread has ended';
    throw new SealaneError(
      'ERR_SEALANE_BAD_TOKEN',
      `no blob waits under this token: ${why}; make one token an opener`,
    );
  }
  return new Blob(descriptor, token.info);
}

/** A token is checked as a whole before it is used up. */
function checkToken(token: unknown): asserts token is BlobToken {
  const wellFormed =
    isRecord(token) &&
    token.sealane === 'blob-token/1' &&
    typeof token.key === 'string' &&
    isRecord(token.info) &&
    Number.isSafeInteger(token.info.size);
  if (!wellFormed) throw invalidArgument('token', 'be what Blob.token() returned', token);
}

function checkOrClose(descriptor: number, size: number): DescriptorInfo {
  try {
    return requireBlobDescriptor(descriptor, size);
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
}

/** What all constructors of typed arrays inherit from. */
const TypedArray = Object.getPrototypeOf(Uint8Array) as { readonly prototype: object };

function isTypedArrayConstructor(type: unknown): boolean {
  return typeof type === 'function' && type.prototype instanceof (TypedArray as unknown as typeof Uint8Array);
}

function requireMultiple(what: string, value: number, width: number): void {
  if (value % width === 0) return;
  throw new SealaneError(
    'ERR_SEALANE_MISALIGNED',
    `${what} is ${value}, not a multiple of the element size ${width}`,
  );
}
