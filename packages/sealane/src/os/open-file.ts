/**
 * Files that are opened by path, off the event loop. Owns the descriptor: it is closed by close(), and at the latest when the
 * thread's environment ends, also when that happens while the file is being opened or closed.
 */
import { assert } from '../base/assert.js';
import { addon } from '../native/addon.js';
import { systemError } from './system-error.js';

/** An open file. Not a FileHandle of Node.js: those stay open when their thread is terminated. */
export class OpenFile {
  readonly #path: string;
  #fd: number;

  private constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  /**
   * Opens a file to read (`r`), or makes or truncates it and opens it to write (`w`). It is open non-blocking: a pipe is opened
   * whether or not its other end is, for writing only if it is (ENXIO). `path` has at most 4095 bytes and no zero character.
   * Throws ERR_SEALANE_SYSTEM, or ERR_SEALANE_EXHAUSTED, with the path.
   */
  static async open(path: string, access: 'r' | 'w'): Promise<OpenFile> {
    try {
      return new OpenFile(path, await addon().fileOpen(path, access === 'w'));
    } catch (error) {
      throw systemError(error, `opening ${JSON.stringify(path)}`);
    }
  }

  /** The descriptor. Throws ERR_SEALANE_INTERNAL once closed. */
  get fd(): number {
    assert(this.#fd !== -1, 'a file is used after its end');
    return this.#fd;
  }

  /**
   * Closes it on another thread: a file system may take its time. Throws ERR_SEALANE_SYSTEM for what the file system says only
   * now, that it could not store what was written; the descriptor is closed all the same. Without effect once closed.
   */
  async close(): Promise<void> {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#fd = -1;
    try {
      await addon().fileClose(fd);
    } catch (error) {
      throw systemError(error, `closing ${JSON.stringify(this.#path)}`);
    }
  }

  /** The same for a file whose content does not matter: never throws. */
  async discard(): Promise<void> {
    await this.close().catch(() => undefined);
  }
}
