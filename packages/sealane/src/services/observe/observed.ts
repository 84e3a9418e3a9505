/** What an observer tells of a domain: plain values, which keep nothing alive. */
import type { PortKind } from '../domain/names.js';
import type { ListedKind } from '../domain/survey.js';

/** How long samples were under way, from send to receive, in microseconds: to within 7 %. */
export interface ObservedLatency {
  readonly p50: number;
  readonly p99: number;
}

/** A port of a service that is observed. */
interface ObservedPortBase {
  /** Its node: 16 hexadecimal digits. */
  readonly node: string;
  /** Its number within the node. */
  readonly port: number;
  /** The process of its node; undefined where that is not known. */
  readonly pid: number | undefined;
}

/** A subscriber, as its publisher sees it. */
export interface ObservedSubscription {
  readonly node: string;
  readonly port: number;
  readonly pid: number;
  /** Samples that may wait for it. */
  readonly bufferSize: number;
  /** Samples that wait for it now. */
  readonly waiting: number;
  /** Slots that it has: waiting, borrowed, or on their way back. */
  readonly held: number;
  /** Samples that it did not get since they are connected. */
  readonly lost: number;
}

/** A publisher of a service. */
export interface ObservedPublisher extends ObservedPortBase {
  readonly kind: 'publisher';
  /** Samples that it sent so far. */
  readonly sent: number;
  readonly sentPerSecond: number;
  /** Samples that subscribers did not get so far. */
  readonly lost: number;
  readonly lostPerSecond: number;
  /** Samples that are on loan. */
  readonly loaned: number;
  /** Loans that nobody sent or released, until the garbage collector gave them back. */
  readonly leaked: number;
  readonly slots: number;
  readonly usedSlots: number;
  /** Bytes of its memory. What was never used is not allocated. */
  readonly memoryBytes: number;
  readonly subscribers: readonly ObservedSubscription[];
}

/** A publisher, as its subscriber sees it. */
export interface ObservedSource {
  readonly node: string;
  readonly port: number;
  readonly pid: number;
  readonly bufferSize: number;
  readonly waiting: number;
  readonly maxBorrowed: number;
  /** Samples of it that are held. */
  readonly borrowed: number;
  readonly received: number;
  /** Samples that it sent since they are connected, and that did not arrive. */
  readonly missed: number;
}

/** A subscriber of a service. */
export interface ObservedSubscriber extends ObservedPortBase {
  readonly kind: 'subscriber';
  /** Samples that it received so far. */
  readonly received: number;
  readonly receivedPerSecond: number;
  /** Samples that did not arrive so far. */
  readonly missed: number;
  readonly missedPerSecond: number;
  /** Samples that it holds. */
  readonly borrowed: number;
  /** Samples that nobody released, until the garbage collector gave them back. */
  readonly leaked: number;
  /** Of the samples since the look before; undefined: none was measured, or they state no time. */
  readonly latencyUs: ObservedLatency | undefined;
  readonly publishers: readonly ObservedSource[];
}

/** A notifier of an event service. */
export interface ObservedNotifier extends ObservedPortBase {
  readonly kind: 'notifier';
  /** How often it notified so far. */
  readonly notified: number;
  readonly notifiedPerSecond: number;
}

/** A listener of an event service. */
export interface ObservedListener extends ObservedPortBase {
  readonly kind: 'listener';
  /** Notifications that it received so far, each as often as it was told. */
  readonly received: number;
  readonly receivedPerSecond: number;
  readonly missedDeadlines: number;
}

/** A port whose node tells nothing of it, or not yet. */
export interface UnobservedPort extends ObservedPortBase {
  readonly kind: 'unknown';
  readonly role: PortKind;
}

export type ObservedPort =
  | ObservedPublisher
  | ObservedSubscriber
  | ObservedNotifier
  | ObservedListener
  | UnobservedPort;

/** A node that is observed. */
export interface ObservedNode {
  /** 16 hexadecimal digits; no other node has or had them. */
  readonly id: string;
  /** What it says of itself; undefined when it says nothing. */
  readonly name: string | undefined;
  /** Its process, as the kernel says; undefined where that is not known. */
  readonly pid: number | undefined;
  /** Whether it tells its figures. One that has just come does at the next look. */
  readonly observed: boolean;
  /** Why it does not, where that is known. */
  readonly problem: string | undefined;
}

/** A service that is observed: sums over its ports that are. */
export type ObservedService = ListedKind & {
  /** Its folder in the domain. */
  readonly folder: string;
  /** What its creator defined: undefined when `problem` tells why that can't be read. */
  readonly name: string | undefined;
  readonly problem: string | undefined;
  /** Samples that were sent and received; of an event service, notifications. */
  readonly sentPerSecond: number;
  readonly receivedPerSecond: number;
  /** Samples that subscribers did not get, so far and a second. */
  readonly lost: number;
  readonly lostPerSecond: number;
  /** Samples that are on loan, those that subscribers hold, and those that were forgotten so far. */
  readonly loaned: number;
  readonly borrowed: number;
  readonly leaked: number;
  /** How full the fullest buffer of its pairs is: 0 to 1. */
  readonly fill: number;
  readonly latencyUs: ObservedLatency | undefined;
  readonly ports: readonly ObservedPort[];
};

/** One look at a domain. */
export interface ObservedDomain {
  /** All nodes that live, by id. */
  readonly nodes: readonly ObservedNode[];
  /** All services, by name. */
  readonly services: readonly ObservedService[];
}
