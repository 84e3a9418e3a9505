/** Services: brokerless messaging between nodes. The public names of this part. */
export type { Access, AccessOptions } from './domain/access.js';
export type { Attributes, RequiredAttributes } from './domain/attributes.js';
export type { EventSettings } from './domain/event-settings.js';
export type { PortKey, PortKind } from './domain/names.js';
export type { NodeState } from './domain/node-files.js';
export type { PortInfo, PortOptions } from './domain/port-files.js';
export { latest, type PayloadKind, type ServiceSettings } from './domain/settings.js';
export { createSharedDomain, type SharedDomainOptions } from './domain/shared-domain.js';
export {
  type ListedKind,
  type ListedNode,
  type ListedParticipant,
  type ListedService,
  listNodes,
  listServices,
  type SurveyOptions,
} from './domain/survey.js';
export { EventService } from './event-service.js';
export type { EventsMissed } from './event-source.js';
export { Listener, type ListenerFigures } from './events/listener.js';
export type { DeadlineMissed, EventNotice, EventNotification } from './events/listener-port.js';
export { Notifier, type NotifierFigures, type NotifierOptions } from './events/notifier.js';
export {
  Node,
  type NodeEvent,
  type NodeOptions,
} from './node.js';
export { type ObserveOptions, observe } from './observe/observe.js';
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
} from './observe/observed.js';
export type { PortAddress } from './pairs/address.js';
export type { BlockingOptions } from './pairs/blocking.js';
export { PubSubService } from './pubsub-service.js';
export type { FullAction, FullHandler, FullSituation } from './samples/full.js';
export type { GrowthStrategy } from './samples/growth.js';
export type { Loan } from './samples/loan.js';
export {
  Publisher,
  type PublisherFigures,
  type PublisherOptions,
  type SampleSender,
  type SubscriberFigures,
} from './samples/publisher.js';
export type { Sample, SampleHeader } from './samples/received.js';
export {
  type SampleReceiver,
  Subscriber,
  type SubscriberOptions,
  type SubscriberPortFigures,
} from './samples/subscriber.js';
export { Service } from './service.js';
export {
  type EventNeeds,
  type EventOptions,
  ServiceBuilder,
  type ServiceNeeds,
  type ServiceOptions,
} from './service-builder.js';
export type { ServiceEvent } from './service-core.js';
export {
  type AttachDescriptorOptions,
  type AttachOptions,
  type WaitablePort,
  type WaitablePorts,
  type WaitOptions,
  WaitSet,
} from './wait-set.js';
export type { Attachment, DescriptorInterest, Ready } from './wait-set-attachment.js';
