/**
 * Closes the descriptors of contents. The last close of a memfd frees its pages, which takes the kernel tens of milliseconds
 * per GiB: for large ones it happens on a thread, because the event loop belongs to all clients.
 * Owns what it has been given and not closed yet.
 */
import { closeDescriptor, closeDescriptorOnThread, disposeDescriptor } from '../os/descriptor.js';

/** From this size on, in bytes, a close is worth a thread: freeing so much takes longer than handing it over. */
const CLOSE_ON_THREAD_BYTES = 1_048_576;

export class Closer {
  #underWay = 0;
  #whenIdle: (() => void)[] = [];

  /** Takes a descriptor whose file has `bytes` bytes. */
  close(fd: number, bytes: number): void {
    if (bytes < CLOSE_ON_THREAD_BYTES) {
      closeDescriptor(fd);
      return;
    }
    this.#underWay++;
    void closeDescriptorOnThread(fd).then(() => this.#onClosed());
  }

  /** Takes a descriptor that is refused. Nobody knows how long its close takes, so {@link Closer.idle} does not wait for it. */
  reject(fd: number): void {
    disposeDescriptor(fd);
  }

  /** Resolves when everything that was given is closed. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#underWay === 0) resolve();
      else this.#whenIdle.push(resolve);
    });
  }

  #onClosed(): void {
    this.#underWay--;
    if (this.#underWay > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}
