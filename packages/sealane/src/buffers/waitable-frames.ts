/** A subscriber of buffers, as a WaitSet sees it: ready also for an error that receiving would throw. Borrows its port. */
import type { ControlLoop } from '../services/pairs/control.js';
import type { Waitable } from '../services/pairs/waitable.js';
import type { SubscriberPort } from '../services/samples/subscriber-port.js';

/** What a subscriber has to tell beside frames. */
export interface Troubles {
  /** The next call that receives throws. */
  due(): boolean;
  /** How many were thrown so far. */
  told(): number;
}

export class WaitableFrames implements Waitable {
  readonly #port: SubscriberPort;
  readonly #troubles: Troubles;

  constructor(port: SubscriberPort, troubles: Troubles) {
    this.#port = port;
    this.#troubles = troubles;
  }

  get loop(): ControlLoop {
    return this.#port.loop;
  }

  get ready(): boolean {
    return this.#troubles.due() || this.#port.ready;
  }

  get received(): number {
    return this.#port.received + this.#troubles.told();
  }

  get closed(): boolean {
    return this.#port.closed;
  }

  beginWaiting(): boolean {
    return this.#port.beginWaiting() || this.#troubles.due();
  }

  endWaiting(): void {
    this.#port.endWaiting();
  }
}
