/**
 * What the parts of one broker share: settings, store, and the schedulers. Assembled in broker.ts.
 */
import type { BrokerLimits, StatusResponse } from '../wire/index.js';
import type { AuditLog } from './audit/index.js';
import type { Authority } from './authority.js';
import type { Backlogs } from './backlog.js';
import type { Closer } from './closer.js';
import type { DigestScheduler } from './digests.js';
import type { Flights } from './flights.js';
import type { BrokerSettings } from './options.js';
import type { Quota } from './quota.js';
import type { WaitRoom } from './waiters.js';

/** How a broker is: counts, limits, and which process it is. */
export type BrokerStatus = Omit<StatusResponse, 'type' | 'requestId'>;

export interface Services extends WaitRoom {
  readonly settings: BrokerSettings;
  /** What clients are told of the settings. */
  readonly limits: BrokerLimits;
  /** Replaced when a policy is. */
  readonly authority: Authority;
  readonly quota: Quota;
  readonly closer: Closer;
  readonly digests: DigestScheduler;
  readonly backlogs: Backlogs;
  /** Undefined: nothing is recorded. */
  readonly audit: AuditLog | undefined;
  readonly flights: Flights;
  /** The state of the broker, as far as a user may see it. */
  status(uid: number): BrokerStatus;
}
