/** The broker's face: what embeds it needs nothing else. */
export { Broker } from './broker.js';
export type { BrokerOptions } from './options.js';
export type {
  PolicyGrant,
  PolicyJob,
  PolicyOptions,
  PolicyQuota,
  PolicySubject,
} from './policy/options.js';
export type { BrokerStatus } from './services.js';
