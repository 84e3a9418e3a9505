/**
 * What appears in directories and vanishes from them, inotify(7). Owns its descriptor, which a Watcher or Readiness tells when to read.
 * Trusts the kernel's lengths no further than the bytes that it wrote; names are whatever anybody called a file.
 */
import { endianness } from 'node:os';
import { assert } from '../base/assert.js';
import { addon } from '../native/addon.js';
import { KernelObject } from './kernel-object.js';
import { systemError } from './system-error.js';

/** Flags of an event, inotify(7). */
const IN_MOVED_FROM = 0x40;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_DELETE = 0x200;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;

/** struct inotify_event before its name: watch, flags, cookie, length of the name with its padding. */
const HEADER_BYTES = 16;
/** Room for some 50 events with the longest names, and some 500 with short ones. */
const BUFFER_BYTES = 16_384;
const LITTLE_ENDIAN = endianness() === 'LE';

/**
 * - `appeared`: there is a new name in the directory; made, linked, or moved there.
 * - `vanished`: a name is gone from the directory.
 * - `ended`: the directory is gone, or its watch was ended; nothing more comes for it, and its number is free.
 * - `overflow`: events were lost; look into all directories anew.
 */
export type InotifyKind = 'appeared' | 'vanished' | 'ended' | 'overflow';

/** Something that happened in a directory. */
export interface InotifyEvent {
  /** The number that {@link Inotify.watch} answered; -1 for `overflow`. */
  readonly watch: number;
  /** The name in the directory, '' for `ended` and `overflow`. Bytes that are no UTF-8 are replaced by U+FFFD. */
  readonly name: string;
  readonly kind: InotifyKind;
}

/**
 * One inotify instance; its descriptor is readable while there are events. Closing it ends all watches. Every method but close() throws
 * ERR_SEALANE_CLOSED once closed.
 */
export class Inotify extends KernelObject {
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);

  /**
   * Makes one. Throws ERR_SEALANE_EXHAUSTED when this user has no instance left (fs.inotify.max_user_instances, usually 128) or this
   * process no descriptor: whoever can, looks into the directory from time to time instead.
   */
  static open(): Inotify {
    try {
      return new Inotify(addon().inotifyOpen(), 'the inotify instance');
    } catch (error) {
      throw systemError(error, 'making an inotify instance');
    }
  }

  /**
   * Watches a directory, and answers the number of the watch; the same number for a directory that is watched already. Look into the
   * directory afterwards: what is there tells no event. A directory that this process has open, or works in, does not end until it
   * no longer does. Throws ERR_SEALANE_SYSTEM (ENOENT; ENOTDIR: not a directory, or a symbolic link), ERR_SEALANE_EXHAUSTED (ENOSPC:
   * fs.inotify.max_user_watches).
   */
  watch(path: string): number {
    try {
      return addon().inotifyWatch(this.fd, path);
    } catch (error) {
      throw systemError(error, `watching the directory ${path}`);
    }
  }

  /** Ends a watch: an `ended` comes for it after what happened before. Nothing for one that has ended. */
  unwatch(watch: number): void {
    try {
      addon().inotifyUnwatch(this.fd, watch);
    } catch (error) {
      throw systemError(error, `ending the watch ${watch}`);
    }
  }

  /** The next events, in their order; there may be more. Undefined: there are none now. */
  read(): InotifyEvent[] | undefined {
    let count: number;
    try {
      count = addon().inotifyRead(this.fd, this.#buffer);
    } catch (error) {
      throw systemError(error, 'reading what happened in directories');
    }
    return count === -1 ? undefined : parseInotify(this.#buffer.subarray(0, count));
  }
}

/** The events in what the kernel wrote; those of no kind are left out. Throws ERR_SEALANE_INTERNAL for bytes that are no events. */
export function parseInotify(bytes: Uint8Array): InotifyEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: InotifyEvent[] = [];
  let at = 0;
  while (at < bytes.length) {
    assert(bytes.length - at >= HEADER_BYTES, 'an inotify event is cut off in its header');
    const nameBytes = view.getUint32(at + 12, LITTLE_ENDIAN);
    assert(nameBytes <= bytes.length - at - HEADER_BYTES, 'an inotify event is cut off in its name');
    const kind = kindOf(view.getUint32(at + 4, LITTLE_ENDIAN));
    const watch = view.getInt32(at, LITTLE_ENDIAN);
    at += HEADER_BYTES;
    if (kind !== undefined) events.push({ watch, name: nameIn(bytes.subarray(at, at + nameBytes)), kind });
    at += nameBytes;
  }
  return events;
}

/** That a directory was deleted or its file system unmounted says nothing that IN_IGNORED right after it does not say. */
function kindOf(flags: number): InotifyKind | undefined {
  if ((flags & IN_Q_OVERFLOW) !== 0) return 'overflow';
  if ((flags & IN_IGNORED) !== 0) return 'ended';
  if ((flags & (IN_CREATE | IN_MOVED_TO)) !== 0) return 'appeared';
  return (flags & (IN_DELETE | IN_MOVED_FROM)) !== 0 ? 'vanished' : undefined;
}

/** A name is padded with zeros. */
function nameIn(padded: Uint8Array): string {
  const end = padded.indexOf(0);
  const { buffer, byteOffset, byteLength } = padded;
  return Buffer.from(buffer, byteOffset, end === -1 ? byteLength : end).toString('utf8');
}
