/** Where those wait on the event loop who want to look again when something has happened. Owns who waits. */
import { onAbort } from '../../base/abort.js';
import { abortedError, closedError } from '../../base/errors.js';

export class Doorbell {
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** What is closed once {@link close} was called: for errors. */
  constructor(private readonly owner: string) {}

  /** Resolves at the next ring. Rejects with ERR_SEALANE_ABORTED when the signal fires (`what` was aborted), ERR_SEALANE_CLOSED. */
  async wait(signal: AbortSignal | undefined, what: string): Promise<void> {
    refuseAborted(signal, what);
    let forget: () => void = () => undefined;
    await new Promise<void>((resolve) => {
      if (this.#closed) return resolve();
      this.#waiting.add(resolve);
      const wake = (): void => {
        this.#waiting.delete(resolve);
        resolve();
      };
      if (signal !== undefined) forget = onAbort(signal, wake);
    });
    forget();
    refuseAborted(signal, what);
    if (this.#closed) throw closedError(this.owner);
  }

  /** All who wait look again. */
  ring(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** All who wait, and all who come, are told that it is closed. */
  close(): void {
    this.#closed = true;
    this.ring();
  }
}

function refuseAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted === true) throw abortedError(what, signal);
}
