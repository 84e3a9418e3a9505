/** The settings of an event service: what each means, its default and its limits. Pure. */
import { EVENTS_MAX_IDS } from '../../shm/layout.js';
import { amount, exact, SettingsTable, someOf } from './settings-table.js';

/**
 * What the creator of an event service defines for all its ports. An opener states what it needs: a number must be at most what the
 * service has (`deadlineMs` and the ids that tell of notifiers must be equal); what it leaves out fits anything.
 */
export interface EventSettings {
  /** Most notifiers at a time. Default 16; 1 to 256. Each costs every listener a connection and up to 9 KiB. */
  readonly maxNotifiers: number;
  /** Most listeners at a time. Default 16; 1 to 256. Each costs every notifier a connection and up to 9 KiB. */
  readonly maxListeners: number;
  /** Most nodes that have the service open at a time. Default 128; 1 to 4096. Costs one empty file each. */
  readonly maxNodes: number;
  /** How many events there are: their ids are 0 to `eventIds - 1`. Default 1024; 1 to 1024. Each costs 8 bytes a connection. */
  readonly eventIds: number;
  /** How long nothing may come, in milliseconds, until listeners are told so. Default 0: for ever; up to 2^31 - 1. */
  readonly deadlineMs: number;
  /** The id that a listener gets when it has connected to a notifier. Default null: none. */
  readonly notifierCreated: number | null;
  /** The id that a listener gets when a notifier was closed. Default null: none. */
  readonly notifierDropped: number | null;
  /** The id that a listener gets when the process of a notifier has died, or its connection was ended for what it did. Default null: none. */
  readonly notifierDead: number | null;
}

const NOTICES = ['notifierCreated', 'notifierDropped', 'notifierDead'] as const;

const notice = exact(someOf(amount(0, 0, EVENTS_MAX_IDS - 1)));

/** What an event service has. */
export const EVENT_SETTINGS = new SettingsTable<EventSettings>(
  {
    maxNotifiers: amount(16, 1, 256),
    maxListeners: amount(16, 1, 256),
    maxNodes: amount(128, 1, 4_096),
    eventIds: amount(1_024, 1, EVENTS_MAX_IDS),
    deadlineMs: exact(amount(0, 0, 2_147_483_647)),
    notifierCreated: notice,
    notifierDropped: notice,
    notifierDead: notice,
  },
  { problemOf: noticeProblem, problemHere: () => undefined },
);

/** An id that there is not. */
function noticeProblem(settings: EventSettings): string | undefined {
  const { eventIds } = settings;
  for (const name of NOTICES) {
    const id = settings[name];
    if (id !== null && id >= eventIds)
      return `have the id ${id} for ${name}, and eventIds is ${eventIds}: lower the id, or raise eventIds`;
  }
  return undefined;
}
