/** Services: brokerless messaging between nodes. The public names of this part. */
export type { Access, AccessOptions } from './access.js';
export type { Attributes, RequiredAttributes } from './attributes.js';
export type { BlockingOptions } from './blocking.js';
export { EventService } from './event-service.js';
export type { EventSettings } from './event-settings.js';
export type { EventsMissed } from './events.js';
export type { FullAction, FullHandler, FullSituation } from './full.js';
export type { GrowthStrategy } from './growth.js';
export { Listener, type ListenerFigures } from './listener.js';
export type { DeadlineMissed, EventNotice, EventNotification } from './listener-port.js';
export type { Loan } from './loan.js';
export type { PortKey, PortKind } from './names.js';
export {
  Node,
  type NodeEvent,
  type NodeOptions,
} from './node.js';
export type { NodeState } from './node-files.js';
export { Notifier, type NotifierFigures, type NotifierOptions } from './notifier.js';
export { type ObserveOptions, observe } from './observe.js';
export type {
  ObservedDomain,
  ObservedLatency,
  ObservedListener,
  ObservedNode,
  ObservedNotifier,
  ObservedPort,
  ObservedPublisher,
  ObservedService,
  ObservedSource,
  ObservedSubscriber,
  ObservedSubscription,
  UnobservedPort,
} from './observed.js';
export type { PortAddress } from './outlet.js';
export type { PortInfo, PortOptions } from './port-files.js';
export {
  Publisher,
  type PublisherFigures,
  type PublisherOptions,
  type SampleSender,
  type SubscriberFigures,
} from './publisher.js';
export { PubSubService } from './pubsub-service.js';
export type { Sample, SampleHeader } from './received.js';
export { Service } from './service.js';
export {
  type EventNeeds,
  type EventOptions,
  ServiceBuilder,
  type ServiceNeeds,
  type ServiceOptions,
} from './service-builder.js';
export type { ServiceEvent } from './service-core.js';
export { latest, type PayloadKind, type ServiceSettings } from './settings.js';
export { createSharedDomain, type SharedDomainOptions } from './shared-domain.js';
export {
  type SampleReceiver,
  Subscriber,
  type SubscriberOptions,
  type SubscriberPortFigures,
} from './subscriber.js';
export {
  type ListedKind,
  type ListedNode,
  type ListedParticipant,
  type ListedService,
  listNodes,
  listServices,
  type SurveyOptions,
} from './survey.js';
export {
  type AttachDescriptorOptions,
  type AttachOptions,
  type WaitablePort,
  type WaitablePorts,
  type WaitOptions,
  WaitSet,
} from './wait-set.js';
export type { Attachment, DescriptorInterest, Ready } from './wait-set-attachment.js';
