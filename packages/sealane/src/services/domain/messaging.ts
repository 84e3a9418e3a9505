/** The kinds of services: what each is called, which settings it has, and which ports. Pure. */
import { assert } from '../../base/assert.js';
import { EVENT_SETTINGS, type EventSettings } from './event-settings.js';
import type { PortKind } from './names.js';
import { PUBLISH_SUBSCRIBE_SETTINGS, type ServiceSettings } from './settings.js';
import type { SettingsTable } from './settings-table.js';

/** The settings of each kind of service, by what its file calls the kind. */
export interface SettingsOf {
  readonly 'publish-subscribe': ServiceSettings;
  readonly event: EventSettings;
}

export type MessagingName = keyof SettingsOf;

/** Ports of one kind, of which a setting says how many there may be. */
interface Ports<M extends MessagingName> {
  readonly kind: PortKind;
  readonly limit: keyof SettingsOf[M] & string;
}

/** One kind of service. Every receiver connects to all senders. */
export interface Messaging<M extends MessagingName = MessagingName> {
  readonly name: M;
  readonly settings: SettingsTable<SettingsOf[M]>;
  readonly sender: Ports<M>;
  readonly receiver: Ports<M>;
}

/** How many ports of a kind there may be, and the setting that says so. */
export interface PortLimit {
  readonly setting: string;
  readonly most: number;
}

export const PUBLISH_SUBSCRIBE: Messaging<'publish-subscribe'> = {
  name: 'publish-subscribe',
  settings: PUBLISH_SUBSCRIBE_SETTINGS,
  sender: { kind: 'publisher', limit: 'maxPublishers' },
  receiver: { kind: 'subscriber', limit: 'maxSubscribers' },
};

export const EVENT: Messaging<'event'> = {
  name: 'event',
  settings: EVENT_SETTINGS,
  sender: { kind: 'notifier', limit: 'maxNotifiers' },
  receiver: { kind: 'listener', limit: 'maxListeners' },
};

/** All kinds. */
export const MESSAGINGS: { readonly [M in MessagingName]: Messaging<M> } = {
  'publish-subscribe': PUBLISH_SUBSCRIBE,
  event: EVENT,
};

/** How many ports of a kind a service of this kind and with these settings may have. */
export function portLimit<M extends MessagingName>(
  messaging: Messaging<M>,
  settings: SettingsOf[M],
  kind: PortKind,
): PortLimit {
  const ports = [messaging.sender, messaging.receiver].find((candidate) => candidate.kind === kind);
  assert(ports !== undefined, `a service of the kind ${messaging.name} has no ${kind}`);
  return { setting: ports.limit, most: Number(settings[ports.limit]) };
}
