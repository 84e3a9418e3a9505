/**
 * SIGHUP has two meanings: a service manager or an administrator asks to read files anew, and the kernel says that the terminal is
 * gone. Owns the listener for it, and tells the two apart: only in the second case is the terminal that was there no longer there.
 */
import { closeSync, constants, openSync } from 'node:fs';

/** Listens from its creation until it is disposed. */
export class Hangup implements Disposable {
  readonly #hadTerminal = hasTerminal();
  readonly #onSignal = () => this.#handle();
  readonly #reload: () => Promise<void>;
  #leave: () => void = () => undefined;
  #running = false;
  #again = false;

  /** Resolves when the terminal is gone. */
  readonly terminalGone = new Promise<void>((resolve) => {
    this.#leave = resolve;
  });

  /** `reload` is called for each request to reload; requests that come while it runs are one more. It must not reject. */
  constructor(reload: () => Promise<void>) {
    this.#reload = reload;
    process.on('SIGHUP', this.#onSignal);
  }

  [Symbol.dispose](): void {
    process.off('SIGHUP', this.#onSignal);
  }

  #handle(): void {
    if (this.#hadTerminal && !hasTerminal()) this.#leave();
    else if (this.#running) this.#again = true;
    else void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    do {
      this.#again = false;
      await this.#reload();
    } while (this.#again);
    this.#running = false;
  }
}

/** Whether this process has a controlling terminal that is still connected. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}
