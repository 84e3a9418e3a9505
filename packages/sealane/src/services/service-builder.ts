/** How a node opens services: by name, then by kind. Owns nothing. */
import { checkRecord } from '../base/check.js';
import type { Attributes, RequiredAttributes } from './attributes.js';
import { EventService } from './event-service.js';
import type { EventSettings } from './event-settings.js';
import { EVENT, type MessagingName, PUBLISH_SUBSCRIBE } from './messaging.js';
import { PubSubService } from './pubsub-service.js';
import type { ServiceCore } from './service-core.js';
import type { NodeServices, OpenService } from './service-files.js';
import type { ServiceSettings } from './settings.js';

/** What the creator of a service defines; whoever opens one that exists requires it. */
export interface ServiceOptions extends Partial<ServiceSettings> {
  readonly attributes?: Attributes | undefined;
}

/** What an opener requires; an attribute of `true` must be there with any value. */
export interface ServiceNeeds extends Partial<ServiceSettings> {
  readonly attributes?: RequiredAttributes | undefined;
}

/** What the creator of an event service defines; whoever opens one that exists requires it. */
export interface EventOptions extends Partial<EventSettings> {
  readonly attributes?: Attributes | undefined;
}

/** What an opener of an event service requires; an attribute of `true` must be there with any value. */
export interface EventNeeds extends Partial<EventSettings> {
  readonly attributes?: RequiredAttributes | undefined;
}

/** Opens a service by its node's files. */
type Opener = <M extends MessagingName>(open: (files: NodeServices) => OpenService<M>) => ServiceCore<M>;

/** A service that is named and not open yet. */
export class ServiceBuilder {
  readonly #name: string;
  readonly #open: Opener;

  /** @internal */
  constructor(name: string, open: Opener) {
    this.#name = name;
    this.#open = open;
  }

  /**
   * Opens the publish-subscribe service, or creates it if no living node has it open. Rejects with ERR_SEALANE_SETTINGS_MISMATCH when it
   * exists and a setting or attribute does not fit, ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_LIMIT_EXCEEDED (`maxNodes`),
   * ERR_SEALANE_CLOSED, and as {@link Node.create}.
   */
  async publishSubscribe(options: ServiceOptions = {}): Promise<PubSubService> {
    const given = toCreation(options);
    return new PubSubService(this.#open((files) => files.openOrCreate(PUBLISH_SUBSCRIBE, this.#name, given)));
  }

  /** Creates it. Rejects with ERR_SEALANE_SERVICE_EXISTS when a living node has it open; else as publishSubscribe. */
  async createPublishSubscribe(options: ServiceOptions = {}): Promise<PubSubService> {
    const given = toCreation(options);
    return new PubSubService(this.#open((files) => files.create(PUBLISH_SUBSCRIBE, this.#name, given)));
  }

  /** Opens it. Rejects with ERR_SEALANE_NO_SERVICE when no living node has it open; else as publishSubscribe. */
  async openPublishSubscribe(needs: ServiceNeeds = {}): Promise<PubSubService> {
    const given = toRequirements(needs);
    return new PubSubService(this.#open((files) => files.open(PUBLISH_SUBSCRIBE, this.#name, given)));
  }

  /** Opens the event service, or creates it if no living node has it open. Rejects as publishSubscribe. */
  async event(options: EventOptions = {}): Promise<EventService> {
    const given = toCreation(options);
    return new EventService(this.#open((files) => files.openOrCreate(EVENT, this.#name, given)));
  }

  /** Creates it. Rejects as createPublishSubscribe. */
  async createEvent(options: EventOptions = {}): Promise<EventService> {
    const given = toCreation(options);
    return new EventService(this.#open((files) => files.create(EVENT, this.#name, given)));
  }

  /** Opens it. Rejects as openPublishSubscribe. */
  async openEvent(needs: EventNeeds = {}): Promise<EventService> {
    const given = toRequirements(needs);
    return new EventService(this.#open((files) => files.open(EVENT, this.#name, given)));
  }
}

/** What is in it is checked where it is used. */
function toCreation<S>(options: S & { readonly attributes?: Attributes | undefined }) {
  checkRecord('options', options);
  const { attributes, ...settings } = options;
  return { settings, attributes };
}

function toRequirements<S>(needs: S & { readonly attributes?: RequiredAttributes | undefined }) {
  checkRecord('needs', needs);
  const { attributes, ...settings } = needs;
  return { settings, attributes };
}
