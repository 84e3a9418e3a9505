/** The face that all kinds of services share. Owns nothing: what is behind it is its core's. */
import { inspect } from 'node:util';
import { checkOptions, checkSignal } from '../base/check.js';
import type { Attributes } from './domain/attributes.js';
import type { MessagingName, SettingsOf } from './domain/messaging.js';
import type { PortInfo } from './domain/port-files.js';
import type { ServiceCore, ServiceEvent } from './service-core.js';

/** A service that is open: who is in it, and what happens in it. Close it, or declare it with `await using`. */
export abstract class Service<M extends MessagingName = MessagingName>
  implements AsyncDisposable, Disposable
{
  /** @internal */
  protected readonly core: ServiceCore<M>;

  /** @internal */
  constructor(core: ServiceCore<M>) {
    this.core = core;
  }

  get name(): string {
    return this.core.files.name;
  }

  /** What its creator defined. */
  get settings(): SettingsOf[M] {
    return this.core.files.settings;
  }

  /** What its creator defined. */
  get attributes(): Attributes {
    return this.core.files.attributes;
  }

  get closed(): boolean {
    return this.core.closed;
  }

  /** The ports of all nodes, as their files tell. Throws ERR_SEALANE_SYSTEM, ERR_SEALANE_CLOSED. */
  ports(): PortInfo[] {
    this.core.check();
    return this.core.files.listPorts();
  }

  /**
   * What happens in the service from now on. A consumer that is more than 1,024 events behind misses the oldest, and is told so. Ends
   * when the service is closed. The iteration throws ERR_SEALANE_ABORTED when the signal fires.
   */
  events(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<ServiceEvent> {
    this.core.check();
    checkOptions('options', options, ['signal']);
    checkSignal('options.signal', options.signal);
    return this.core.events.follow(options.signal);
  }

  /** What console.log shows: what there is to know, and none of what is behind it. */
  [inspect.custom](): object {
    const { name, settings, attributes, closed } = this;
    return { name, messaging: this.core.files.messaging, settings, attributes, closed };
  }

  /** Ends its ports, and the node's participation. Idempotent. */
  close(): void {
    this.core.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
