/**
 * The descriptors of frames that are being sent, and of those in the history, by their tokens. Owns duplicates of them, and closes each as
 * soon as its frame is in neither; those of a frame that is sent at once, and kept in no history, are borrowed from who sends it.
 */
import { checkDescriptor } from '../base/check.js';
import { invalidArgument, SealaneError } from '../base/errors.js';
import { areOpen, disposeDescriptors, duplicate, requireOpenDescriptors } from '../os/index.js';
import { HANDSHAKE_MAX_DESCRIPTORS } from '../shm/layout.js';

/** Numbers of descriptors that are known to be open. A source has fewer buffers. */
const MAX_SEEN = 64;

export class DescriptorStore implements Disposable {
  readonly #history: number;
  readonly #byToken = new Map<number, readonly number[]>();
  /** Borrowed, with the token of their frame; 0: none are. */
  #lent: readonly number[] = [];
  #lentToken = 0;
  /** Those that are lent were found closed. */
  #broken = false;
  /** Numbers of those that were open when they were lent: asking again each time costs, and the kernel refuses to send what is not open. */
  readonly #seen = new Set<number>();

  constructor(history: number) {
    this.#history = history;
  }

  /** Those of a frame, borrowed. */
  of(token: number): readonly number[] | undefined {
    return token === this.#lentToken ? this.#lent : this.#byToken.get(token);
  }

  /**
   * Lends the descriptors of the frame that is sent next until it is settled, or duplicates them if they are kept longer than that. Throws
   * as add().
   */
  lend(token: number, descriptors: readonly number[]): void {
    if (this.#history > 0) {
      this.add(token, descriptors);
      return;
    }
    for (const fd of descriptors) if (!this.#seen.has(fd)) this.#see(fd);
    this.#lent = descriptors;
    this.#lentToken = token;
  }

  #see(fd: number): void {
    requireOpenDescriptors([fd]);
    if (this.#seen.size === MAX_SEEN) this.#seen.clear();
    this.#seen.add(fd);
  }

  /** They could not be sent, and will be tried again: notes, and says, whether who lent them closed them meanwhile, so that they never can be. */
  failed(token: number): boolean {
    if (token === this.#lentToken && !areOpen(this.#lent)) this.#broken = true;
    return this.#broken;
  }

  /** Before they are tried again: throws ERR_SEALANE_SYSTEM (EBADF) if that is in vain. */
  requireHope(): void {
    if (this.#broken) requireOpenDescriptors(this.#lent);
  }

  /** Duplicates the descriptors of the frame that is sent next. Throws ERR_SEALANE_EXHAUSTED, ERR_SEALANE_SYSTEM (EBADF). */
  add(token: number, descriptors: readonly number[]): void {
    this.#byToken.set(token, duplicateAll(descriptors));
  }

  /** Frames up to `sent` were sent: of those, the history's are kept; others that were added were not sent. */
  settle(sent: number): void {
    this.#lentToken = 0;
    if (this.#broken) this.#seen.clear();
    this.#broken = false;
    if (this.#byToken.size === 0) return;
    for (const [token, descriptors] of this.#byToken) {
      if (token <= sent && token > sent - this.#history) continue;
      this.#byToken.delete(token);
      disposeDescriptors(descriptors);
    }
  }

  /** Closes all. Idempotent. */
  close(): void {
    for (const descriptors of this.#byToken.values()) disposeDescriptors(descriptors);
    this.#byToken.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The descriptors as an array of this side's own: a codec may change the caller's meanwhile. Throws ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_TOO_MANY_DESCRIPTORS. */
export function checkDescriptors(name: string, given: unknown): readonly number[] {
  const descriptors: readonly unknown[] = Array.isArray(given) ? [...given] : [given];
  if (descriptors.length === 0) throw invalidArgument(name, 'be 1 to 4 descriptors', given);
  if (descriptors.length > HANDSHAKE_MAX_DESCRIPTORS) throw tooMany(name, descriptors.length);
  for (const [index, fd] of descriptors.entries())
    checkDescriptor(Array.isArray(given) ? `${name}[${index}]` : name, fd);
  return descriptors as readonly number[];
}

/** Duplicates, all or none. The caller owns them. Throws ERR_SEALANE_EXHAUSTED, ERR_SEALANE_SYSTEM (EBADF). */
export function duplicateAll(descriptors: readonly number[]): number[] {
  const duplicates: number[] = [];
  try {
    for (const fd of descriptors) duplicates.push(duplicate(fd));
    return duplicates;
  } catch (error) {
    disposeDescriptors(duplicates);
    throw error;
  }
}

function tooMany(name: string, count: number): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_TOO_MANY_DESCRIPTORS',
    `${name} has ${count} descriptors, and a frame has at most ${HANDSHAKE_MAX_DESCRIPTORS}: put planes into one buffer at offsets, or send several frames`,
  );
}
