/**
 * SHA-256 of what a descriptor holds, by read(2) on another thread: reading a sparse memfd through a mapping would
 * allocate its pages. Owns the state of OpenSSL, which Node.js carries.
 */
import { abortedError, closedError, SealaneError } from '../base/errors.js';
import { addon, type NativeHandle } from '../native/addon.js';
import { OwnedDescriptor } from './descriptor.js';
import { systemError } from './system-error.js';

/** Bytes of one native call: some 5 to 20 ms, so that an abort is soon heard. */
const STEP_BYTES = 8 * 1_048_576;

/** A digest in the making. One update at a time. */
export class Sha256 implements Disposable {
  #handle: NativeHandle | undefined;

  private constructor(handle: NativeHandle) {
    this.#handle = handle;
  }

  /** Begins a digest. Throws ERR_SEALANE_UNSUPPORTED_PLATFORM where this Node.js exports no OpenSSL. */
  static create(): Sha256 {
    const handle = addon().digestCreate();
    if (handle === undefined) {
      throw new SealaneError(
        'ERR_SEALANE_UNSUPPORTED_PLATFORM',
        'this Node.js exports no OpenSSL functions (EVP_...), so digests can not be computed: use an official build',
      );
    }
    return new Sha256(handle);
  }

  /**
   * Takes in up to `length` bytes from `offset` of a borrowed descriptor, which may be closed meanwhile. Resolves to how
   * many there were; fewer than asked for only at the end. Throws while another update is under way (a bug of the
   * caller), and ERR_SEALANE_CLOSED after finish().
   */
  async update(fd: number, offset: number, length: number): Promise<number> {
    try {
      return await addon().digestUpdate(this.#open(), fd, offset, length);
    } catch (error) {
      throw systemError(error, `reading ${length} bytes at ${offset} for a digest`);
    }
  }

  /** The digest, 64 lower-case hexadecimal digits; ends this object. */
  finish(): string {
    const handle = this.#open();
    const digest = addon().digestFinish(handle);
    this.#handle = undefined;
    return digest;
  }

  /** Frees the state; after an update that is under way, if there is one. Idempotent. */
  [Symbol.dispose](): void {
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle !== undefined) addon().digestFree(handle);
  }

  #open(): NativeHandle {
    if (this.#handle === undefined) throw closedError('the digest');
    return this.#handle;
  }
}

/**
 * The SHA-256 of the first `size` bytes of a borrowed descriptor, 64 lower-case hexadecimal digits. Rejects with
 * ERR_SEALANE_ABORTED, and ERR_SEALANE_SIZE_MISMATCH when there are fewer bytes.
 */
export async function sha256OfDescriptor(fd: number, size: number, signal?: AbortSignal): Promise<string> {
  using source = OwnedDescriptor.duplicate(fd);
  using digest = Sha256.create();
  for (let offset = 0; offset < size; ) {
    if (signal?.aborted) throw abortedError('the digest', signal);
    const wanted = Math.min(STEP_BYTES, size - offset);
    const step = await digest.update(source.fd, offset, wanted);
    offset += step;
    if (step < wanted) {
      throw new SealaneError(
        'ERR_SEALANE_SIZE_MISMATCH',
        `the file ended after ${offset} bytes; ${size} were expected`,
      );
    }
  }
  if (signal?.aborted) throw abortedError('the digest', signal);
  return digest.finish();
}
