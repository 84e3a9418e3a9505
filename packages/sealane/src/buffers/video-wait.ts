/** Waits for a video device's pictures on the event loop. Owns the watcher of the device, not the device. */
import { onAbort } from '../base/abort.js';
import { abortedError, closedError } from '../base/errors.js';
import type { FilledBuffer, VideoDevice } from '../os/video-device.js';
import { Watcher } from '../os/watcher.js';

/** How often the pool is looked into while the driver lacks empty buffers: a fraction of the time between two pictures. */
const LOOK_MS = 5;

/** How many empty buffers the driver has: as many as it should, fewer, or none. */
export type Supply = 'enough' | 'few' | 'none';

/** The pictures of a device that was started. */
export class Pictures implements Disposable {
  readonly #device: VideoDevice;
  readonly #watcher: Watcher;
  readonly #closing: AbortSignal;
  readonly #signal: AbortSignal | undefined;
  readonly #forget: readonly (() => void)[];
  #wake: () => void = () => undefined;

  /** `closing` fires before the device is closed. */
  constructor(device: VideoDevice, closing: AbortSignal, signal: AbortSignal | undefined) {
    this.#device = device;
    this.#closing = closing;
    this.#signal = signal;
    this.#watcher = new Watcher(device.fd, () => this.#wake());
    const signals = signal === undefined ? [closing] : [closing, signal];
    this.#forget = signals.filter(({ aborted }) => !aborted).map((one) => onAbort(one, () => this.#end(one)));
  }

  /**
   * The next picture. Undefined where the driver lacks empty buffers and it is time to look for some. Rejects with ERR_SEALANE_ABORTED,
   * ERR_SEALANE_CLOSED, ERR_SEALANE_SYSTEM.
   */
  async next(supply: Supply): Promise<FilledBuffer | undefined> {
    for (;;) {
      this.#check();
      // A driver without any buffer counts as failed: it would be ready all the time.
      const filled = supply === 'none' ? undefined : this.#device.dequeue();
      if (filled !== undefined) return filled;
      const timedOut = await this.#wait(supply !== 'none', supply !== 'enough');
      this.#check();
      if (timedOut) return undefined;
    }
  }

  /** No wait may be under way. */
  [Symbol.dispose](): void {
    for (const forget of this.#forget) forget();
    this.#watcher.close();
  }

  #check(): void {
    if (this.#closing.aborted) throw closedError('the video source');
    if (this.#signal?.aborted === true) throw abortedError('recording', this.#signal);
  }

  /** Ends a wait; the descriptor must not be watched any more when it is closed. */
  #end(signal: AbortSignal): void {
    if (signal === this.#closing) this.#watcher.close();
    this.#wake();
  }

  /** Waits for a picture, for some time, or for both; whether the time passed. A signal ends it as a picture does. */
  async #wait(forPicture: boolean, forTime: boolean): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const timedOut = await new Promise<boolean>((resolve) => {
      this.#wake = () => resolve(false);
      if (forTime) timer = setTimeout(resolve, LOOK_MS, true);
      if (forPicture) this.#watcher.want(true, false);
    });
    clearTimeout(timer);
    // Else it would be told again and again that there is a picture.
    if (forPicture && !this.#closing.aborted) this.#watcher.want(false, false);
    return timedOut;
  }
}
