/**
 * Reports a broker to the service manager that started it: ready, reloading, stopping, how it is, and that it lives.
 * Owns the timers. A report that can't be made is said once and stops nothing; without a service manager nothing happens.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMicroseconds, Notifier, type ServiceState } from 'sealane/internal';

/** How often the line in `systemctl status` is looked after, in milliseconds. It is sent when it has changed. */
const STATUS_INTERVAL_MS = 5_000;

/** How long to wait when the service manager's queue is full, in milliseconds. */
const RETRY_MS = 20;

/** Signs of life for each time that the service manager waits: half of it, as sd_watchdog_enabled(3) recommends. */
const PINGS_PER_WATCHDOG = 2;

/** What is supervised. */
export interface Supervised {
  /** One line: how it is. */
  describe(): string;
  /** Resolves when a request was served. */
  probe(): Promise<void>;
}

export class Supervisor implements Disposable {
  readonly #warn: (message: string) => void;
  readonly #notifier: Notifier | undefined;
  #supervised: Supervised | undefined;
  #statusTimer: NodeJS.Timeout | undefined;
  #watchdogTimer: NodeJS.Timeout | undefined;
  #status = '';
  #probing = false;
  #warned = false;

  /** `notifySocket` is where to report to; undefined: nowhere. `warn` hears, once, that a report could not be made. */
  constructor(notifySocket: string | undefined, warn: (message: string) => void) {
    this.#warn = warn;
    this.#notifier = notifySocket === undefined ? undefined : this.#open(notifySocket);
  }

  /** The service is up. From now on the service manager hears how it is and, with `watchdogMs`, twice in that time that it lives. */
  ready(supervised: Supervised, watchdogMs: number | undefined): void {
    if (this.#notifier === undefined) return;
    this.#supervised = supervised;
    void this.#deliver({ READY: 1, STATUS: this.#describe() });
    this.#statusTimer = setInterval(() => this.#reportStatus(), STATUS_INTERVAL_MS);
    if (watchdogMs === undefined) return;
    const intervalMs = Math.max(1, Math.floor(watchdogMs / PINGS_PER_WATCHDOG));
    this.#watchdogTimer = setInterval(() => void this.#ping(), intervalMs);
  }

  /** Runs `reload` between the reports that it begins and that it is done. Rejects as `reload` does, after the second report. */
  async reloading(reload: () => Promise<void>): Promise<void> {
    await this.#deliver({ RELOADING: 1, MONOTONIC_USEC: monotonicMicroseconds() });
    try {
      await reload();
    } finally {
      await this.#deliver({ READY: 1, STATUS: this.#describe() });
    }
  }

  /** The service ends. Reports nothing more. */
  stopping(): void {
    this.#stopTimers();
    // Tried once: an end that waits for the service manager's queue would be none.
    this.#tell({ STOPPING: 1, STATUS: 'Stopping' });
    this.#supervised = undefined;
  }

  [Symbol.dispose](): void {
    this.#stopTimers();
  }

  #stopTimers(): void {
    clearInterval(this.#statusTimer);
    clearInterval(this.#watchdogTimer);
  }

  #describe(): string {
    this.#status = this.#supervised?.describe() ?? '';
    return this.#status;
  }

  #reportStatus(): void {
    const before = this.#status;
    const status = this.#describe();
    if (status !== before && !this.#tell({ STATUS: status })) this.#status = before;
  }

  /**
   * A sign of life, given only when a request was served. While an answer is due none is given: the service manager ends a
   * broker that serves nobody, not one that is merely busy.
   */
  async #ping(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    try {
      await this.#supervised?.probe();
      await this.#deliver({ WATCHDOG: 1 });
    } catch (error) {
      this.#status = `Not serving: ${String(error).replaceAll('\n', ' ')}`;
      this.#tell({ STATUS: this.#status });
    } finally {
      this.#probing = false;
    }
  }

  /** Tells as soon as the service manager has room for it, unless the service is stopping by then. */
  async #deliver(state: ServiceState): Promise<void> {
    while (this.#supervised !== undefined && !this.#tell(state)) await delay(RETRY_MS);
  }

  /** False: there is no room just now. */
  #tell(state: ServiceState): boolean {
    try {
      return this.#notifier?.tell(state) ?? true;
    } catch (error) {
      this.#warnOnce(error);
      return true;
    }
  }

  #open(address: string): Notifier | undefined {
    try {
      return new Notifier(address);
    } catch (error) {
      this.#warnOnce(error);
      return undefined;
    }
  }

  #warnOnce(error: unknown): void {
    if (!this.#warned) this.#warn(`${(error as Error).message}; it won't know how the broker is`);
    this.#warned = true;
  }
}
