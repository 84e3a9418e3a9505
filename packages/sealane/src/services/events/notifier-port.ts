/**
 * A notifier's port: tells all its listeners, or one. Owns the ends of its pairs. Notifying allocates nothing, and enters the kernel only to
 * wake a sleeper.
 */
import type { PortFigures } from '../../shm/figures.js';
import { NOTIFIER_FIGURE_NOTIFIED } from '../../shm/layout.js';
import type { ControlLoop } from '../pairs/control.js';
import { Doorbell } from '../pairs/doorbell.js';
import type { EventOutlet } from './event-outlet.js';

/** What a port needs to know. */
export interface NotifierPortOptions {
  readonly loop: ControlLoop;
  readonly figures: PortFigures;
  /** An outlet was closed because its listener left or lied. */
  onGone(outlet: EventOutlet): void;
}

/** How often may be notified until control is served: an owner that never lets the event loop turn does it here. */
const SERVE_EVERY_NOTIFICATIONS = 16;

export class NotifierPort {
  readonly #options: NotifierPortOptions;
  /** Replaced whenever it changes. */
  #outlets: readonly EventOutlet[] = [];
  /** Whose turn it is when one is told and none waits. */
  #next = 0;
  #untilServe = SERVE_EVERY_NOTIFICATIONS;
  #notified = 0;
  readonly #figures: PortFigures;
  #closed = false;
  readonly #bell = new Doorbell('the notifier');

  constructor(options: NotifierPortOptions) {
    this.#options = options;
    this.#figures = options.figures;
    this.#figures.onWrite = (cells) => this.#tell(cells);
  }

  get outlets(): readonly EventOutlet[] {
    return this.#outlets;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** How often it has notified. */
  get notified(): number {
    return this.#notified;
  }

  /** Tells all listeners of an id that there is; returns how many there are. */
  notify(id: number): number {
    this.#begin();
    const outlets = this.#outlets;
    for (let index = 0; index < outlets.length; index++) (outlets[index] as EventOutlet).notify(id);
    return outlets.length;
  }

  /** Tells one listener: one that waits, else the next in turn. Returns 1, or 0 when there is none. */
  notifyOne(id: number): number {
    this.#begin();
    const outlets = this.#outlets;
    const count = outlets.length;
    if (count === 0) return 0;
    const first = this.#next < count ? this.#next : 0;
    let chosen = first;
    for (let tries = 0; tries < count; tries++) {
      const index = first + tries < count ? first + tries : first + tries - count;
      if (!(outlets[index] as EventOutlet).waits) continue;
      chosen = index;
      break;
    }
    this.#next = chosen + 1;
    (outlets[chosen] as EventOutlet).notify(id);
    return 1;
  }

  /** Resolves when the listeners may have changed. Rejects when the signal fires, or the port is closed. */
  async changed(signal?: AbortSignal): Promise<void> {
    await this.#bell.wait(signal, 'waiting for listeners');
  }

  add(outlet: EventOutlet): void {
    this.#outlets = [...this.#outlets, outlet];
    this.#bell.ring();
  }

  /** Ends the connection of a listener. */
  remove(outlet: EventOutlet): void {
    if (!this.#outlets.includes(outlet)) return;
    this.#outlets = this.#outlets.filter((other) => other !== outlet);
    outlet.close();
    this.#options.onGone(outlet);
    this.#bell.ring();
  }

  /** Ends all connections. What was notified can still be received. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const outlet of this.#outlets) this.remove(outlet);
    this.#bell.close();
  }

  #tell(cells: Float64Array): void {
    cells[NOTIFIER_FIGURE_NOTIFIED] = this.#notified;
  }

  #begin(): void {
    this.#notified += 1;
    this.#untilServe -= 1;
    if (this.#untilServe > 0) return;
    this.#untilServe = SERVE_EVERY_NOTIFICATIONS;
    this.#options.loop.serveIfDue();
  }
}
