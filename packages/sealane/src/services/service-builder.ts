/** How a node opens services: by name, then by kind. Owns nothing. */
import { checkRecord } from '../base/check.js';
import type { AccessOptions } from './domain/access.js';
import type { Attributes, RequiredAttributes } from './domain/attributes.js';
import type { EventSettings } from './domain/event-settings.js';
import { EVENT, type MessagingName, PUBLISH_SUBSCRIBE } from './domain/messaging.js';
import type { NodeServices, OpenService } from './domain/service-files.js';
import type { ServiceSettings } from './domain/settings.js';
import { EventService } from './event-service.js';
import { PubSubService } from './pubsub-service.js';
import type { ServiceCore } from './service-core.js';

/** What the creator of a service defines; whoever opens one that exists requires it. */
export interface ServiceOptions extends Partial<ServiceSettings> {
  readonly attributes?: Attributes | undefined;
  /** In a shared domain, whom it lets in beside this user. Default: everybody in the domain. See docs/services.md. */
  readonly access?: AccessOptions | undefined;
}

/** What an opener requires; an attribute of `true` must be there with any value. */
export interface ServiceNeeds extends Partial<ServiceSettings> {
  readonly attributes?: RequiredAttributes | undefined;
  /** In a shared domain, whom this node lets in of those whom the service lets in, and whose services count. Default: all of them. */
  readonly access?: AccessOptions | undefined;
}

/** What the creator of an event service defines; whoever opens one that exists requires it. */
export interface EventOptions extends Partial<EventSettings> {
  readonly attributes?: Attributes | undefined;
  /** As of {@link ServiceOptions}. */
  readonly access?: AccessOptions | undefined;
}

/** What an opener of an event service requires; an attribute of `true` must be there with any value. */
export interface EventNeeds extends Partial<EventSettings> {
  readonly attributes?: RequiredAttributes | undefined;
  /** As of {@link ServiceNeeds}. */
  readonly access?: AccessOptions | undefined;
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
   * ERR_SEALANE_CLOSED, and as {@link Node.create}; in a shared domain ERR_SEALANE_ACCESS_DENIED when it does not let this user in, and
   * ERR_SEALANE_UNTRUSTED_PEER when several users have one of this name open and `access` does not say whose is meant.
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

/** What is beside the settings. */
interface Beside<A> {
  readonly attributes?: A | undefined;
  readonly access?: AccessOptions | undefined;
}

/** What is in it is checked where it is used. */
function toCreation<S>(options: S & Beside<Attributes>) {
  checkRecord('options', options);
  const { attributes, access, ...settings } = options;
  return { settings, attributes, access };
}

function toRequirements<S>(needs: S & Beside<RequiredAttributes>) {
  checkRecord('needs', needs);
  const { attributes, access, ...settings } = needs;
  return { settings, attributes, access };
}
