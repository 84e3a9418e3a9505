/** Waits on the event loop until a video device may have a picture, or whoever streams has something else to do. Owns the watcher of the device, not the device. */
import { onAbort } from '../base/abort.js';
import { abortedError, closedError } from '../base/errors.js';
import { Watcher } from '../os/watcher.js';

/** The pictures of a device. */
export class Pictures implements Disposable {
  readonly #watcher: Watcher;
  readonly #closing: AbortSignal;
  readonly #signal: AbortSignal | undefined;
  readonly #forget: readonly (() => void)[];
  #wake: () => void = () => undefined;

  /** `closing` fires before the device is closed. */
  constructor(device: { readonly fd: number }, closing: AbortSignal, signal: AbortSignal | undefined) {
    this.#closing = closing;
    this.#signal = signal;
    this.#watcher = new Watcher(device.fd, () => this.#wake());
    const signals = signal === undefined ? [closing] : [closing, signal];
    this.#forget = signals.filter(({ aborted }) => !aborted).map((one) => onAbort(one, () => this.#end(one)));
  }

  /** Throws ERR_SEALANE_ABORTED, ERR_SEALANE_CLOSED. */
  check(): void {
    if (this.#closing.aborted) throw closedError('the video source');
    if (this.#signal?.aborted === true) throw abortedError('recording', this.#signal);
  }

  /** Resolves once there may be a picture, if that is waited for, once {@link wake} is called, or a signal fires: look again, and check. */
  async wait(forPicture: boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (forPicture) this.#watcher.want(true, false);
    });
    // Else it would be told again and again that there is a picture.
    if (forPicture && !this.#closing.aborted) this.#watcher.want(false, false);
  }

  /** There is something to do. */
  wake(): void {
    this.#wake();
  }

  /** No wait may be under way. */
  [Symbol.dispose](): void {
    for (const forget of this.#forget) forget();
    this.#watcher.close();
  }

  /** Ends a wait; the descriptor must not be watched any more when it is closed. */
  #end(signal: AbortSignal): void {
    if (signal === this.#closing) this.#watcher.close();
    this.#wake();
  }
}
